"""The wiring: which nodes there are, and which pictures each of them reads."""

import json

import pytest

from components import features
from pipeline import node_ids
from pipeline.config import load_recipe
from pipeline.pipeline import create_pipeline


def wired(*overrides: str):
    """The nodes of a recipe by name."""
    pipeline = create_pipeline(
        load_recipe("digits", overrides),
        pipeline_root="root",
        push_destination="serving",
        schema_file="schema.pbtxt",
    )
    return {node.id: node for node in pipeline.components}


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
