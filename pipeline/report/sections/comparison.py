"""The pictures on which the model and the served one disagree."""

from collections import Counter
from typing import Any

from pipeline.report.run_files import RunFiles

TITLE = "Candidate against served"
NEEDS = ("changes",)
TEMPLATE = """
<p>Of {{ compared|figure }} pictures of the test split, the candidate alone has {{ better|figure }}
right and the model that was served {{ worse|figure }}.</p>
{% for word, pictures in (("worse", got_worse), ("better", got_better)) if pictures %}
<h3>Got {{ word }}</h3>
{{ gallery(pictures) }}
{% endfor %}
"""
_MOST = 12


def facts(files: RunFiles) -> dict[str, Any]:
    """How many got better and worse, and the first of each, with thumbnails."""
    counts = Counter(change["change"] for change in files.changes)
    shown = {
        word: [change for change in files.changes if change["change"] == word][:_MOST]
        for word in ("worse", "better")
    }
    return {
        "compared": len(files.predictions.labels),
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
