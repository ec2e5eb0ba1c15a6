"""The pictures that the model gets most wrong, and those that it is least sure of."""

from typing import Any

import numpy as np

from components import features
from pipeline.report.run_files import RunFiles
from pipeline.report.thumbnails import thumbnails

TITLE = "Pictures"
NEEDS = ("predictions",)
TEMPLATE = """
<h3>Worst mistakes</h3>
{% if worst %}{{ gallery(worst) }}{% else %}<p>No picture of the test split is wrong.</p>{% endif %}
<h3>Least sure</h3>
{% if least_sure %}{{ gallery(least_sure) }}{% else %}<p>The test split is empty.</p>{% endif %}
"""
_MOST = 18


def facts(files: RunFiles) -> dict[str, Any]:
    """Wrong ones, the surest first, and those of the lowest highest probability."""
    predictions = files.predictions
    answers, sure = predictions.candidate.argmax(axis=1), predictions.candidate.max(axis=1)
    wrong = np.flatnonzero(answers != predictions.labels)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:_MOST]
    least_sure = np.argsort(sure, kind="stable")[:_MOST]
    paths, ids = (predictions.pictures[name] for name in (features.PATH, features.IMAGE_ID))
    images = thumbnails(files.recipe, {paths[row]: ids[row] for row in (*worst, *least_sure)})

    def shown(rows: np.ndarray) -> list[dict[str, Any]]:
        return [
            {
                "path": paths[row],
                "image": images.get(paths[row]),
                "label": predictions.classes[predictions.labels[row]],
                "answer": predictions.classes[answers[row]],
                "note": f"probability {sure[row]:.3f}",
            }
            for row in rows
        ]

    return {"worst": shown(worst), "least_sure": shown(least_sure)}
