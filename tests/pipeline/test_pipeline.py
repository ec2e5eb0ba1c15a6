"""The wiring: which nodes there are, and which pictures each of them reads."""

import json

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration.portable import partial_run_utils

from components import features
from pipeline import node_ids
from pipeline.config import load_recipe
from pipeline.pipeline import create_pipeline


def make(*overrides: str):
    """The pipeline of a recipe."""
    return create_pipeline(
        load_recipe("digits", overrides),
        pipeline_root="root",
        push_destination="serving",
        schema_file="schema.pbtxt",
    )


def wired(*overrides: str):
    """The nodes of a recipe by name."""
    return {node.id: node for node in make(*overrides).components}


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
