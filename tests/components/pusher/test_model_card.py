"""The model card of a version."""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from components.gates import Gate
from components.pusher import model_card

pytestmark = pytest.mark.one_line

EVIL = "<img src=x>|`*\x1b[31m\u202e"
NAN = float("nan")
GATES = [
    Gate("accuracy", "pass", 0.9, 0.8, "0.9 of 10", (0.7, 0.99), 10),
    Gate(EVIL, "warn", None, None, EVIL),
]
METRICS = {
    "classes": ["cat", EVIL],
    "overall": {"accuracy": 0.75, "loss": NAN, "example_count": 4.0},
    "served": {"accuracy": 0.5},
    "per_class": {
        "cat": {"precision": 1.0, "recall": 1.0, "interval": [0.2924, 1.0], "count": 3},
        EVIL: {"precision": 0.0, "recall": NAN, "interval": [0.0, 1.0], "count": 0},
    },
}
PROVENANCE = {
    "recipe": {
        "name": "pets",
        "seed": 3,
        "data": {"source": "my pets"},
        "backbone": {
            "name": "MobileNetV2",
            "alpha": 0.35,
            "image_size": 160,
            "weights": "imagenet",
        },
    },
    "versions": {"graft": "0.1.0", "tfx": "1.21.0"},
    "git": {"revision": "abc123", "dirty": True},
}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (NAN, "–"), (0.0, "0"), (0, "0"), (math.inf, "–"), (-math.inf, "–"), (3, "3"),
     (1234.0, "1,234"), (0.95549, "0.9555"), (1e-7, "1e-07")],
)  # fmt: skip
def test_a_figure_is_short_and_one_that_is_none_is_a_dash(value, shown):
    card = model_card.make_card({}, [Gate("loss", "fail", value, 1.0, "")], {}, {}, "0f")
    assert f"| no | loss | {shown} |  | 1 |  |" in card


@pytest.fixture
def card():
    return model_card.make_card(PROVENANCE, GATES, METRICS, {"train": {"cat": 5}}, "0f" * 32)


def test_the_hub_can_read_its_metadata(card):
    _, block, body = card.split("---\n", 2)
    metadata = yaml.safe_load(block)
    assert metadata["pipeline_tag"] == "image-classification"
    (model,) = metadata["model-index"]
    (result,) = model["results"]
    assert model["name"] == "pets" and result["dataset"]["split"] == "test"
    assert result["metrics"] == [{"type": "accuracy", "value": 0.75}], "NaN is no metric"
    assert body.lstrip().startswith("# pets")


def test_it_tells_what_was_measured_and_decided(card):
    head = "| metric | value | served before |\n| --- | --- | --- |\n"
    assert f"{head}| accuracy | 0.75 | 0.5 |" in card
    assert "| cat | 3 | 1 | 0.2924 … 1 | 1 |" in card
    assert "| 0 | – | – | 0 |" in card, "of no picture nothing is proved"
    assert " | – |  | – | " in card, "nor of a gate without a figure"
    assert "| yes | accuracy | 0.9 | 0.7 … 0.99 | 0.8 | 0.9 of 10 |" in card
    assert "| cat | 5 |" in card and "`abc123`, with changes" in card and "0f0f" in card
    assert "MobileNetV2 alpha 0.35 at 160 px, from the weights imagenet, seed 3." in card
    assert "Pictures of my pets, one split" in card and "TensorFlow SavedModel" in card


def test_names_are_neither_markdown_nor_html(card):
    assert "<img" not in card and "\x1b" not in card and "\u202e" not in card
    assert "&lt;img src=x&gt;\\|\\`\\*\\\\x1b\\[31m\\\\u202e" in card
    assert all(line.endswith(" |") for line in card.splitlines() if line.startswith("|"))


def test_a_name_cannot_hide_in_the_metadata_what_it_says():
    metrics = {**METRICS, "overall": {"accuracy": 0.5, "loss\u202e": 1.0}}
    card = model_card.make_card({"recipe": {"name": "süße pets\u202e"}}, [], metrics, {}, "0f")
    _, block, _ = card.split("---\n", 2)
    assert "\u202e" not in card
    assert yaml.safe_load(block)["model-index"][0]["name"] == "süße pets\\u202e"
    assert "name: süße pets" in block, "as people write it"


@pytest.mark.parametrize(
    ("alpha", "shown"),
    [({}, "MobileNetV2 at"), ({"alpha": 1.0}, "MobileNetV2 at"), ({"alpha": 0.5}, "alpha 0.5 at")],
)
def test_the_width_of_a_network_is_told_where_it_is_not_the_usual_one(alpha, shown):
    backbone = {"name": "MobileNetV2", "image_size": 160, "weights": "imagenet", **alpha}
    recipe = {**PROVENANCE["recipe"], "backbone": backbone}
    card = model_card.make_card({"recipe": recipe}, [], {}, {}, "0f")
    assert f"{shown} 160 px" in card


def test_a_class_that_is_in_one_split_alone_has_a_row():
    card = model_card.make_card({}, [], {}, {"train": {"cat": 5}, "test": {"dog": 1}}, "0f")
    assert "| class | train | test |" in card
    assert "| cat | 5 | 0 |\n| dog | 0 | 1 |\n| all | 5 | 1 |" in card
    assert "Pictures of the source, one split" in card


def test_two_hundred_classes_are_all_of_them():
    names = [f"class {number:03d}" for number in range(200)]
    card = model_card.make_card({}, [], {**METRICS, "classes": names}, {}, "0f")
    assert f"{', '.join(names)}." in card


def test_quotation_marks_can_be_read():
    gates = [Gate("parity", "pass", None, None, 'it\'s no "cat"')]
    card = model_card.make_card({}, gates, {}, {}, "0f")
    assert '| it\'s no "cat" |' in card


def test_what_is_not_known_is_left_out():
    card = model_card.make_card({}, [], {}, {}, "0f")
    assert (
        "\n# model\n" in card
        and "## Evaluation" not in card
        and "## Data" not in card
        and "model-index" not in card
    )
    assert "\n\n\n" not in card and "- SHA-256 of the model: `0f`" in card


def test_metrics_and_counts_come_from_the_evidence(tmp_path):
    assert model_card.read_metrics(tmp_path) == {} and model_card.count_pictures(tmp_path) == {}
    (tmp_path / "metrics.json").write_text(json.dumps({"overall": {}}))
    rows = {
        "split": ["unlabelled", "train", "test", "train"],
        "label": ["", "cat", "cat", "dog"],
    }
    pq.write_table(pa.table(rows), tmp_path / "pictures.parquet")
    assert model_card.read_metrics(tmp_path) == {"overall": {}}
    counts = model_card.count_pictures(tmp_path)
    assert counts == {"train": {"cat": 1, "dog": 1}, "test": {"cat": 1}}
    assert list(counts) == ["train", "test"], "in the order that splits have everywhere"


def test_classes_are_listed_by_recall_and_up_to_two_hundred():
    names = [f"class {number:03d}" for number in range(202)]
    recalls = [number / 1000 for number in range(1, 202)] + [NAN]
    per_class = {
        name: {"precision": 0.5, "recall": recall, "interval": [0.0, 0.5], "count": 10}
        for name, recall in zip(names, recalls, strict=True)
    }
    counts = {"train": dict.fromkeys(names, 3), "test": dict.fromkeys(names[1:], 1)}
    metrics = {**METRICS, "classes": names, "per_class": per_class}
    card = model_card.make_card(PROVENANCE, [], metrics, counts, "0f")
    assert "It knows 202 classes" in card and "class 199 and 2 more." in card
    rows = [line for line in card.splitlines() if line.startswith("| class ")]
    of_data = [row for row in rows if row.count("|") == 4]
    of_classes = [row for row in rows if row.count("|") == 6 and "| 10 |" in row]
    assert of_data[1:] == [
        "| class 000 | 3 | 0 |",
        *(f"| {name} | 3 | 1 |" for name in names[1:200]),
    ]
    assert "| all | 606 | 201 |" in card
    shown = [row.split(" | ")[0].removeprefix("| ") for row in of_classes]
    assert shown == names[:200], "nothing is known of the last one"


def test_where_nothing_was_served_before_there_is_no_column_for_it():
    card = model_card.make_card({}, [], {**METRICS, "served": {}}, {}, "0f")
    assert "| metric | value |\n| --- | --- |\n| accuracy | 0.75 |\n" in card


def test_a_clean_revision_is_told_without_a_word():
    clean = {**PROVENANCE, "git": {"revision": "abc123", "dirty": False}}
    card = model_card.make_card(clean, [], {}, {}, "0f")
    assert "- Git revision `abc123`\n" in card and "- tfx 1.21.0" in card
