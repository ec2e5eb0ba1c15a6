"""Parts of the test split: those that the recipe names, and those that were found by themselves."""

from typing import Any

from components.evaluator.found_slices import find_slices
from components.evaluator.slices import cut, find_column
from components.predictions import fact_columns
from pipeline.report.run_files import RunFiles

TITLE = "Slices"
NEEDS = ("predictions",)
TEMPLATE = """
{% if configured %}
<div class="scroll" tabindex="0" role="region" aria-label="Slices of the recipe">
<table><thead><tr><th>slice</th><th class="n">pictures</th><th class="n">accuracy</th></tr></thead>
<tbody>{% for one in configured %}<tr><td>{{ one.name }}</td><td class="n">{{ one.pictures|figure }}
</td><td class="n">{{ one.accuracy|figure }}</td></tr>
{% endfor %}</tbody></table></div>
{% else %}<p>The recipe names none (<code>evaluation.slices</code>).</p>{% endif %}
<h3>Found by themselves</h3>
{% if found %}<p>On these the model is worse than on the rest, which was tested on pictures that
they were not found in.</p>
<ul>{% for one in found %}<li><b>{{ one.name }}</b>: {{ one.wrong|figure }} of
{{ one.pictures|figure }} wrong; elsewhere {{ one.elsewhere|figure }} (p {{ one.p_value|figure }})
</li>{% endfor %}</ul>
{% else %}<p>None on which the model is worse than on the rest.</p>{% endif %}
"""


def facts(files: RunFiles) -> dict[str, Any]:
    """Accuracy by slice, and the slices with more mistakes."""
    predictions, settings = files.predictions, files.recipe.evaluation
    pictures, known = predictions.pictures, fact_columns(predictions.pictures)
    right = predictions.right
    slices = [
        one for name in settings.slices for one in cut(name, pictures[find_column(name, known)])
    ]
    found = find_slices(pictures[known], ~right, predictions.groups, settings.confidence)
    return {
        "configured": [
            {
                "name": one.name,
                "pictures": int(one.rows.sum()),
                "accuracy": float(right[one.rows].mean()) if one.rows.any() else None,
            }
            for one in slices
        ],
        "found": [
            {
                "name": one.name,
                "wrong": one.wrong,
                "pictures": one.pictures,
                "elsewhere": one.elsewhere,
                "p_value": one.p_value,
            }
            for one in found
        ],
    }
