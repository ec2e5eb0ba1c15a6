"""How sure a model may say that it is, learnt from its answers for the validation split.

Without TensorFlow; `export` builds the same formulas into the served graph. Logits are float
[pictures, classes] throughout.

* Temperature: the one number by which the logits are divided that makes the validation labels most
  likely (Guo et al., On Calibration of Modern Neural Networks, 2017), with the labels softened as
  Platt did (1999), so that a faultless split does not ask for probabilities of 1.
* Abstention: the pictures of which the model is surest, as many as are proved to be right often
  enough. The accuracy of the k surest has an exact lower bound (Clopper and Pearson 1934), as the
  pictures above the k+1st are drawn from all above that threshold (Geifman and El-Yaniv,
  Selective Classification for Deep Neural Networks, 2017). k grows in steps that are fixed
  beforehand, until it is not proved any more, so that no step costs the others anything
  (fixed-sequence testing; as in Angelopoulos et al., Learn then Test, 2021). This asks one thing of
  the model: that a higher threshold is not less accurate.
* Label sets: split-conformal, a class is in where it is at least as probable as the true class is
  for the wanted share of the validation pictures, with the finite-sample quantile (LAC: Sadinle,
  Lei and Wasserman, Least Ambiguous Set-Valued Classifiers With Bounded Error Levels, 2019). The
  most probable class is always in, so no set is empty. The promise is over all pictures, not per
  class.

Abstention and label sets look at the logits before the temperature, so that nothing that was fitted
to the same pictures has a part in them. Of a duplicate group one picture counts: copies of a
picture prove nothing. That the same split has chosen the epoch is what the test split is for.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.optimize
import scipy.special

from components.bounds import lower_bound, pictures_needed
from components.errors import UserError
from components.trainer.settings.serving import AbstentionSettings, ServingSettings

# Beyond these a temperature says that something else is wrong.
_TEMPERATURES = (0.05, 20.0)
# The number of pictures to be sure of grows by this share of the split at a time.
_STEPS = 20
# With many pictures there are several beginnings, each with its part of the error.
_MOST_BEGINNINGS = 3


@dataclasses.dataclass(frozen=True)
class Abstention:
    """Of which pictures a model is sure.

    Attributes:
        accuracy: that was wanted of these.
        confidence: with which it is proved.
        sure_above: log-odds of the most probable class (before the temperature, in nats) above
            which the model is sure; None: it never is, for nothing is proved.
        sure: how many of the validation pictures are above it.
        right: how many of these are right.
        proved: the accuracy that is proved of such pictures; 0 where nothing is.
    """

    accuracy: float
    confidence: float
    sure_above: float | None
    sure: int
    right: int
    proved: float


@dataclasses.dataclass(frozen=True)
class LabelSets:
    """Which classes are in the label set of a picture.

    Attributes:
        coverage: the share of pictures whose true class is promised to be in.
        least_log_probability: of a class (before the temperature) to be in; None: all classes are.
        mean_size: classes in a set, on average over the validation pictures.
        validation_coverage: share of the validation pictures whose class is in.
    """

    coverage: float
    least_log_probability: float | None
    mean_size: float
    validation_coverage: float


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was learnt, and from what; the default is that nothing was.

    Attributes:
        temperature: the logits are divided by it; None: they are not.
        abstention: None: there is no output `unsure`.
        label_sets: None: there is no output `in_label_set`.
        pictures: number of validation pictures that it was learnt from, one of each duplicate
            group.
        copies: number of the others.
        missing: classes without a validation picture, of which nothing was learnt.
        loss: mean cross-entropy in nats, before and after the temperature.
    """

    temperature: float | None = None
    abstention: Abstention | None = None
    label_sets: LabelSets | None = None
    pictures: int = 0
    copies: int = 0
    missing: tuple[str, ...] = ()
    loss: tuple[float, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """The content of `calibration.json`."""
        return dataclasses.asdict(self)

    def notes(self) -> list[str]:
        """What whoever serves the model should know, a line each."""
        notes = []
        if self.missing:
            notes.append(
                f"serving: no validation picture of {', '.join(self.missing)}, so what was learnt "
                "there says nothing of such pictures"
            )
        if self.abstention and self.abstention.sure_above is None:
            wanted = self.abstention
            needed = pictures_needed(wanted.accuracy, wanted.confidence)
            notes.append(
                f"serving.abstain: accuracy {wanted.accuracy:g} is not proved by "
                f"{self.pictures:,} validation pictures (it takes {needed:,}, all of them right), "
                "so the model is unsure of every picture"
            )
        if self.label_sets and self.label_sets.least_log_probability is None:
            needed = label_set_needs(self.label_sets.coverage)
            notes.append(
                f"serving.label_set: {self.label_sets.coverage:g} takes {needed:,} validation "
                f"pictures and there are {self.pictures:,}, so every class is in every label set"
            )
        return notes


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a model with its calibration says of some pictures.

    Attributes:
        probabilities: float32 [pictures, classes], 0..1.
        unsure: bool [pictures]; None: not asked for.
        in_label_set: bool [pictures, classes]; None: not asked for.
    """

    probabilities: np.ndarray
    unsure: np.ndarray | None
    in_label_set: np.ndarray | None


def learn(
    logits: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[str],
    classes: Sequence[str],
    settings: ServingSettings,
) -> Calibration:
    """Learns what a recipe asks for.

    Args:
        logits: finite, of the validation pictures.
        labels: int [pictures], the true class.
        groups: duplicate group of each picture.
        classes: names, by column of the logits.
        settings: what is asked for.
    """
    if not settings.learns:
        return Calibration()
    _, first = np.unique(np.asarray(groups, str), return_index=True)
    copies = len(labels) - len(first)
    logits, labels = logits[first].astype(float), labels[first]
    temperature = find_temperature(logits, labels) if settings.calibrate else None
    counts = np.bincount(labels, minlength=len(classes))
    return Calibration(
        temperature,
        settings.abstain and find_abstention(logits, labels, settings.abstain),
        settings.label_set and find_label_sets(logits, labels, settings.label_set),
        pictures=len(labels),
        copies=copies,
        missing=tuple(name for name, count in zip(classes, counts, strict=True) if not count),
        loss=temperature and (_loss(logits, labels), _loss(logits / temperature, labels)),
    )


def answer(logits: np.ndarray, calibration: Calibration) -> Answers:
    """What the served model says, given its logits."""
    scaled = logits if calibration.temperature is None else logits / calibration.temperature
    unsure, in_label_set = None, None
    if calibration.abstention:
        unsure = is_unsure(logits, calibration.abstention)
    if calibration.label_sets:
        in_label_set = label_sets(logits, calibration.label_sets)
    return Answers(scipy.special.softmax(scaled, axis=1).astype(np.float32), unsure, in_label_set)


def find_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, 0.05..20, that makes the labels most likely."""
    count, classes = logits.shape
    soft = np.full(logits.shape, 1 / (count + 2) / (classes - 1))
    soft[np.arange(count), labels] = (count + 1) / (count + 2)

    def loss(log_temperature: float) -> float:
        log_probabilities = scipy.special.log_softmax(logits / math.exp(log_temperature), axis=1)
        return -(soft * log_probabilities).sum() / count

    bounds = tuple(map(math.log, _TEMPERATURES))
    return math.exp(scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded").x)


def find_abstention(
    logits: np.ndarray, labels: np.ndarray, settings: AbstentionSettings
) -> Abstention:
    """The most pictures that a model may be sure of, at the wanted accuracy."""
    sure = log_odds(logits)
    order = np.argsort(-sure, kind="stable")
    sure, right = sure[order], (logits.argmax(axis=1) == labels)[order].cumsum()
    most = 0
    for confidence, numbers in _sequences(len(labels), settings):
        for number in numbers:
            if lower_bound(int(right[number - 1]), number, confidence) < settings.accuracy:
                break
            most = max(most, number)
    if not most:
        return Abstention(settings.accuracy, settings.confidence, None, 0, 0, 0.0)
    # No picture's log-odds are below -log(classes - 1).
    above = sure[most] if most < len(sure) else -math.log(logits.shape[1])
    most = int((sure > above).sum())  # fewer only where pictures are equal to the last bit
    found = int(right[most - 1]) if most else 0
    proved = lower_bound(found, most, settings.confidence) if most else 0.0
    if proved < settings.accuracy:
        return Abstention(settings.accuracy, settings.confidence, None, 0, 0, 0.0)
    return Abstention(settings.accuracy, settings.confidence, float(above), most, found, proved)


def find_label_sets(logits: np.ndarray, labels: np.ndarray, coverage: float) -> LabelSets:
    """How probable a class must be to be in a label set."""
    own = scipy.special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    allowed_out = len(labels) - math.ceil(coverage * (len(labels) + 1) - 1e-9)
    least = float(np.sort(own)[allowed_out]) if allowed_out >= 0 else None
    found = LabelSets(coverage, least, 0.0, 0.0)
    sets = label_sets(logits, found)
    inside = sets[np.arange(len(labels)), labels]
    return dataclasses.replace(
        found, mean_size=float(sets.sum(axis=1).mean()), validation_coverage=float(inside.mean())
    )


def label_set_needs(coverage: float) -> int:
    """The fewest validation pictures with which a label set can leave out a class."""
    return math.ceil(coverage / (1.0 - coverage) - 1e-9)


def log_odds(logits: np.ndarray) -> np.ndarray:
    """Of the most probable class against all others, in nats, float [pictures].

    As telling as its probability, which soon cannot be told from 1.
    """
    best = logits.argmax(axis=1)[:, np.newaxis]
    others = np.where(np.arange(logits.shape[1]) == best, -np.inf, logits)
    own = np.take_along_axis(logits, best, axis=1)[:, 0]
    return own - scipy.special.logsumexp(others, axis=1)


def is_unsure(logits: np.ndarray, abstention: Abstention) -> np.ndarray:
    """Whether a model abstains, bool [pictures]."""
    if abstention.sure_above is None:
        return np.ones(len(logits), bool)
    return log_odds(logits) <= abstention.sure_above


def label_sets(logits: np.ndarray, learnt: LabelSets) -> np.ndarray:
    """The classes in the label set of each picture, bool [pictures, classes]."""
    if learnt.least_log_probability is None:
        return np.ones(logits.shape, bool)
    probable = scipy.special.log_softmax(logits, axis=1) >= learnt.least_log_probability
    return probable | (np.arange(logits.shape[1]) == logits.argmax(axis=1)[:, np.newaxis])


def check_chance(settings: ServingSettings, chance: float) -> None:
    """Refuses an accuracy that needs no model.

    Args:
        settings: what is to be learnt.
        chance: accuracy of a guess, 0..1.

    Raises:
        UserError: it is no less than what is wanted of the model.
    """
    if settings.abstain and settings.abstain.accuracy <= chance:
        raise UserError(
            f"serving.abstain.accuracy: {settings.abstain.accuracy:g} is no more than what knowing "
            f"nothing gets ({chance:.4g}): ask for more than that"
        )


def foresee(settings: ServingSettings, counts: Mapping[str, int]) -> list[str]:
    """What the validation split will be too small for, a line each.

    Args:
        settings: what is asked for.
        counts: about how many validation pictures of each class there will be.
    """
    total, notes = sum(counts.values()), []
    if settings.abstain:
        needed = pictures_needed(settings.abstain.accuracy, settings.abstain.confidence)
        if total < needed:
            notes.append(
                f"serving.abstain: accuracy {settings.abstain.accuracy:g} needs {needed:,} "
                f"validation pictures, all of them right, and there are about {total:,}: the model "
                "would be unsure of every picture"
            )
    if settings.label_set and total < label_set_needs(settings.label_set):
        notes.append(
            f"serving.label_set: {settings.label_set:g} needs "
            f"{label_set_needs(settings.label_set):,} validation pictures and there are about "
            f"{total:,}: every class would be in every label set"
        )
    return notes


def _sequences(count: int, settings: AbstentionSettings) -> list[tuple[float, list[int]]]:
    """Confidence, and how many pictures to be sure of: tried in this order until one fails.

    Each begins where enough can be wrong that a wrong label does not end it: at the surer half of
    the pictures; with many of them also at a quarter and an eighth. They share the error.
    """
    error = 1.0 - settings.confidence
    beginnings, confidence = [], settings.confidence
    for parts in range(_MOST_BEGINNINGS, 0, -1):
        confidence = 1.0 - error / parts
        needed = pictures_needed(settings.accuracy, confidence)
        beginnings = [max(needed, count >> part) for part in range(1, parts + 1)]
        if parts == 1 or count >> parts >= needed:
            break
    step = max(1, count // _STEPS)
    return [
        (confidence, [*range(first, count, step), count]) for first in beginnings if first <= count
    ]


def _loss(logits: np.ndarray, labels: np.ndarray) -> float:
    own = scipy.special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    return float(-own.mean())
