"""What is learnt of a model's answers, against simulated validation splits and by hand."""

import json
import math

import numpy as np
import pytest
import scipy.special

from components.bounds import lower_bound, pictures_needed
from components.trainer import calibration
from components.trainer.calibration import Abstention, Calibration, LabelSets
from components.trainer.settings.serving import AbstentionSettings, ServingSettings

pytestmark = pytest.mark.one_line

CLASSES = ["cat", "dog", "fox"]


def true_to_word(count: int, seed: int, sureness: float = 2.0, sharpened: float = 1.0):
    """Logits and labels of a model whose probabilities are true, then multiplied."""
    random = np.random.default_rng(seed)
    logits = sureness * random.standard_normal((count, len(CLASSES)))
    cumulated = scipy.special.softmax(logits, axis=1).cumsum(axis=1)
    labels = (random.random((count, 1)) > cumulated).sum(axis=1)
    return logits * sharpened, labels.clip(max=len(CLASSES) - 1)


def binary(sure: np.ndarray, right: np.ndarray):
    """Logits and labels of two classes, with given log-odds for each in turn."""
    given = np.arange(len(sure)) % 2
    logits = np.where(np.eye(2)[given] > 0, sure[:, np.newaxis], 0.0)
    return logits, np.where(right, given, 1 - given)


def learn(logits, labels, groups=None, classes=CLASSES, **settings) -> Calibration:
    groups = [f"g{number}" for number in range(len(labels))] if groups is None else groups
    return calibration.learn(logits, labels, groups, classes, ServingSettings(**settings))


@pytest.mark.parametrize("sharpened", [0.1, 0.5, 1.0, 3.0, 15.0])
def test_the_temperature_undoes_what_sharpened_the_answers(sharpened):
    found = learn(*true_to_word(4000, seed=1, sharpened=sharpened), calibrate=True)
    assert found.temperature == pytest.approx(sharpened, rel=0.1)
    before, after = found.loss
    assert after <= before


@pytest.mark.parametrize("classes", [2, 3])
def test_faultless_answers_do_not_become_certain(classes):
    labels = np.arange(50) % classes
    logits = 2.0 * np.eye(classes)[labels]
    temperature = learn(logits, labels, classes=CLASSES[:classes], calibrate=True).temperature
    found = Calibration(temperature=temperature)
    # Platt's target for 50 of 50.
    assert calibration.answer(logits, found).probabilities.max() == pytest.approx(51 / 52, abs=1e-3)


def test_it_is_off_unless_asked_for():
    logits, labels = true_to_word(100, seed=0)
    found = learn(logits, labels)
    assert found == Calibration() and found.notes() == []
    answers = calibration.answer(logits, found)
    assert answers.unsure is None and answers.in_label_set is None
    np.testing.assert_allclose(answers.probabilities, scipy.special.softmax(logits, 1), rtol=1e-5)


@pytest.mark.parametrize(("count", "proved"), [(298, False), (299, True)])
def test_99_percent_take_299_faultless_pictures(count, proved):
    logits, labels = binary(np.linspace(1, 9, count), np.ones(count))
    found = learn(logits, labels, classes=CLASSES[:2], abstain={"accuracy": 0.99})
    assert (found.abstention.sure_above is not None) is proved
    unsure = calibration.answer(logits, found).unsure
    assert unsure.dtype == bool and unsure.all() != proved
    assert found.abstention.sure == (count if proved else 0)
    if proved:
        assert found.notes() == []
    else:
        assert found.notes() == [
            "serving.abstain: accuracy 0.99 is not proved by 298 validation pictures (it takes "
            "299, all of them right), so the model is unsure of every picture"
        ]


def test_copies_are_not_among_the_pictures_that_a_note_counts():
    found = Calibration(
        abstention=Abstention(0.99, 0.95, None, 0, 0, 0.0),
        label_sets=LabelSets(0.99, None, 3.0, 1.0),
        pictures=90,
        copies=7,
        missing=("cat", "fox"),
    )
    missing, abstain, label_set = found.notes()
    assert missing.startswith("serving: no validation picture of cat, fox, so")
    assert "not proved by 90 validation pictures (it takes 299" in abstain
    assert "takes 99 validation pictures and there are 90" in label_set


def test_it_is_sure_of_as_many_as_are_proved_and_their_bound_is_kept():
    sure = np.linspace(9, 0.1, 400)
    right = np.arange(400) < 250  # the surest are right
    found = learn(*binary(sure, right), classes=CLASSES[:2], abstain={"accuracy": 0.95})
    abstention = found.abstention
    assert 240 <= abstention.sure <= 260 and abstention.right == min(250, abstention.sure)
    assert abstention.proved == lower_bound(abstention.right, abstention.sure, 0.95) >= 0.95
    unsure = calibration.answer(binary(sure, right)[0], found).unsure
    assert unsure.tolist() == [row >= abstention.sure for row in range(400)]


def test_a_wrong_label_among_the_surest_of_many_does_not_end_it():
    sure = np.linspace(9, 0.1, 1200)
    right = np.arange(1200) != 3
    found = learn(*binary(sure, right), classes=CLASSES[:2], abstain={"accuracy": 0.99})
    assert found.abstention.sure == 1200


def test_where_there_are_several_beginnings_each_has_its_part_of_the_error():
    right = (np.arange(1000) < 500) | (np.arange(1000) % 6 != 0)
    logits, labels = binary(np.linspace(9, 0.1, 1000), right)
    found = learn(logits, labels, classes=CLASSES[:2], abstain={"accuracy": 0.9})
    of_all = [lower_bound(int(right.sum()), 1000, 1 - error) for error in (0.05 / 3, 0.05)]
    assert of_all[0] < 0.9 < of_all[1] and 900 <= found.abstention.sure < 1000


@pytest.mark.parametrize("accuracy", [0.8, 0.95])
@pytest.mark.parametrize("count", [150, 1000])
def test_the_accuracy_when_sure_is_missed_no_more_often_than_promised(count, accuracy):
    """A model that is a little too sure of itself, as they are."""
    random = np.random.default_rng(3)
    runs, missed = 200, 0

    def draw(number):
        sure = np.abs(random.normal(2.0, 2.0, number))
        chance = scipy.special.expit(0.9 * sure - 0.1)
        return sure, chance, random.random(number) < chance

    all_sure, chance, _ = draw(200_000)
    settings = AbstentionSettings(accuracy=accuracy)
    for _ in range(runs):
        sure, _, right = draw(count)
        above = calibration.find_abstention(*binary(sure, right), settings).sure_above
        missed += above is not None and chance[all_sure > above].mean() < accuracy
    assert missed / runs <= 0.05


def test_at_an_accuracy_that_is_nowhere_reached_it_is_seldom_sure():
    """Just below what is wanted, however sure the model says it is: the worst case."""
    random = np.random.default_rng(4)
    settings, runs = AbstentionSettings(accuracy=0.9), 400
    sure = random.random((runs, 200))
    right = random.random((runs, 200)) < 0.899
    found = [
        calibration.find_abstention(*binary(*one), settings)
        for one in zip(sure, right, strict=True)
    ]
    assert np.mean([one.sure_above is not None for one in found]) <= 0.05


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_label_sets_hold_the_true_class_as_often_as_promised(coverage):
    held, count = [], 60
    for seed in range(200):
        logits, labels = true_to_word(count + 500, seed)
        found = calibration.find_label_sets(logits[:count], labels[:count], coverage)
        sets = calibration.label_sets(logits[count:], found)
        held.append(sets[np.arange(500), labels[count:]].mean())
        assert sets[np.arange(500), logits[count:].argmax(axis=1)].all(), "no set is empty"
    assert coverage - 0.005 < np.mean(held) < coverage + 2 / count


@pytest.mark.parametrize(("coverage", "needed"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_how_many_pictures_a_label_set_takes(coverage, needed):
    assert calibration.label_set_needs(coverage) == needed
    logits, labels = true_to_word(needed, seed=0)
    assert calibration.find_label_sets(logits, labels, coverage).least_log_probability is not None
    found = learn(logits[1:], labels[1:], label_set=coverage) if needed > 1 else None
    if found:
        assert calibration.answer(logits, found).in_label_set.all()
        assert found.notes()[-1] == (
            f"serving.label_set: {coverage:g} takes {needed} validation pictures and there are "
            f"{needed - 1}, so every class is in every label set"
        )


def test_copies_count_once():
    logits, labels = binary(np.linspace(1, 9, 299), np.ones(299))
    groups = [f"g{number // 2}" for number in range(299)]
    found = learn(logits, labels, groups, CLASSES[:2], abstain={"accuracy": 0.99})
    assert (found.pictures, found.copies) == (150, 149)
    assert found.abstention.sure_above is None


def test_a_class_without_validation_pictures_is_named():
    logits, labels = true_to_word(100, seed=0)
    found = learn(logits[labels != 2], labels[labels != 2], calibrate=True, label_set=0.9)
    assert found.missing == ("fox",)
    (note,) = found.notes()
    assert note.startswith("serving: no validation picture of fox, so what was learnt there says")


def test_the_evidence_is_json_without_infinities():
    logits, labels = true_to_word(10, seed=0)
    found = learn(logits, labels, calibrate=True, abstain={"accuracy": 0.9}, label_set=0.99)
    text = json.dumps(found.as_json(), allow_nan=False)
    fields = json.loads(text)
    assert fields["abstention"]["sure_above"] is None and fields["abstention"]["proved"] == 0
    assert fields["label_sets"]["least_log_probability"] is None


def test_what_will_be_too_few_is_foreseen():
    settings = ServingSettings(abstain={"accuracy": 0.99}, label_set=0.95)
    assert calibration.foresee(settings, {"a": 150, "b": 149}) == []
    notes = calibration.foresee(settings, {"a": 5, "b": 6})
    assert notes == [
        "serving.abstain: accuracy 0.99 needs 299 validation pictures, all of them right, and "
        "there are about 11: the model would be unsure of every picture",
        "serving.label_set: 0.95 needs 19 validation pictures and there are about 11: every class "
        "would be in every label set",
    ]


def test_notes_and_forecasts_go_by_the_confidence_that_is_asked_for():
    wanted = {"accuracy": 0.9, "confidence": 0.5}  # 0.9 ** 7 < 0.5 < 0.9 ** 6
    logits, labels = binary(np.linspace(1, 9, 6), np.ones(6))
    (note,) = learn(logits, labels, classes=CLASSES[:2], abstain=wanted).notes()
    assert "(it takes 7, all of them right)" in note
    logits, labels = binary(np.linspace(1, 9, 7), np.ones(7))
    assert learn(logits, labels, classes=CLASSES[:2], abstain=wanted).abstention.sure == 7
    settings = ServingSettings(abstain=wanted, label_set=0.875)
    assert calibration.foresee(settings, {"a": 3, "b": 4}) == []
    assert ["needs 7 " in note for note in calibration.foresee(settings, {"a": 3, "b": 3})] == [
        True,
        True,
    ]


def test_what_is_proved_is_proved_with_the_confidence_that_is_asked_for():
    logits, labels = binary(np.linspace(1, 9, 40), np.ones(40))
    wanted = {"accuracy": 0.9, "confidence": 0.8}
    abstention = learn(logits, labels, classes=CLASSES[:2], abstain=wanted).abstention
    assert (abstention.sure, abstention.right, abstention.confidence) == (40, 40, 0.8)
    assert abstention.proved == lower_bound(40, 40, 0.8)


def test_where_pictures_cannot_be_told_apart_only_those_above_them_count_and_prove_too_little():
    sure = np.repeat([5.0, 2.0], [10, 290])
    found = learn(
        *binary(sure, np.arange(300) < 260), classes=CLASSES[:2], abstain={"accuracy": 0.9}
    )
    assert found.abstention == Abstention(0.9, 0.95, None, 0, 0, 0.0)


def test_it_is_sure_of_all_where_all_are_right_however_torn_it_is():
    logits = np.zeros((60, 3))
    logits[:, 1] = np.linspace(0.01, 0.02, 60)  # less probable than the two others together
    found = learn(logits, np.ones(60, int), abstain={"accuracy": 0.9})
    assert found.abstention.sure == 60
    assert not calibration.answer(logits, found).unsure.any()


def test_sureness_and_label_sets_look_at_the_logits_before_the_temperature():
    found = Calibration(
        temperature=4.0,
        abstention=Abstention(0.9, 0.95, sure_above=2.0, sure=1, right=1, proved=0.9),
        label_sets=LabelSets(0.9, math.log(0.3), mean_size=1.0, validation_coverage=1.0),
    )
    answers = calibration.answer(np.array([[3.0, 0.0], [0.0, 1.0]]), found)
    np.testing.assert_allclose(
        answers.probabilities[:, 1], scipy.special.expit([-0.75, 0.25]), rtol=1e-6
    )
    assert answers.unsure.tolist() == [False, True]
    assert answers.in_label_set.tolist() == [[True, False], [False, True]]


@pytest.mark.parametrize(("coverage", "size", "covered"), [(0.9, 11 / 9, 1.0), (0.8, 1.0, 8 / 9)])
def test_size_and_coverage_of_label_sets_are_those_on_the_validation_pictures(
    coverage, size, covered
):
    """Nine pictures: the least sure is right, the second least is wrong."""
    logits, labels = binary(np.array([0.25, 0.5, *range(1, 8)]), np.arange(9) != 1)
    found = calibration.find_label_sets(logits, labels, coverage)
    assert (found.mean_size, found.validation_coverage) == pytest.approx((size, covered))


def test_what_is_learnt_beside_the_temperature_is_the_same_with_and_without_it():
    logits, labels = true_to_word(1000, seed=5, sharpened=3.0)
    wanted = {"abstain": {"accuracy": 0.85}, "label_set": 0.9}
    alone, beside = (learn(logits, labels, calibrate=on, **wanted) for on in (False, True))
    assert beside.temperature > 2 and alone.temperature is None
    assert alone.abstention == beside.abstention and 0 < alone.abstention.sure < 1000
    assert alone.label_sets == beside.label_sets


def test_a_class_with_one_validation_picture_is_not_missing():
    logits, labels = true_to_word(100, seed=0)
    rows = np.flatnonzero(labels != 2).tolist() + np.flatnonzero(labels == 2)[:1].tolist()
    assert learn(logits[rows], labels[rows], calibrate=True).missing == ()


def test_a_model_that_is_sure_from_even_odds_on_needs_no_note():
    found = Calibration(abstention=Abstention(0.9, 0.95, 0.0, 50, 50, 0.94), pictures=60)
    assert found.notes() == []


def test_of_pictures_that_cannot_be_told_apart_none_is_sure_where_those_above_prove_enough():
    sure = np.concatenate([np.linspace(9, 6, 100), np.full(100, 2.0)])
    logits, labels = binary(sure, np.arange(200) < 120)
    found = learn(logits, labels, classes=CLASSES[:2], abstain={"accuracy": 0.9}).abstention
    assert (found.sure_above, found.sure, found.right) == (2.0, 100, 100)


def test_a_beginning_that_ends_early_takes_nothing_from_one_that_got_further():
    right = ~np.isin(np.arange(200), [52, 55])
    logits, labels = binary(np.linspace(9, 1, 200), right)
    found = learn(logits, labels, classes=CLASSES[:2], abstain={"accuracy": 0.9}).abstention
    assert (found.sure, found.right) == (200, 198)


def test_the_surest_eighth_is_a_beginning_where_it_has_just_enough_pictures():
    needed = pictures_needed(0.9, 1 - 0.05 / 3)
    logits, labels = binary(np.linspace(9, 1, 8 * needed), np.arange(8 * needed) < needed)
    found = learn(logits, labels, classes=CLASSES[:2], abstain={"accuracy": 0.9}).abstention
    assert (found.sure, found.right) == (needed, needed)


def test_a_share_that_is_no_binary_fraction_leaves_out_no_picture_more():
    """0.55 of 99 + 1 is 55, and in floating point a little more."""
    logits, labels = binary(np.linspace(1, 9, 99), np.ones(99))
    own = scipy.special.log_softmax(logits, axis=1).max(axis=1)
    found = calibration.find_label_sets(logits, labels, 0.55)
    assert found.least_log_probability == np.sort(own)[44]
