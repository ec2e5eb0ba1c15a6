"""The pictures on which the model and the served one disagree."""

from collections import Counter
from typing import Any

import numpy as np

from pipeline.report.run_files import RunFiles

TITLE = "Candidate against served"
NEEDS = ("changes",)
TEMPLATE = """
<p>Accuracy on the test split: {{ accuracy.candidate|figure }} of the candidate,
{{ accuracy.served|figure }} of the model that was served.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Right and wrong of both">
<table><thead><tr><th>pictures</th><th class="n">served right</th>
<th class="n">served wrong</th></tr></thead><tbody>
{% for one in table %}<tr><th scope="row">candidate {{ one.candidate }}</th>
<td class="n">{{ one.served_right|figure }}</td><td class="n">{{ one.served_wrong|figure }}</td>
</tr>{% endfor %}</tbody></table></div>
<p>{{ better|figure }} got better and {{ worse|figure }} worse
{%- if left_out %}, less {{ left_out|figure }} that the served model has learnt: these do not count
{%- endif %}. The gate <i>not proved worse</i> says whether that can be chance.</p>
{% for word, pictures in (("worse", got_worse), ("better", got_better)) if pictures %}
<h3>Got {{ word }}</h3>
{{ gallery(pictures) }}
{% endfor %}
"""
_MOST = 12


def facts(files: RunFiles) -> dict[str, Any]:
    """How many got better and worse, and the first of each, with thumbnails."""
    predictions = files.predictions
    candidate, served = predictions.right, predictions.served_right
    counts = Counter(change["change"] for change in files.changes)
    shown = {
        word: [change for change in files.changes if change["change"] == word][:_MOST]
        for word in ("worse", "better")
    }
    return {
        "accuracy": {"candidate": _mean(candidate), "served": _mean(served)},
        "table": [
            {
                "candidate": word,
                "served_right": int((rows & served).sum()),
                "served_wrong": int((rows & ~served).sum()),
            }
            for word, rows in (("right", candidate), ("wrong", ~candidate))
        ],
        "left_out": int((candidate != served).sum()) - len(files.changes),
        "better": counts["better"],
        "worse": counts["worse"],
        **{
            f"got_{word}": [
                {
                    "path": change["path"],
                    "image": files.thumbnails.get(change["image_id"]),
                    "heat": files.heat_maps.get(change["image_id"]) if word == "worse" else None,
                    "label": change["label"],
                    "answer": change["candidate"],
                    "note": f"served: {change['served']}",
                }
                for change in changes
            ]
            for word, changes in shown.items()
        },
    }


def _mean(right: np.ndarray) -> float | None:
    return float(right.mean()) if len(right) else None
