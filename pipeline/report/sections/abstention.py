"""How far a probability can be trusted: what is gained by answering only when sure, calibration."""

from typing import Any

import numpy as np
import scipy.special
from markupsafe import Markup

from components.errors import UserError
from components.evaluator import measures
from components.evaluator.results import hedges
from pipeline.report import charts
from pipeline.report.run_files import RunFiles

TITLE = "How sure it is"
NEEDS = ("predictions",)
TEMPLATE = """
{% if not coverage %}<p>There are no pictures with probabilities that are numbers.</p>{% else %}
<h3>Answering only when sure</h3>
<p>Who lets the model answer only above some probability, and asks a person about the rest, gets
fewer answers and fewer mistakes.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Mistakes by share of answers">
<table><thead><tr><th class="n">from probability</th><th class="n">pictures answered</th>
<th class="n">share wrong</th></tr></thead><tbody>
{% for one in coverage %}<tr><td class="n">{{ "%.6f"|format(one.probability) }}</td>
<td class="n">{{ "%.0f"|format(100 * one.coverage) }} %</td>
<td class="n">{{ one.risk|figure }}</td></tr>
{% endfor %}</tbody></table></div>
{% if "share_sure" in says %}<p>The share of the pictures of which this model itself says that it is
sure is {{ says.share_sure|figure }}; its accuracy on these is {{ says.accuracy_when_sure|figure }}.
</p>{% endif %}
{% if "label_set_coverage" in says %}<p>Its label sets have {{ says.label_set_size|figure }} classes
on average; the share that holds the right one is {{ says.label_set_coverage|figure }}.</p>
{% endif %}
<h3>Calibration</h3>
<p>Expected calibration error {{ error|figure }}{% if before %}; before its temperature
{{ before.temperature|figure }} was set, it was {{ before.error|figure }}{% endif %}. A dot on the
line is as often right as its probability says; a large dot stands for many pictures.</p>
<figure>{{ chart(curve, points, before) }}</figure>
{% endif %}
"""
_COVERAGES = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
_MOST_POINTS = 200


def facts(files: RunFiles) -> dict[str, Any]:
    """Risk by coverage, and right answers by probability."""
    labels, scores = files.predictions.labels, files.predictions.candidate
    if not len(labels) or np.isnan(scores).any():
        return {
            "coverage": [], "curve": [], "points": [], "error": None, "before": None, "says": {}
        }  # fmt: skip
    sure, right = files.predictions.sure, files.predictions.right
    order = np.argsort(-sure, kind="stable")
    risk = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    # What has the same probability is answered together.
    last = np.searchsorted(-sure[order], -sure[order], side="right") - 1

    def at(row: int) -> dict[str, float]:
        return {
            "probability": float(sure[order[row]]),
            "coverage": (row + 1) / len(order),
            "risk": float(risk[row]),
        }

    rows = np.unique(last[np.ceil(np.array(_COVERAGES) * len(order)).astype(int) - 1])
    drawn = np.unique(last[np.linspace(0, len(order) - 1, _MOST_POINTS).astype(int)])
    return {
        "coverage": [at(row) for row in rows],
        "curve": [at(row) for row in drawn],
        "points": _points(labels, scores),
        "error": measures.calibration_error(labels, scores),
        "before": _before(_temperature(files), labels, scores),
        "says": hedges(files.predictions),
    }


def chart(
    curve: list[dict[str, float]], points: list[dict[str, float]], before: dict[str, Any] | None
) -> Markup:
    """Risk-coverage curve, and calibration diagrams: before the temperature, and as served."""
    coverage, risk = ([one[key] for one in curve] for key in ("coverage", "risk"))
    drawn = charts.risk_coverage(coverage, risk)
    if before:
        drawn += _diagram(before["points"], "before the temperature")
    return drawn + _diagram(points, "as served")


def _diagram(points: list[dict[str, float]], title: str) -> Markup:
    columns = (np.array([one[key] for one in points]) for key in ("sure", "right", "pictures"))
    return charts.calibration(*columns, title=title)


def _temperature(files: RunFiles) -> float | None:
    try:
        return files.training.temperature
    except UserError:
        return None


def _before(
    temperature: float | None, labels: np.ndarray, scores: np.ndarray
) -> dict[str, Any] | None:
    """The calibration without the temperature, by which the logits of `scores` were divided."""
    if temperature is None:
        return None
    with np.errstate(divide="ignore"):  # of a probability of 0 the logarithm is infinite, rightly
        logits = temperature * np.log(scores.astype(np.float64))
    untouched = scipy.special.softmax(logits, axis=1)
    return {
        "temperature": temperature,
        "error": measures.calibration_error(labels, untouched),
        "points": _points(labels, untouched),
    }


def _points(labels: np.ndarray, scores: np.ndarray) -> list[dict[str, float]]:
    """Mean probability and share of right answers of the bins that hold pictures."""
    _, bins = measures.calibration_gaps(labels, scores)
    sure, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    return [
        {
            "sure": float(sure[bins == number].mean()),
            "right": float(right[bins == number].mean()),
            "pictures": int((bins == number).sum()),
        }
        for number in np.unique(bins)
    ]
