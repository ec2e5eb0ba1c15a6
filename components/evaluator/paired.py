"""Gates against the served model, on the pictures on which the two disagree."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from components import features
from components.bounds import largest_drop, proved_worse
from components.evaluator.config import EvaluationSettings
from components.evaluator.slices import Slice
from components.gates import Gate, verdict
from components.multiple_tests import holm
from components.predictions import Predictions

_WORSE, _AS_GOOD = "not proved worse", "proved as good"
_ROWS = {"overall": "", "per_class": ", by class", "per_slice": ", by slice"}


@dataclasses.dataclass(frozen=True)
class FairPlay:
    """What the served model has learnt from must not count for it.

    Attributes:
        learnt: ids and groups of the pictures that it was trained on or chosen by.
        note: why they are not known; empty if they are.
    """

    learnt: Collection[str] = ()
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Change:
    """A picture that exactly one of both models has right: a line of `changes.jsonl`."""

    change: str
    image_id: str
    path: str
    label: str
    candidate: str
    served: str


@dataclasses.dataclass(frozen=True)
class _Part:
    """Some pictures: how many duplicate groups got better and worse, of how many."""

    name: str
    better: int
    worse: int
    groups: int

    @property
    def p_value(self) -> float:
        return proved_worse(self.better, self.worse)

    @property
    def gain(self) -> float:
        return (self.better - self.worse) / max(1, self.groups)


def known_to_served(predictions: Predictions, fair_play: FairPlay) -> np.ndarray:
    """Says of each picture whether the served model has learnt it or a copy: bool [pictures]."""
    learnt = set(fair_play.learnt)
    keys = predictions.pictures[[features.IMAGE_ID, features.GROUP]]
    known = keys.isin(learnt).any(axis=1).to_numpy(bool)
    return np.isin(predictions.groups, predictions.groups[known])


def paired_gates(
    predictions: Predictions,
    settings: EvaluationSettings,
    slices: Sequence[Slice],
    note: str,
    fair_play: FairPlay,
) -> list[Gate]:
    """The rows that the recipe asks for.

    Args:
        predictions: of both models.
        settings: which rows, and how sure.
        slices: of the predictions.
        note: why the model was not compared; empty if it was.
        fair_play: what is left out.
    """
    margins = settings.proved_as_good.model_dump(exclude_none=True)
    names = [_WORSE] if settings.not_proved_worse else []
    names += [_AS_GOOD + _ROWS[key] for key in margins]
    known = np.zeros(0, bool) if note else known_to_served(predictions, fair_play)
    if len(known) and known.all():
        note = "the served model has learnt every picture of this test split: not compared"
    if note:
        return [Gate(name, "warn", None, None, note) for name in names]
    parts = _parts(predictions, ~known, slices)
    said = f"; {fair_play.note}" if fair_play.note else ""
    if known.any():
        said = f"; {known.sum():,} pictures left out, the served model has learnt them"
    rows = _worse_gates(parts, settings.confidence) if settings.not_proved_worse else []
    for key, margin in margins.items():
        rows.append(_as_good_gate(_ROWS[key], parts[key], margin, settings.confidence))
    return [dataclasses.replace(row, message=row.message + said) for row in rows]


def changed_answers(predictions: Predictions, fair_play: FairPlay) -> list[Change]:
    """The pictures that got better or worse, those that are left out aside."""
    gained = predictions.right.astype(int) - predictions.served_right
    gained[known_to_served(predictions, fair_play)] = 0
    pictures, classes = predictions.pictures, predictions.classes
    return [
        Change(
            "better" if gained[row] > 0 else "worse",
            *(pictures[name][row] for name in (features.IMAGE_ID, features.PATH, features.LABEL)),
            classes[predictions.given[row]],
            classes[predictions.served_given[row]],
        )
        for row in np.flatnonzero(gained)
    ]


def _parts(
    predictions: Predictions, compared: np.ndarray, slices: Sequence[Slice]
) -> dict[str, list[_Part]]:
    labels = predictions.labels
    gained = predictions.right.astype(int) - predictions.served_right

    def part(name: str, rows: np.ndarray) -> _Part:
        rows = rows & compared
        _, group = np.unique(predictions.groups[rows], return_inverse=True)
        # Copies of a picture are no further proof: the majority of a group speaks for it.
        net = np.sign(np.bincount(group, gained[rows]))
        return _Part(name, int((net > 0).sum()), int((net < 0).sum()), len(net))

    return {
        "overall": [part("overall", np.ones_like(compared))],
        "per_class": [
            part(name, labels == number) for number, name in enumerate(predictions.classes)
        ],
        "per_slice": [part(one.name, one.rows) for one in slices],
    }


def _worse_gates(parts: dict[str, list[_Part]], confidence: float) -> list[Gate]:
    """A row for all pictures, the classes and the slices, with one error rate for all of them."""
    tests = [part for of_key in parts.values() for part in of_key]
    significant = dict(
        zip(map(id, tests), holm([part.p_value for part in tests], 1.0 - confidence), strict=True)
    )
    rows = []
    for key, of_key in parts.items():
        if not of_key:
            continue
        worst = min(of_key, key=lambda part: part.p_value)
        proved = [part.name for part in of_key if significant[id(part)]]
        where = "" if key == "overall" else f"{worst.name}: "
        message = f"{where}{worst.better:,} better, {worst.worse:,} worse of {worst.groups:,}"
        message += f" (p {worst.p_value:.2g})"
        if proved:
            message += ": proved worse" + (f" in {', '.join(proved)}" if where else "")
        rows.append(
            Gate(
                _WORSE + _ROWS[key],
                verdict(not proved),
                worst.gain,
                None,
                message,
                None,
                worst.groups,
            )
        )
    return rows


def _as_good_gate(suffix: str, parts: Sequence[_Part], margin: float, confidence: float) -> Gate:
    """All parts must be proved, which needs no correction (Berger 1982)."""
    if not parts:
        return Gate(_AS_GOOD + suffix, "warn", None, -margin, "no slices to compare")
    drops = {part: largest_drop(part.better, part.worse, part.groups, confidence) for part in parts}
    worst = max(parts, key=drops.__getitem__)
    where = f"{worst.name}: " if suffix else ""
    message = (
        f"{where}{worst.better:,} better, {worst.worse:,} worse of {worst.groups:,}: at most "
        f"{drops[worst]:.4f} worse is proved, at most {margin:g} allowed"
    )
    return Gate(
        _AS_GOOD + suffix,
        verdict(drops[worst] <= margin),
        worst.gain,
        -margin,
        message,
        (-drops[worst], 1.0),
        worst.groups,
    )
