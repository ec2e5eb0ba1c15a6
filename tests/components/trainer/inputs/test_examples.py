"""Batches: every picture once an epoch, another view each time, reproducible from the seed."""

import itertools

import numpy as np
import pytest
import tensorflow_transform as tft

from components.trainer.inputs import examples
from components.trainer.inputs.examples import (
    ExampleReader,
    count_examples,
    count_labels,
    encoded_picture,
    find_records,
    records,
    text_features,
)

BATCH = 10
COUNT = 48
STEPS = 5


@pytest.fixture(scope="module")
def reader(analyzed):
    return ExampleReader(tft.TFTransformOutput(analyzed.folder), BATCH)


@pytest.fixture(scope="module")
def trained(reader, analyzed):
    """The first three epochs of a training."""
    return epochs(reader.training_batches([analyzed.file], COUNT, seed=0), 3)


@pytest.fixture(scope="module")
def plain(reader, analyzed):
    """Pixels and labels as they are, in the files' order."""
    return joined(reader.view_batches([analyzed.file], COUNT))


def joined(batches):
    return [np.concatenate(part) for part in zip(*batches, strict=True)]


def epochs(dataset, number):
    """Lists of (pixels, label) arrays, one list per epoch."""
    batches = [(x.numpy(), y.numpy()) for x, y in itertools.islice(dataset, number * STEPS)]
    return [batches[i * STEPS : (i + 1) * STEPS] for i in range(number)]


def fingerprints(epoch):
    """One hash per picture: equal pixels, equal hash."""
    return [hash(pixels.tobytes()) for x, _ in epoch for pixels in x]


def test_examples_are_counted(analyzed):
    assert count_examples([analyzed.file]) == COUNT
    assert count_examples([analyzed.file] * 22) == 22 * COUNT > 1024
    assert count_examples([]) == 0


def test_one_trace_of_the_transform_graph_serves_all_datasets(analyzed):
    reader = ExampleReader(tft.TFTransformOutput(analyzed.folder), BATCH)
    files = [analyzed.file]
    (record,) = records(files).take(1).as_numpy_iterator()
    for views in ([0], [0, 1]):
        reader.views(record, views)
    next(iter(reader.training_batches(files, COUNT, seed=0)))
    next(iter(reader.with_batch_size(3).view_batches(files, COUNT)))
    assert reader._transform.experimental_get_tracing_count() == 1


def test_what_a_model_labelled_comes_from_the_beginning_of_an_epoch(reader, analyzed, monkeypatch):
    monkeypatch.setattr(examples, "_SHUFFLE_BUFFER", 2)
    files, rows = [analyzed.file, analyzed.file], np.arange(2 * COUNT)

    def places(first_epoch):
        batches = reader.training_batches(files, 2 * COUNT, 0, first_epoch, rows, own_count=COUNT)
        return np.concatenate([y.numpy() for _, y in itertools.islice(batches, 10)])

    first, second = places(0), places(1)
    assert sorted(first) == sorted(second) == rows.tolist()
    for epoch in (first, second):
        assert 12 < (epoch[:COUNT] >= COUNT).sum() < 36
    assert (places(1) == second).all() and not (first == second).all()


def test_few_that_a_model_labelled_are_spread_over_the_epoch(analyzed, monkeypatch, reader):
    monkeypatch.setattr(examples, "_SHUFFLE_BUFFER", 1)
    count, own = 5 * COUNT, COUNT
    rows = np.arange(count)
    batches = reader.training_batches([analyzed.file] * 5, count, 0, 0, rows, own_count=own)
    epoch = np.concatenate([y.numpy() for _, y in itertools.islice(batches, count // BATCH)])
    assert sorted(epoch) == rows.tolist()
    labelled_itself = epoch >= count - own
    quarters = [part.sum() for part in np.split(labelled_itself, 4)]
    assert min(quarters) >= 5 and max(quarters) <= 20, "a fifth of the pictures throughout"


def test_an_epoch_holds_every_picture_once(trained):
    for epoch in trained:
        assert [len(y) for _, y in epoch] == [10, 10, 10, 10, 8]
        assert np.bincount(np.concatenate([y for _, y in epoch])).tolist() == [16, 16, 16]
        assert len(set(fingerprints(epoch))) == COUNT


def test_each_epoch_has_new_views_in_a_new_order(trained):
    first, second, _ = trained
    assert not set(fingerprints(first)) & set(fingerprints(second))
    assert [y.tolist() for _, y in first] != [y.tolist() for _, y in second]


def test_targets_in_place_of_labels_stay_with_their_pictures(reader, analyzed):
    files, rows = [analyzed.file], np.arange(COUNT, dtype=np.float32)
    first_views = np.concatenate([x for x, _ in reader.view_batches(files, COUNT, (1,))])
    targets = np.stack([rows, -rows], axis=1)
    (epoch,) = epochs(reader.training_batches(files, COUNT, seed=0, targets=targets), 1)
    pixels, given = joined(epoch)
    assert sorted(given[:, 0]) == rows.tolist() and given[:, 0].tolist() != rows.tolist()
    np.testing.assert_array_equal(given[:, 1], -given[:, 0])
    # Batches of other sizes go through other vector instructions: the last bit may differ.
    np.testing.assert_allclose(pixels, first_views[given[:, 0].astype(int)], atol=1e-5)


def test_targets_go_with_the_view_of_their_epoch(reader, analyzed):
    files, rows = [analyzed.file], np.arange(COUNT, dtype=np.float32)
    views = np.concatenate([x for x, _ in reader.view_batches(files, COUNT, (3,))])
    batches = reader.training_batches(files, COUNT, 0, first_epoch=2, targets=rows)
    pixels, given = next(iter(batches))
    np.testing.assert_allclose(pixels, views[given.numpy().astype(int)], atol=1e-5)


def test_the_seed_fixes_order_and_pixels(reader, analyzed, trained):
    files, (one, *_) = [analyzed.file], trained
    (same,), (other,) = (epochs(reader.training_batches(files, COUNT, seed), 1) for seed in (0, 5))
    assert fingerprints(one) == fingerprints(same)
    assert fingerprints(one) != fingerprints(other)


def test_validation_is_every_picture_as_it_is_in_order(reader, analyzed, plain):
    pixels, labels = plain
    output = tft.TFTransformOutput(analyzed.folder)
    names = [output.vocabulary_by_name("labels")[i].decode() for i in labels]
    assert names == [label for _, label in analyzed.pictures]
    assert np.abs(pixels).max() <= 1.0 + 1e-6
    again, _ = next(iter(reader.view_batches([analyzed.file], COUNT)))
    np.testing.assert_array_equal(pixels[:BATCH], again)


def test_all_views_of_a_picture_are_in_one_batch_and_those_that_it_has_alone(
    reader, analyzed, plain
):
    files, views = [analyzed.file], (2, 0, 1)
    batches = list(reader.view_batches(files, COUNT, views))
    assert [len(y) for _, y in batches] == [BATCH // 3 * 3] * (COUNT // (BATCH // 3))
    pixels, labels = joined(batches)
    for place, view in enumerate(views):
        alone = plain if view == 0 else joined(reader.view_batches(files, COUNT, (view,)))
        expected, numbers = alone
        # Batches of other sizes go through other vector instructions: the last bit may differ.
        np.testing.assert_allclose(pixels[place::3], expected, atol=1e-5)
        np.testing.assert_array_equal(labels[place::3], numbers)
    assert not np.array_equal(pixels[0::3], pixels[1::3])


def test_more_views_than_a_batch_has_pictures(reader, analyzed):
    alone = reader.with_batch_size(2).view_batches([analyzed.file], COUNT, (1, 2, 3))
    assert [len(y) for _, y in alone] == [3] * COUNT


def test_no_batches_wait_for_a_tuner(reader, analyzed):
    files = [analyzed.file]
    for dataset in (reader.view_batches(files, COUNT), reader.training_batches(files, COUNT, 0)):
        assert dataset.options().autotune.enabled is False


def test_training_can_begin_at_a_later_epoch(reader, analyzed, trained):
    (later,) = epochs(reader.training_batches([analyzed.file], COUNT, 0, first_epoch=2), 1)
    assert fingerprints(later) == fingerprints(trained[2])


def test_labels_are_counted_by_class(analyzed):
    each = 22 * 16
    assert count_labels([analyzed.file] * 22) == {"bar": each, "disc": each, "frame": each}


def test_the_same_reader_with_other_batches(reader, analyzed):
    sizes = [len(y) for _, y in reader.with_batch_size(32).view_batches([analyzed.file], COUNT)]
    assert sizes == [32, 16]
    assert len(next(iter(reader.view_batches([analyzed.file], COUNT)))[1]) == BATCH


def test_texts_are_in_the_files_order(analyzed):
    texts = text_features([analyzed.file], ("label", "path"))
    names = [name for _, name in analyzed.pictures]
    assert texts == {"label": names, "path": [f"{name}/picture" for name in names]}


def test_a_picture_is_found_by_its_content(analyzed):
    ids = text_features([analyzed.file], ["image_id"])["image_id"]
    found = find_records([analyzed.file], {ids[5], ids[40], "none"})
    assert found.keys() == {ids[5], ids[40]}
    assert encoded_picture(found[ids[40]]) == analyzed.pictures[40][0]


def test_views_of_one_picture_are_those_of_a_training(reader, analyzed):
    ids = text_features([analyzed.file], ["image_id"])["image_id"]
    (record,) = find_records([analyzed.file], {ids[7]}).values()
    views = reader.views(record, [0, 1, 2])
    batches = [x.numpy() for x, _ in reader.view_batches([analyzed.file], COUNT, [0, 1, 2])]
    expected = np.concatenate(batches)[3 * 7 : 3 * 8]
    np.testing.assert_allclose(views, expected, atol=1e-5)
    np.testing.assert_allclose(reader.views(record, [2, 0]), expected[[2, 0]], atol=1e-5)
