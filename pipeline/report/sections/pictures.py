"""The pictures that the model gets most wrong, is least sure of, and those to look at twice."""

from typing import Any

import numpy as np

from components import features
from components.evaluator import highlights
from pipeline.report.run_files import RunFiles

TITLE = "Pictures"
NEEDS = ("predictions",)
TEMPLATE = """
<p>A mistake is shown as <b>label</b> → <b>answer</b>.
{% if explained %}Below a picture, what speaks for the answer glows (Grad-CAM).
{% else %}This model tells nothing of where it looked: it has no signature <code>explain</code>,
because its backbone gives one vector per picture or an earlier release made it.{% endif %}</p>
<h3>Worst mistakes</h3>
{% if worst %}{{ gallery(worst) }}{% else %}<p>No picture of the test split is wrong.</p>{% endif %}
<h3>Least sure</h3>
{% if least_sure %}{{ gallery(least_sure) }}{% else %}<p>The test split is empty.</p>{% endif %}
<h3>Suspected wrong labels</h3>
{% if suspects %}<p>The answer is another class than the label, and as sure of it as of pictures
that bear it. A label that is wrong counts against the model; <code>{{ find_more }}</code> looks
through all splits.</p>
{{ gallery(suspects) }}{% else %}<p>No label of the test split looks wrong.</p>{% endif %}
{% if right %}<h3>Right ones</h3>
{{ gallery(right) }}{% endif %}
"""
_MOST = 12


def facts(files: RunFiles) -> dict[str, Any]:
    """Some of each kind, the one to look at first in front."""
    predictions, thumbnails = files.predictions, files.thumbnails
    paths, ids = (predictions.pictures[name] for name in (features.PATH, features.IMAGE_ID))

    heat_maps = files.heat_maps

    def shown(rows: np.ndarray, explained: bool = False) -> list[dict[str, Any]]:
        return [
            {
                "path": paths[row],
                "image": thumbnails.get(ids[row]),
                "heat": heat_maps.get(ids[row]) if explained else None,
                "label": predictions.classes[predictions.labels[row]],
                "answer": predictions.classes[predictions.given[row]],
                "note": f"probability {predictions.sure[row]:.3f}",
            }
            for row in rows
        ]

    return {
        "worst": shown(highlights.worst_mistakes(predictions, _MOST), True),
        "least_sure": shown(highlights.least_sure(predictions, _MOST), True),
        "suspects": shown(highlights.suspected_labels(predictions, _MOST), True),
        "right": shown(highlights.right_ones(predictions, _MOST)),
        "explained": bool(heat_maps),
        "find_more": files.recipe_command("data", "labels"),
    }
