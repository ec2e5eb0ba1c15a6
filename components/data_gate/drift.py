"""Whether pictures are like those that they are held against."""

import pandas as pd

from components import features
from components.data_gate.config import DistanceSettings
from components.data_gate.distances import (
    Difference,
    category_difference,
    difference,
    significant,
)
from components.data_gate.evidence import Served
from components.data_gate.pictures import fact_names, in_split, labelled_ids
from components.data_gate.wording import listed
from components.fingerprints import labels_fingerprint
from components.gates import Gate

LABEL_DRIFT, FACT_DRIFT, TEST_SPLIT = "label drift", "fact drift", "test split"
_SKEW = "split skew"
_DRIFT_ADVICE = "look at what is new, or raise data_gate.drift.fail"
_SKEW_ADVICE = (
    "what is right on other pictures than those trained on says little; mix them, or raise "
    "data_gate.skew.fail"
)


def compare_with_served(
    pictures: pd.DataFrame, served: Served, settings: DistanceSettings
) -> list[Gate]:
    """How the data have changed since the served model: labels, facts, and the test split."""
    than = f"the data of version {served.version}"
    ours, theirs = _without_copies(pictures), _without_copies(served.pictures)
    labels = category_difference("labels", ours[features.LABEL], theirs[features.LABEL])
    facts = _fact_differences("", ours, theirs)
    return [
        _judge(LABEL_DRIFT, [labels], settings, than, _DRIFT_ADVICE),
        _judge(FACT_DRIFT, facts, settings, than, _DRIFT_ADVICE),
        _compare_tests(pictures, served),
    ]


def not_compared(reason: str) -> list[Gate]:
    """The same rows where there is nothing to compare with.

    Args:
        reason: why.
    """
    return [
        Gate(name, "warn", None, None, f"{reason}: not compared")
        for name in (LABEL_DRIFT, FACT_DRIFT, TEST_SPLIT)
    ]


def check_skew(pictures: pd.DataFrame, settings: DistanceSettings) -> Gate:
    """Validation and test split are like the train split, in labels and facts."""
    pictures = _without_copies(pictures)
    train = in_split(pictures, features.TRAIN)
    found = []
    for split in (features.VALIDATION, features.TEST):
        rows = in_split(pictures, split)
        found += [
            category_difference(f"{split} labels", rows[features.LABEL], train[features.LABEL]),
            *_fact_differences(f"{split} ", rows, train),
        ]
    return _judge(_SKEW, found, settings, "the train split", _SKEW_ADVICE)


def _without_copies(pictures: pd.DataFrame) -> pd.DataFrame:
    """One picture of each duplicate group and split: the tests take pictures for independent."""
    return pictures.drop_duplicates([features.GROUP, features.SPLIT])


def _fact_differences(
    prefix: str, pictures: pd.DataFrame, reference: pd.DataFrame
) -> list[Difference]:
    """Of the facts that both have."""
    names = [name for name in fact_names(pictures) if name in reference]
    found = [difference(name, pictures[name], reference[name]) for name in names]
    return [
        Difference(f"{prefix}{one.name}", one.distance, one.p_value, one.detail)
        for one in found
        if one
    ]


def _judge(
    name: str, found: list[Difference], settings: DistanceSettings, than: str, advice: str
) -> Gate:
    """The row about differences that were looked for together."""
    real = significant(found, settings.significance)
    largest = real[0].distance if real else 0.0
    far = [str(one) for one in real if one.distance > settings.warn]
    if not far:
        message = (
            f"no significant difference above {settings.warn:g} from {than} ({len(found)} compared)"
        )
        return Gate(name, "pass", largest, settings.fail, message)
    message = f"differs from {than}: {listed(far)}"
    if largest <= settings.fail:
        return Gate(name, "warn", largest, settings.fail, message)
    message += f"; at most {settings.fail:g} is allowed: {advice}"
    return Gate(name, "fail", largest, settings.fail, message)


def _compare_tests(pictures: pd.DataFrame, served: Served) -> Gate:
    """Says when the test split is not the one that the served model was judged on."""
    test, test_then = (in_split(rows, features.TEST) for rows in (pictures, served.pictures))
    ours, theirs = labelled_ids(test), labelled_ids(test_then)
    if labels_fingerprint(ours) == served.test_fingerprint:
        message = f"the {len(ours):,} pictures that version {served.version} was judged on"
        return Gate(TEST_SPLIT, "pass", 0, None, message)
    our_ids, their_ids = ({image_id for image_id, _ in pairs} for pairs in (ours, theirs))
    new, gone = len(our_ids - their_ids), len(their_ids - our_ids)
    relabelled = len(ours - theirs) - new
    message = (
        f"not the one that version {served.version} was judged on: of {len(our_ids):,} pictures "
        f"{new:,} are new and {relabelled:,} have another label, {gone:,} of its own are gone; its "
        "figures of then do not compare with those of this run"
    )
    return Gate(TEST_SPLIT, "warn", new + relabelled + gone, None, message)
