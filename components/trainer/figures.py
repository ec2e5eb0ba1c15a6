"""What the Trainer has to tell in a few words, for the line that it ends with."""

from components.trainer.training_report import TrainingReport


def describe(outputs: dict[str, list]) -> str:
    """Validation accuracy by phase, the phase that was kept, pictures that the model labelled.

    Args:
        outputs: the node's output artifacts by key.
    """
    report = TrainingReport.read(outputs["model_run"][0].uri)
    phases = ", ".join(f"{phase.name} {phase.val_accuracy:.4f}" for phase in report.phases)
    text = f"validation accuracy: {phases}; kept: {report.kept}"
    if labels := report.pseudo_labels:
        taken = ", ".join(f"{number:,} {name}" for name, number in labels.taken.items())
        text += f"; labelled itself: {taken} of {labels.unlabelled:,}"
    return text
