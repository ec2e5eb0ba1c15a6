"""Figures, diagrams and lists of the pages, against the code that they tell of."""

import io
import itertools
import re
import statistics
from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image

from components import features, pixels
from components.trainer.settings.backbones import BACKBONES, SAVED_MODEL_BACKBONE
from pipeline import run_events
from pipeline.commands import predict_output
from pipeline.config import load_recipe
from pipeline.pipeline import create_pipeline

pytestmark = pytest.mark.one_line


def edges(diagram: str) -> set[tuple[str, str]]:
    """The arrows of a Mermaid flowchart with chains and `&`."""
    found = set()
    for line in diagram.splitlines():
        groups = [[name.strip() for name in part.split("&")] for part in line.split("-->")]
        for left, right in itertools.pairwise(groups):
            found |= {(a, b) for a in left for b in right}
    return found


def test_arrows_of_chains_and_groups():
    assert edges("flowchart LR\n  A & B --> C --> D") == {("A", "C"), ("B", "C"), ("C", "D")}


def test_the_diagram_is_that_of_the_wired_pipeline(readme):
    pipeline = create_pipeline(
        load_recipe("digits"), pipeline_root="", push_destination="", schema_file=""
    )
    wired = {
        (producer.id, node.id) for node in pipeline.components for producer in node.upstream_nodes
    }
    (diagram,) = re.findall(r"```mermaid\n(.*?)```", readme.text, re.DOTALL)
    assert edges(diagram) == wired


def test_networks_are_counted(readme):
    (count,) = re.findall(r"one of (\d+) networks of `keras.applications`", readme.text)
    assert int(count) == len(BACKBONES.keys() - {SAVED_MODEL_BACKBONE})


def test_signatures_are_those_of_the_export(docs):
    rows = {row[0].strip("`"): row[1:] for row in docs["serving"].rows("Signatures")[1:]}
    assert list(rows) == [
        features.SERVING_SIGNATURE,
        features.EXAMPLES_SIGNATURE,
        features.TRANSFORM_SIGNATURE,
        features.EXPLAIN_SIGNATURE,
    ]
    inputs = [re.match(r"`(\w+)`", row[0])[1] for row in rows.values()]
    image, example = features.IMAGE_BYTES, features.EXAMPLES
    assert inputs == [image, example, example, image]
    assert f"`{features.HEAT_MAP}`" in rows[features.EXPLAIN_SIGNATURE][1]
    outputs = re.findall(r"`(\w+)`", rows[features.SERVING_SIGNATURE][1])
    assert outputs == [
        features.PREDICTED_LABEL,
        features.PROBABILITY,
        features.PROBABILITIES,
        features.CLASSES,
    ]


def test_events_and_columns_for_programs_are_those_of_the_code(docs):
    source = Path(run_events.__file__).read_text("utf-8")
    told = [row[0].strip("`") for row in docs["programs"].rows("Events of a run")[1:]]
    assert sorted(told) == sorted(set(re.findall(r'_print\(\s*"(\w+)"', source)))
    columns = re.search(r"`--csv` prints the columns (.*?);", docs["programs"].text, re.DOTALL)[1]
    assert [n for n in re.findall(r"`(\w+)`", columns) if n not in ("true", "false")] == [
        *predict_output.Csv.COLUMNS
    ]


def test_the_formats_that_are_served_are_those_told(docs):
    """What the table names is decoded; what else ingestion reads is refused."""
    told = " ".join(row[1] for row in docs["serving"].rows("Signatures"))
    for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"):
        file = io.BytesIO()
        Image.new("RGB", (40, 40), (200, 30, 60)).save(file, kind)
        if kind in told:
            assert pixels.decode(file.getvalue(), (40, 40)).shape == (40, 40, 3)
        else:
            with pytest.raises(tf.errors.InvalidArgumentError):
                pixels.decode(file.getvalue(), (40, 40))


def test_the_layout_is_that_of_the_tree(readme):
    told = re.findall(r"^    (\w+)/ ", readme.section("Layout"), re.MULTILINE)
    root = readme.path.parent
    made_by_tools = {"build", "dist", "runs", "shared"}
    folders = {
        path.name
        for path in root.iterdir()
        if path.is_dir() and path.name[0] not in "._" and not path.name.endswith(".egg-info")
    }
    assert set(told) == folders - made_by_tools


def test_the_runs_shown_are_means_of_the_benchmark(readme, benchmarks):
    rows = {row[0]: row[1:] for row in benchmarks.rows("Results")}

    def mean(cells, part=0):
        return statistics.mean(float(cell.split("/")[part]) for cell in cells[:3])

    script, graft = mean(rows["script, s"]), mean(rows["Graft, whole pipeline / its Trainer, s"])
    figures = {row[0]: row[1] for row in readme.rows("Figures")[1:]}
    (of_script,) = [text for name, text in figures.items() if "Keras script" in name]
    (of_graft,) = [text for name, text in figures.items() if "gates included" in name]
    assert of_script.startswith(f"{script:.0f} s;")
    ratio, trainer_ratio = (
        rows[f"{name} / script"][3].strip("*") for name in ("whole pipeline", "Trainer")
    )
    says = (
        f"{graft:.0f} s, {float(ratio):.2f} of the script (its Trainer {float(trainer_ratio):.2f});"
    )
    assert of_graft.startswith(says)
    last, best = (rows[f"validation, unfrozen, {which} epoch"] for which in ("last", "best"))
    test = rows["test (about 200 pictures)"]
    assert f"validation {last[0]} (last epoch; best {best[0]}), test {test[0]}" in of_script
    assert f"validation {best[1]} (best epoch, which is exported; last {last[1]})" in of_graft
    assert of_graft.endswith(f"test {test[1]}")
