"""How the training went, and what augmentation makes of a picture."""

from typing import Any

from pipeline.report import charts
from pipeline.report.run_files import RunFiles

TITLE = "Training"
NEEDS = ("training",)
TEMPLATE = """
{% for phase in phases %}
<h3>{{ phase.name }}{% if phase.kept %} (kept){% endif %}</h3>
<p>{{ phase.trainable|figure }} of {{ phase.total|figure }} parameters learned for
{{ phase.epochs }} epoch{{ "s" if phase.epochs != 1 }} in {{ phase.seconds|seconds }}. The best
epoch, {{ phase.best_epoch }}, has validation accuracy {{ phase.val_accuracy|figure }} and loss
{{ phase.val_loss|figure }}.</p>
{% if phase.epochs > 1 %}<figure>{{ chart(phase) }}</figure>{% endif %}
{% endfor %}
{% if views %}
<h3>Augmentation</h3>
<p>A training picture as it is served, and as the training sees it:</p>
<img class="row" src="{{ views }}" alt="A training picture, and its augmented views to the right">
{% endif %}
"""


def facts(files: RunFiles) -> dict[str, Any]:
    """Each phase in figures."""
    training = files.training
    return {
        "phases": [
            {
                "name": phase.name,
                "kept": phase.name == training.kept,
                "trainable": phase.parameters.trainable,
                "total": phase.parameters.total,
                "epochs": len(phase.history["loss"]),
                "seconds": phase.seconds,
                "best_epoch": phase.best_epoch + 1,
                "val_accuracy": phase.val_accuracy,
                "val_loss": phase.val_loss,
                "history": phase.history,
            }
            for phase in training.phases
        ],
        "views": files.views,
    }


def chart(phase: dict[str, Any]):
    """The curves of a phase."""
    return charts.curves(phase["history"], phase["best_epoch"] - 1)
