"""The linear probe, on features in which the classes are known."""

import numpy as np
import pytest

from components import progress
from components.trainer import linear_probe
from components.trainer.linear_probe import PATH, fit, fit_path, out_of_fold_probabilities


@pytest.fixture
def blobs():
    """`blobs(counts)`: features float32 [pictures, 20] about a centre per class, and labels."""

    def make(*counts: int, spread: float = 1.0):
        rng = np.random.default_rng(3)
        centres = np.random.default_rng(1).normal(0, 2, (len(counts), 20))
        labels = np.repeat(np.arange(len(counts)), counts)
        features = centres[labels] + rng.normal(0, spread, (len(labels), 20))
        order = rng.permutation(len(labels))
        return features[order].astype(np.float32), labels[order]

    return make


def own_groups(labels) -> list[str]:
    return [str(row) for row in range(len(labels))]


@pytest.mark.parametrize("counts", [(60, 40), (40, 30, 50)])
def test_a_head_knows_the_classes(blobs, counts):
    features, labels = blobs(*counts)
    probabilities = fit(features, labels, len(counts)).probabilities(features)
    assert probabilities.shape == (len(labels), len(counts))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities.argmax(axis=1) == labels).all()


def test_the_unit_of_a_feature_does_not_matter(blobs):
    features, labels = blobs(60, 40)
    other = features * np.float32([1000, *[1] * 19]) + np.float32(5)
    np.testing.assert_allclose(
        fit(other, labels, 2).probabilities(other),
        fit(features, labels, 2).probabilities(features),
        atol=1e-3,
    )


def test_a_feature_that_is_always_the_same_is_left_out(blobs):
    features, labels = blobs(60, 40)
    features[:, 5] = 7.0
    assert np.isfinite(fit(features, labels, 2).probabilities(features)).all()


def test_a_class_without_pictures_has_no_probability(blobs):
    features, labels = blobs(30, 30)
    probabilities = fit(features, labels * 2, 3).probabilities(features)
    assert (probabilities[:, 1] == 0).all() and (probabilities[:, [0, 2]] > 0).all()


def test_nobody_judges_a_label_that_it_has_learned(blobs):
    """Features that say nothing: who has seen them knows the labels, who has not guesses."""
    features, labels = blobs(50, 50)
    features = np.random.default_rng(0).normal(0, 1, (100, 400)).astype(np.float32)
    seen = fit(features, labels, 2).probabilities(features).argmax(axis=1) == labels
    unseen = out_of_fold_probabilities(features, labels, own_groups(labels), 2)
    assert seen.mean() > 0.9 and 0.3 < (unseen.argmax(axis=1) == labels).mean() < 0.7


def test_a_copy_does_not_confirm_a_wrong_label(blobs):
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (60, 400)).astype(np.float32)
    labels = rng.permutation(np.repeat([0, 1], 30))
    features, labels = np.repeat(features, 2, axis=0), np.repeat(labels, 2)
    groups = [str(row // 2) for row in range(120)]

    def right(groups) -> float:
        found = out_of_fold_probabilities(features, labels, groups, 2)
        return (found.argmax(axis=1) == labels).mean()

    assert right(own_groups(labels)) > 0.75 and 0.3 < right(groups) < 0.7


def test_a_class_that_no_other_fold_has_is_not_judged(blobs):
    features, labels = blobs(40, 40, 4)
    groups = [f"copies of {label}" if label == 2 else str(row) for row, label in enumerate(labels)]
    probabilities = out_of_fold_probabilities(features, labels, groups, 3)
    assert np.isnan(probabilities[labels == 2]).all()
    assert np.isfinite(probabilities[labels != 2]).all()


def test_where_the_other_folds_have_one_class_alone_nothing_is_judged(blobs):
    features, labels = blobs(40, 4)
    groups = ["copies" if label else str(row) for row, label in enumerate(labels)]
    probabilities = out_of_fold_probabilities(features, labels, groups, 2)
    assert np.isnan(probabilities[labels == 1]).all()
    assert np.isfinite(probabilities[labels == 0]).any()


def test_a_class_of_two_pictures_is_judged(blobs):
    features, labels = blobs(40, 40, 2, spread=0.5)
    told = []
    with progress.watched_by(told.append):
        probabilities = out_of_fold_probabilities(features, labels, own_groups(labels), 3)
    assert np.isfinite(probabilities).all()
    assert [(step.done, step.total) for step in told] == [(fold, 5) for fold in range(1, 6)]


def test_the_two_pictures_of_a_class_are_not_dealt_to_one_fold(blobs):
    features, labels = blobs(*[2] * 30)
    probabilities = out_of_fold_probabilities(features, labels, own_groups(labels), 30)
    assert np.isfinite(probabilities).all()


@pytest.mark.parametrize("most", [4, 2])
def test_where_no_class_has_five_pictures_there_are_fewer_folds(blobs, most):
    features, labels = blobs(most, most, 2, spread=0.1)
    told = []
    with progress.watched_by(told.append):
        probabilities = out_of_fold_probabilities(features, labels, own_groups(labels), 3)
    judged = ~np.isnan(probabilities[:, 0])
    assert judged.any()
    assert (probabilities[judged].argmax(axis=1) == labels[judged]).all()
    assert [(step.done, step.total) for step in told] == [(n, most) for n in range(1, most + 1)]


def test_classes_of_one_picture_each_are_not_judged(blobs):
    features, labels = blobs(1, 1, 1)
    assert np.isnan(out_of_fold_probabilities(features, labels, own_groups(labels), 3)).all()


def test_the_same_seed_gives_the_same(blobs):
    features, labels = blobs(40, 40, spread=4.0)
    first, again, other = (
        out_of_fold_probabilities(features, labels, own_groups(labels), 2, seed)
        for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_path_goes_from_large_penalties_to_small_ones_through_that_of_one_fit(blobs):
    features, labels = blobs(30, 20, 25, spread=4.0)
    found = [head.probabilities(features) for head in fit_path(features.copy(), labels, 3)]
    assert len(found) == len(PATH)
    sureness = [one.max(axis=1).mean() for one in found]
    assert sureness == sorted(sureness)
    middle = fit(features, labels, 3).probabilities(features)
    distances = [np.abs(one - middle).max() for one in found]
    assert np.argmin(distances) == PATH.index(2.0) and min(distances) < 0.01


def test_a_picture_that_counts_twice_is_as_one_that_is_there_twice(blobs):
    features, labels = blobs(30, 20, spread=4.0)
    features -= features.mean(axis=0)
    features /= features.std(axis=0)
    # The rows in pairs, so that mean and deviation of the features stay what they are.
    features = np.concatenate([features, -features])
    labels = np.concatenate([labels, labels[::-1]])
    twice = np.concatenate([features, features])
    weighted = list(fit_path(features.copy(), labels, 2, np.full(100, 2.0)))[4]
    doubled = list(fit_path(twice.copy(), np.tile(labels, 2), 2))[4]
    plain = list(fit_path(features.copy(), labels, 2))[4]
    answers = [head.probabilities(features) for head in (weighted, doubled, plain)]
    np.testing.assert_allclose(answers[0], answers[1], atol=2e-3)
    assert np.abs(answers[0] - answers[2]).max() > 0.01


def test_each_penalty_of_the_path_begins_where_the_one_before_it_ended(blobs, monkeypatch):
    features, labels = blobs(60, 40, 50, spread=4.0)
    solvers, solve = [], linear_probe._solve
    monkeypatch.setattr(
        linear_probe, "_solve", lambda solver, *data: (solve(solver, *data), solvers.append(solver))
    )
    along = [solvers[-1].n_iter_[0] for _ in fit_path(features.copy(), labels, 3)]
    anew = []
    for strength in PATH:
        monkeypatch.setattr(linear_probe, "_C", strength)
        fit(features, labels, 3)
        anew.append(solvers[-1].n_iter_[0])
    assert sum(along) < sum(anew)
