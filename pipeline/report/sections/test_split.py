"""How the model does on the test split."""

from typing import Any

import numpy as np

from components.evaluator import measures
from components.evaluator.absolute import interval_95
from components.predictions import Predictions
from pipeline.report import charts
from pipeline.report.confusion import clusters
from pipeline.report.run_files import RunFiles

TITLE = "Model on the test split"
NEEDS = ("predictions",)
TEMPLATE = """
<p>{{ right|figure }} of {{ pictures|figure }} pictures are right: accuracy
{{ accuracy.value|figure }} (95 % interval {{ accuracy.low|figure }} … {{ accuracy.high|figure }}).
</p>
{% if not pictures %}<p>The test split is empty.</p>{% else %}
<h3>Classes</h3>
<p>Recall is the share of a class's pictures that are found, with its exact 95 % interval (Clopper
and Pearson 1934), for which copies count once; precision the share of the answers that are right.
</p>
{% macro table(classes, label) %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ label }}">
<table><thead><tr><th>class</th><th class="n">pictures</th><th class="n">recall</th>
<th class="n">interval</th><th class="n">precision</th></tr></thead><tbody>
{% for one in classes %}
<tr><td>{{ one.name }}</td><td class="n">{{ one.pictures|figure }}</td>
<td class="n">{{ one.recall|figure }}</td>
<td class="n">{{ one.low|figure }} … {{ one.high|figure }}</td>
<td class="n">{{ one.precision|figure("never predicted") }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}
{% if lowest %}<p>The {{ lowest|length }} of the lowest recall:</p>
{{ table(lowest, "Classes of the lowest recall") }}
<details><summary>All {{ classes|length|figure }} classes</summary>
{{ table(classes, "Classes") }}</details>
{% else %}{{ table(classes, "Classes") }}{% endif %}
{% if confusion %}
<h3>Confusion matrix</h3>
<p>A row per true class, a column per answer.</p>
{% set longest = classes|map(attribute="name")|map("length")|max %}
<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">
<table class="confusion{{ " upright" if longest > 4 }}"><thead><tr><th scope="col">true class</th>
{% for one in classes %}<th class="n" scope="col">{{ one.name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in confusion %}{% set index = loop.index0 %}
<tr><th scope="row">{{ classes[index].name }}</th>
{% for count in row %}<td class="n{{ " right" if loop.index0 == index and count }}
{{- " wrong" if loop.index0 != index and count }}">{{ count if count else "·" }}</td>{% endfor %}
</tr>{% endfor %}
</tbody></table></div>
{% endif %}
{% if order %}
<h3>Confusion matrix</h3>
<p>Classes that are taken for each other stand side by side; their numbers stand below
{%- if clusters %}. Groups that are mixed up, and how
often:{% else %}.{% endif %}</p>
{% if clusters %}<ul>{% for one in clusters %}
<li>{{ one.classes|join(", ") }} ({{ one.mistakes|figure }}&nbsp;×)</li>
{% endfor %}</ul>{% endif %}
<figure>{{ chart(matrix) }}</figure>
<details><summary>Order of the classes</summary><p>{% for name in order %}
{{ loop.index0 }}:&nbsp;{{ name }}{{ "," if not loop.last }}
{% endfor %}</p></details>
{% endif %}
{% if mistaken %}
<h3>What is taken for what</h3>
<ul>{% for one in mistaken %}
<li>{{ one.pictures|figure }} × <b>{{ one.label }}</b> taken for <b>{{ one.answer }}</b></li>
{% endfor %}</ul>
{% endif %}
{% endif %}
"""
_LARGEST_MATRIX, _MOST_MISTAKEN, _LOWEST = 20, 10, 20
_LARGEST_PICTURE, _MOST_CLUSTERS = 300, 12


def facts(files: RunFiles) -> dict[str, Any]:
    """Accuracy, classes and confusion."""
    predictions = files.predictions
    by_name = np.argsort(predictions.classes)
    names = [predictions.classes[number] for number in by_name]
    confusion = measures.confusion_matrix(predictions.labels, predictions.given, len(names))
    confusion = confusion[np.ix_(by_name, by_name)]
    right, pictures = int(confusion.trace()), len(predictions.labels)
    mistakes = confusion - np.diag(confusion.diagonal())
    order = np.argsort(-mistakes, axis=None, kind="stable")[:_MOST_MISTAKEN]
    pairs = zip(*np.unravel_index(order, mistakes.shape), strict=True)
    classes = [
        {
            "name": name,
            "pictures": int(count),
            "recall": hits / count if count else None,
            "precision": hits / answers if answers else None,
            **_interval(predictions, predictions.labels == number),
        }
        for name, number, hits, count, answers in zip(
            names,
            by_name,
            confusion.diagonal().tolist(),
            confusion.sum(axis=1).tolist(),
            confusion.sum(axis=0).tolist(),
            strict=True,
        )
    ]
    tested = [one for one in classes if one["pictures"]]
    tested.sort(key=lambda one: (one["recall"], -one["pictures"]))
    return {
        "pictures": pictures,
        "right": right,
        "accuracy": {
            "value": right / pictures if pictures else None,
            **_interval(predictions, np.ones(pictures, bool)),
        },
        "classes": classes,
        "lowest": tested[:_LOWEST] if len(names) > _LARGEST_MATRIX else [],
        "confusion": confusion.tolist() if len(names) <= _LARGEST_MATRIX else None,
        **_clusters(confusion, names),
        "mistaken": [
            {"label": names[row], "answer": names[column], "pictures": int(mistakes[row, column])}
            for row, column in pairs
            if mistakes[row, column]
        ],
    }


def chart(shares: list[list[float]]):
    """The confusion matrix of many classes."""
    return charts.confusion(np.array(shares))


def _clusters(confusion: np.ndarray, names: list[str]) -> dict[str, Any]:
    """The matrix of more classes than a table is read with, in another order, and its groups."""
    if not len(names) > _LARGEST_MATRIX:
        return {"order": [], "clusters": [], "matrix": []}
    order, groups = clusters(confusion)
    if len(names) > _LARGEST_PICTURE:  # those that are mixed up, as far as a picture shows them
        order = np.array([number for group in groups for number in group][:_LARGEST_PICTURE], int)
    ordered = confusion[np.ix_(order, order)]
    return {
        "order": [names[number] for number in order],
        "clusters": [
            {
                "classes": [names[number] for number in group],
                "mistakes": int(
                    confusion[np.ix_(group, group)].sum() - confusion[group, group].sum()
                ),
            }
            for group in groups[:_MOST_CLUSTERS]
        ],
        "matrix": (ordered / np.maximum(confusion.sum(axis=1)[order], 1)[:, None]).tolist(),
    }


def _interval(predictions: Predictions, rows: np.ndarray) -> dict[str, float]:
    return dict(zip(("low", "high"), interval_95(predictions, rows), strict=True))
