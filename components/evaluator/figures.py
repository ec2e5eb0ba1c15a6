"""What the Evaluator has to tell in a few words, for the line that it ends with."""

from components.evaluator import results


def describe(outputs: dict[str, list]) -> str:
    """Accuracy on the test split, how large that is, and what the model says of its sureness.

    Args:
        outputs: the node's output artifacts by key.
    """
    metrics = results.read_metrics(outputs["evaluation"][0].uri).overall
    text = f"test accuracy {metrics['accuracy']:.4f} of {metrics['example_count']:,.0f} pictures"
    if "share_sure" in metrics:
        text += f"; sure of {metrics['share_sure']:.4f}, with accuracy "
        text += f"{metrics['accuracy_when_sure']:.4f}"
    if "label_set_coverage" in metrics:
        text += f"; in the label set {metrics['label_set_coverage']:.4f}, of "
        text += f"{metrics['label_set_size']:.2f} classes"
    return text
