"""The wiring: which nodes there are, and which pictures each of them reads."""

import json

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration.portable import partial_run_utils

from components import features
from components.settings import SETTINGS_KEY
from pipeline import node_ids
from pipeline import pipeline as module
from pipeline.config import load_recipe
from pipeline.pipeline import create_pipeline


def make(*overrides: str, **options):
    """The pipeline of a recipe."""
    return create_pipeline(
        load_recipe("digits", overrides),
        pipeline_root="root",
        push_destination="serving",
        schema_file="schema.pbtxt",
        **options,
    )


def wired(*overrides: str, **options):
    """The nodes of a recipe by name."""
    return {node.id: node for node in make(*overrides, **options).components}


@pytest.fixture(scope="module")
def nodes():
    return wired()


def test_the_names_of_the_nodes(nodes):
    assert set(nodes) == set(node_ids.ALL) and len(node_ids.ALL) == len(nodes)


def splits(node) -> list[str]:
    text = node.exec_properties["example_splits"]
    return json.loads(text) if isinstance(text, str) else list(text)


def test_each_node_reads_its_own_split(nodes):
    trainer = nodes[node_ids.TRAINER].exec_properties
    assert json.loads(trainer["train_args"])["splits"] == [features.TRAIN]
    assert json.loads(trainer["eval_args"])["splits"] == [features.VALIDATION]
    assert splits(nodes[node_ids.EVALUATOR]) == [features.TEST]
    assert nodes[node_ids.SERVING_GATE].exec_properties["split"] == features.TEST
    config = json.loads(nodes[node_ids.TRANSFORM].exec_properties["splits_config"])
    assert config["analyze"] == [features.TRAIN]


def test_unlabelled_pictures_are_for_the_trainer_alone(tmp_path):
    nodes = wired(f"pseudo_labels.source={tmp_path}")
    trainer = nodes[node_ids.TRAINER].exec_properties
    assert json.loads(trainer["train_args"])["splits"] == [features.TRAIN, features.UNLABELLED]
    statistics = nodes[node_ids.STATISTICS_GEN].exec_properties
    assert json.loads(statistics["exclude_splits"]) == [features.UNLABELLED]
    assert splits(nodes[node_ids.EVALUATOR]) == [features.TEST]


@pytest.mark.parametrize("node_id", [node_ids.TRANSFORM, node_ids.TRAINER])
def test_our_code_in_nodes_of_tfx_carries_its_digest(nodes, node_id):
    config = json.loads(nodes[node_id].exec_properties["custom_config"])
    assert len(config["code_digest"]) == 64


def test_the_gates_and_what_the_model_was_compared_with_are_upstream_of_the_push(nodes):
    inputs = nodes[node_ids.PUSHER].inputs
    assert {key: channel.producer_component_id for key, channel in inputs.items()} == {
        "model": node_ids.TRAINER,
        "model_blessing": node_ids.EVALUATOR,
        "infra_blessing": node_ids.SERVING_GATE,
        "data_blessing": node_ids.DATA_GATE,
        "baseline": node_ids.BASELINE_FINDER,
    }
    compared = nodes[node_ids.EVALUATOR].inputs["baseline_model"]
    assert compared.producer_component_id == node_ids.BASELINE_FINDER


def test_the_data_are_judged_before_the_training_and_are_no_input_of_it(nodes):
    trainer = nodes[node_ids.TRAINER]
    assert nodes[node_ids.DATA_GATE] in trainer.upstream_nodes
    producers = {channel.producer_component_id for channel in trainer.inputs.values()}
    assert producers == {node_ids.IMAGE_EXAMPLE_GEN, node_ids.TRANSFORM}


def test_a_partial_run_takes_a_node_and_all_that_it_needs():
    compiled = Compiler().compile(make())
    partial_run_utils.mark_pipeline(compiled, to_nodes=[node_ids.TRANSFORM])
    marked = [node.pipeline_node for node in compiled.nodes]
    assert {n.node_info.id for n in marked if n.execution_options.HasField("run")} == {
        node_ids.IMAGE_EXAMPLE_GEN,
        node_ids.IMPORT_SCHEMA_GEN,
        node_ids.TRANSFORM,
    }


GIVEN = {
    name: f"the {name}"
    for name in ("input_fingerprint", "ledger_fingerprint", "served_fingerprint",
                 "weights_fingerprint", "teacher_fingerprint", "provenance", "report")
}  # fmt: skip


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The pipeline of a recipe in which nothing is as it is by default."""
    folder = tmp_path_factory.mktemp("given")
    recipe = load_recipe(
        "digits",
        [
            f"pseudo_labels.source={folder}",
            "data_gate.max_quarantined=0.77",
            "evaluation.most_candidates=77",
            "serving_gate.samples=77",
            "push.sign.key=own.pem",
            "push.allow_taken_back=true",
            "seed=77",
        ],
    )
    pipeline = create_pipeline(
        recipe,
        pipeline_root="the root",
        push_destination="the destination",
        schema_file="the schema",
        beam_pipeline_args=["--of_all"],
        image_beam_args=["--of_pictures"],
        **GIVEN,
    )
    return pipeline, {node.id: node.exec_properties for node in pipeline.components}, folder


@pytest.mark.parametrize(
    ("node_id", "key", "value"),
    [
        (node_ids.IMAGE_EXAMPLE_GEN, "input_fingerprint", "the input_fingerprint"),
        (node_ids.IMAGE_EXAMPLE_GEN, "ledger_fingerprint", "the ledger_fingerprint"),
        (node_ids.IMPORT_SCHEMA_GEN, "schema_file", "the schema"),
        (node_ids.BASELINE_FINDER, "push_destination", "the destination"),
        (node_ids.BASELINE_FINDER, "served_fingerprint", "the served_fingerprint"),
        (node_ids.PUSHER, "push_destination", "the destination"),
        (node_ids.PUSHER, "signing_key", "own.pem"),
        (node_ids.PUSHER, "allow_taken_back", True),
        (node_ids.PUSHER, "provenance", "the provenance"),
        (node_ids.PUSHER, "most_candidates", "77"),
        (node_ids.REPORT, "make", "the report"),
        (node_ids.REPORT, "provenance", "the provenance"),
    ],
)
def test_each_node_gets_what_is_meant_for_it(given, node_id, key, value):
    assert given[1][node_id][key] == value


@pytest.mark.parametrize(
    ("node_id", "settings"),
    [
        (node_ids.DATA_GATE, {"max_quarantined": 0.77}),
        (node_ids.EVALUATOR, {"most_candidates": 77}),
        (node_ids.SERVING_GATE, {"samples": 77}),
    ],
)
def test_each_gate_gets_its_block_of_the_recipe(given, node_id, settings):
    assert json.loads(given[1][node_id]["settings"]).items() >= settings.items()


def test_what_the_code_in_nodes_of_tfx_gets(given):
    _, properties, folder = given
    assert properties[node_ids.IMAGE_EXAMPLE_GEN]["unlabelled"] == str(folder)
    trainer = json.loads(properties[node_ids.TRAINER]["custom_config"])
    for name in ("weights_fingerprint", "teacher_fingerprint"):
        assert trainer[name] == f"the {name}"
    transform = json.loads(properties[node_ids.TRANSFORM]["custom_config"])
    for config in (trainer, transform):
        assert json.loads(config[SETTINGS_KEY])["seed"] == 77


def test_a_node_follows_its_own_code_and_the_serving_gate_also_who_asks_the_server(monkeypatch):
    monkeypatch.setattr(module, "code_digest", lambda *names, **_: " ".join(names))
    properties = {node_id: node.exec_properties for node_id, node in wired().items()}
    for node_id in (node_ids.TRANSFORM, node_ids.TRAINER):  # nodes of TFX have no such property
        properties[node_id] = json.loads(properties[node_id]["custom_config"])
    assert {key: one["code_digest"] for key, one in properties.items() if "code_digest" in one} == {
        node_ids.IMAGE_EXAMPLE_GEN: "components.example_gen.executor",
        node_ids.BASELINE_FINDER: "components.baseline_finder.executor",
        node_ids.DATA_GATE: "components.data_gate.executor",
        node_ids.EVALUATOR: "components.evaluator.executor",
        node_ids.SERVING_GATE: "components.serving_gate.executor components.serving_gate.__main__",
        node_ids.PUSHER: "components.pusher.executor",
        node_ids.TRANSFORM: module.PREPROCESSING,
        node_ids.TRAINER: module.TRAINING,
    }


def test_the_libraries_that_a_node_follows_can_be_named(monkeypatch):
    monkeypatch.setattr(module, "code_digest", lambda *_, libraries: str(libraries))
    for given, wanted in (({}, "None"), ({"libraries": {"tfx": "0"}}, "{'tfx': '0'}")):
        properties = [node.exec_properties for node in wired(**given).values()]
        configs = [json.loads(one["custom_config"]) for one in properties if "custom_config" in one]
        found = [one["code_digest"] for one in (*properties, *configs) if "code_digest" in one]
        assert found == [wanted] * 8


def test_data_are_judged_by_all_that_is_known_of_them(nodes):
    def producers(node_id):
        inputs = nodes[node_id].inputs
        return {key: channel.producer_component_id for key, channel in inputs.items()}

    assert producers(node_ids.DATA_GATE) == {
        "examples": node_ids.IMAGE_EXAMPLE_GEN,
        "statistics": node_ids.STATISTICS_GEN,
        "anomalies": node_ids.EXAMPLE_VALIDATOR,
        "baseline": node_ids.BASELINE_FINDER,
    }
    by_schema = (node_ids.STATISTICS_GEN, node_ids.EXAMPLE_VALIDATOR, node_ids.TRANSFORM)
    assert {producers(node_id)["schema"] for node_id in by_schema} == {node_ids.IMPORT_SCHEMA_GEN}


def test_no_pixels_are_written_to_disk_and_none_are_counted_again(nodes):
    left = set(nodes[node_ids.TRANSFORM].outputs)
    assert "transform_graph" in left
    assert not left & {"transformed_examples", "pre_transform_stats", "post_transform_stats"}


def test_beam_has_one_set_of_options_and_pictures_their_own_before_it(given):
    pipeline, _, _ = given
    (images,) = [node for node in pipeline.components if node.id == node_ids.IMAGE_EXAMPLE_GEN]
    assert pipeline.beam_pipeline_args == ["--of_all"] and pipeline.enable_cache
    # Of two that are alike the last counts.
    assert images.executor_spec.beam_pipeline_args == ["--of_all", "--of_pictures"]
    assert pipeline.pipeline_info.pipeline_root == "the root"


def test_the_page_is_made_of_what_each_node_left(given, nodes):
    (page,) = [node for node in given[0].components if node.id == node_ids.REPORT]
    wired = {key: (c.producer_component_id, c.output_key) for key, c in page.inputs.items()}
    assert wired == {
        "data_blessing": (node_ids.DATA_GATE, "data_blessing"),
        "model_run": (node_ids.TRAINER, "model_run"),
        "evaluation": (node_ids.EVALUATOR, "evaluation"),
        "model_blessing": (node_ids.EVALUATOR, "blessing"),
        "infra_blessing": (node_ids.SERVING_GATE, "infra_blessing"),
        "pushed_model": (node_ids.PUSHER, "pushed_model"),
    }
    assert node_ids.REPORT not in nodes, "on this machine the page is made when all has ended"
