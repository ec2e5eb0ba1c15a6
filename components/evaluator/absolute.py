"""Gates on the model alone: each passes only where what was measured proves it."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from components.bounds import lower_bound, pictures_needed, upper_bound
from components.evaluator import bootstrap, measures
from components.evaluator.config import EvaluationSettings
from components.evaluator.slices import Slice
from components.gates import Gate, Verdict, worst
from components.predictions import Predictions

_AVERAGES = {
    "auc": (bootstrap.auc, measures.auc_per_class),
    "macro_recall": (bootstrap.macro_recall, measures.recall_per_class),
    "macro_precision": (bootstrap.macro_precision, measures.precision_per_class),
}
_LISTED = 5  # names in a message; of more their number is told


@dataclasses.dataclass(frozen=True)
class Finding:
    """One measure and what it proves.

    Attributes:
        value: what was measured; None: nothing was.
        interval: bounds, see `Gate`.
        pictures: how many it was measured on.
        groups: how many of these are no copies of others.
        best: what as many faultless pictures would prove.
    """

    value: float | None
    interval: tuple[float, float]
    pictures: int
    groups: int
    best: float

    def verdict(self, wanted: float, too_few: Verdict) -> Verdict:
        """Whether at least `wanted` is proved; `too_few` where no model could have proved it."""
        if self.value is not None and self.interval[0] >= wanted:
            return "pass"
        if self.value is not None and self.interval[1] < wanted:
            return "fail"  # no more pictures would help
        return too_few if self.best < wanted else "fail"


def share(right: np.ndarray, groups: np.ndarray, confidence: float) -> Finding:
    """A share of the pictures, with exact bounds.

    Copies of a picture are no further proof: for the lower bound, a duplicate group is right if all
    of it is; for the upper one, if any is.

    Args:
        right: bool [pictures].
        groups: int [pictures], their duplicate groups.
        confidence: of each bound, 0..1, exclusive.
    """
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max(initial=-1)) + 1
    all_right, any_right = np.ones(count, bool), np.zeros(count, bool)
    np.logical_and.at(all_right, group, right)
    np.logical_or.at(any_right, group, right)
    return Finding(
        float(right.mean()) if len(right) else None,
        (
            lower_bound(int(all_right.sum()), count, confidence),
            upper_bound(int(any_right.sum()), count, confidence),
        ),
        len(right),
        count,
        lower_bound(count, count, confidence),
    )


def interval_95(predictions: Predictions, rows: np.ndarray) -> tuple[float, float]:
    """The two-sided interval of 95 % of the share that is right of some rows, bool [pictures]."""
    return share(predictions.right[rows], predictions.groups[rows], 0.975).interval


def absolute_gates(
    predictions: Predictions, settings: EvaluationSettings, slices: Sequence[Slice]
) -> list[Gate]:
    """One row per bound that the recipe sets, and one on whether every class was measured."""
    rows = [_measured_gate(predictions, settings)]
    rows += [_threshold_gate(name, predictions, settings) for name in settings.thresholds]
    if settings.max_calibration_error is not None:
        rows.append(_calibration_gate(predictions, settings))
    rows += _hedging_gates(predictions, settings)
    by_class = [
        (settings.min_class_recall, "recall of every class", predictions.labels),
        (settings.min_class_precision, "precision of every class", predictions.given),
    ]
    for wanted, name, number in by_class:
        if wanted is not None:
            parts = [(label, number == place) for place, label in enumerate(predictions.classes)]
            rows.append(_parts_gate(name, wanted, parts, predictions, settings))
    if settings.min_slice_accuracy is not None:
        parts = [(one.name, one.rows) for one in slices]
        wanted = settings.min_slice_accuracy
        rows.append(_parts_gate("accuracy of every slice", wanted, parts, predictions, settings))
    chance = chance_levels(
        np.bincount(predictions.labels, minlength=len(predictions.classes)), settings
    )
    if predictions.in_label_set is not None and len(predictions.labels):
        # Of sets as large that are drawn at random; with too few validation pictures they hold all.
        chance["label set coverage"] = float(predictions.in_label_set.mean())
    return [_with_chance(row, chance.get(row.name)) for row in rows]


def chance_levels(counts: np.ndarray, settings: EvaluationSettings) -> dict[str, float]:
    """What knowing nothing reaches, by the name of the gate.

    The most frequent class for every picture, or for what is averaged over classes a class drawn at
    random.

    Args:
        counts: pictures of the test split by class.
        settings: whose `top_k` counts.
    """
    total = max(1.0, counts.sum())
    frequent = np.sort(counts)[::-1] / total
    among = 1 / max(1, len(counts))
    return {
        "accuracy": float(frequent[:1].sum()),
        "top_k_accuracy": float(frequent[: settings.top_k].sum()),
        "auc": 0.5,
        "macro_recall": among,
        "macro_precision": among,
        "recall of every class": among,
        "accuracy when sure": float(frequent[:1].sum()),
    }


def _measured_gate(predictions: Predictions, settings: EvaluationSettings) -> Gate:
    counts = np.bincount(predictions.labels, minlength=len(predictions.classes))
    least = int(counts.min())
    row = "every class measured"
    if least:
        name = predictions.classes[int(counts.argmin())]
        message = f"{len(counts)} classes, of {name} the fewest pictures: {least:,}"
        return Gate(row, "pass", least, 1, message, None, len(predictions.labels))
    missing = [name for name, count in zip(predictions.classes, counts, strict=True) if not count]
    message = f"no test picture of {_listed(missing)}: nothing is proved of what is not measured"
    return Gate(row, settings.too_few, 0, 1, message, None, len(predictions.labels))


def _hedging_gates(predictions: Predictions, settings: EvaluationSettings) -> list[Gate]:
    """What is asked of a model that abstains or gives label sets."""
    rows = []

    def add(name: str, wanted: float | None, said: np.ndarray | None, measure) -> None:
        if wanted is None:
            return
        if said is None:
            message = "the model does not say so: what the block `serving` asks for is not in it"
            rows.append(Gate(name, "fail", None, wanted, message, None, 0))
            return
        finding = share(*measure(said), settings.confidence)
        rows.append(_gate(name, finding, wanted, settings))

    labels, right, groups = predictions.labels, predictions.right, predictions.groups
    add(
        "label set coverage",
        settings.min_label_set_coverage,
        predictions.in_label_set,
        lambda sets: (sets[np.arange(len(labels)), labels], groups),
    )
    add(
        "accuracy when sure",
        settings.min_accuracy_when_sure,
        predictions.unsure,
        lambda unsure: (right[~unsure], groups[~unsure]),
    )
    add(
        "share sure",
        settings.min_share_sure,
        predictions.unsure,
        lambda unsure: (~unsure, groups),
    )
    return rows


def _threshold_gate(name: str, predictions: Predictions, settings: EvaluationSettings) -> Gate:
    wanted = settings.thresholds[name]
    if name in _AVERAGES:
        return _average_gate(name, wanted, predictions, settings)
    places = measures.ranks(predictions.labels, predictions.candidate)
    right = places < (settings.top_k if name == "top_k_accuracy" else 1)
    finding = share(right, predictions.groups, settings.confidence)
    return _gate(name, finding, wanted, settings)


def _average_gate(
    name: str, wanted: float, predictions: Predictions, settings: EvaluationSettings
) -> Gate:
    statistic, per_class = _AVERAGES[name]
    labels, scores, groups = predictions.labels, predictions.candidate, predictions.groups
    if not len(labels):
        return _gate(name, Finding(None, (0.0, 1.0), 0, 0, 0.0), wanted, settings)
    if name == "auc":
        values = per_class(labels, scores)
    else:
        values = per_class(measures.confusion_matrix(labels, predictions.given, scores.shape[1]))
    value = measures.mean(values)
    count = int(groups.max()) + 1
    low, high, best = 0.0, 1.0, 0.0
    if count >= bootstrap.LEAST_GROUPS:
        low, high = bootstrap.interval(statistic, labels, scores, groups, settings.confidence)
        best = low  # at least: where that is enough nobody asks how much more it is
        if low < wanted:
            faultless = np.eye(scores.shape[1])[labels]
            best, _ = bootstrap.interval(statistic, labels, faultless, groups, settings.confidence)
    finding = Finding(None if math.isnan(value) else value, (low, high), len(labels), count, best)
    return _gate(name, finding, wanted, settings, averaged=True)


def _calibration_gate(predictions: Predictions, settings: EvaluationSettings) -> Gate:
    wanted, row = settings.max_calibration_error, "calibration error"
    labels, scores = predictions.labels, predictions.candidate
    groups = int(predictions.groups.max(initial=-1)) + 1
    if groups < bootstrap.LEAST_GROUPS:
        counted = _counted(len(labels), groups)
        message = f"{counted}, of which at least {bootstrap.LEAST_GROUPS} are needed"
        return Gate(row, settings.too_few, None, wanted, message, None, len(labels))
    value = measures.calibration_error(labels, scores)
    low, high = bootstrap.interval(
        bootstrap.calibration_error, labels, scores, predictions.groups, settings.confidence
    )
    message = (
        f"{value:.4f} of {_counted(len(labels), groups)}; at most {high:.4f} proved, at most "
        f"{wanted:g} wanted"
    )
    # What as many faultless pictures would prove: the bootstrap of no error but the bad picture's.
    best = 1.0 - lower_bound(groups, groups, settings.confidence)
    verdict = "pass" if high <= wanted else settings.too_few if low <= wanted < best else "fail"
    if verdict != "pass" and best > wanted:
        message += f": too few pictures, faultless they would prove {best:.4f}"
    return Gate(row, verdict, value, wanted, message, (low, high), len(labels))


def _parts_gate(
    name: str,
    wanted: float,
    parts: Sequence[tuple[str, np.ndarray]],
    predictions: Predictions,
    settings: EvaluationSettings,
) -> Gate:
    """One row for what every part must prove: it tells of the one that proves least.

    That all of them are proved needs no correction for their number (an intersection-union test,
    Berger 1982).
    """
    findings = [
        share(predictions.right[rows], predictions.groups[rows], settings.confidence)
        for _, rows in parts
    ]
    if not findings:
        return Gate(name, settings.too_few, None, wanted, "no slices to measure on", None, 0)
    verdicts = [finding.verdict(wanted, settings.too_few) for finding in findings]
    verdict = worst(verdicts)
    # By their place: two ranges may be shown by the same digits.
    lowest = min(
        (place for place, its in enumerate(verdicts) if its == verdict),
        key=lambda place: findings[place].interval[0],
    )
    finding = findings[lowest]
    open_ = [
        parts[place][0] for place, its in enumerate(verdicts) if its != "pass" and place != lowest
    ]
    message = f"lowest: {parts[lowest][0]} with {_told(finding, wanted, settings)}"
    if open_:
        message += f"; not proved either: {_listed(open_)}"
    return Gate(name, verdict, finding.value, wanted, message, finding.interval, finding.pictures)


def _gate(
    name: str,
    finding: Finding,
    wanted: float,
    settings: EvaluationSettings,
    averaged: bool = False,
) -> Gate:
    return Gate(
        name,
        finding.verdict(wanted, settings.too_few),
        finding.value,
        wanted,
        _told(finding, wanted, settings, averaged),
        finding.interval,
        finding.pictures,
    )


def _told(
    finding: Finding, wanted: float, settings: EvaluationSettings, averaged: bool = False
) -> str:
    """`0.9943 of 350 pictures; 0.9821 proved, 0.95 wanted`, and what is missing for a proof."""
    value = "not measured" if finding.value is None else f"{finding.value:.4f}"
    text = (
        f"{value} of {_counted(finding.pictures, finding.groups)}; {finding.interval[0]:.4f} "
        f"proved, {wanted:g} wanted"
    )
    if finding.best >= wanted:
        return text
    if averaged:
        if finding.groups < bootstrap.LEAST_GROUPS:
            return f"{text}: too few pictures, at least {bootstrap.LEAST_GROUPS} are needed"
        return f"{text}: too few pictures, faultless they would prove {finding.best:.4f}"
    needed = pictures_needed(wanted, settings.confidence)
    if needed is None:
        return f"{text}, which no number of pictures proves"
    return f"{text}: too few pictures, {needed:,} faultless ones are needed"


def _with_chance(gate: Gate, level: float | None) -> Gate:
    """Says aloud that a threshold asks for nothing."""
    if level is None or gate.bound > level:
        return gate
    message = f"{gate.message}; knowing nothing gets {level:.4g}, so this threshold says little"
    return dataclasses.replace(gate, verdict=worst([gate.verdict, "warn"]), message=message)


def _counted(pictures: int, groups: int) -> str:
    copies = pictures - groups
    return f"{pictures:,} pictures" + (f" ({copies:,} of them copies)" if copies else "")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
