"""The wired pipeline: who reads what."""

import json

import pytest
from google.protobuf import json_format
from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration.portable import partial_run_utils
from tfx.proto import trainer_pb2

from pipeline import node_ids, pipeline
from pipeline.config import Recipe


def make(**settings):
    """The pipeline of a recipe, with the names of the packages in place of their digest."""
    recipe = Recipe(name="tiny", **settings)
    return pipeline.create_pipeline(
        recipe, pipeline_root="artifacts", push_destination="serving", schema_file="schema.pbtxt"
    )


@pytest.fixture
def nodes(monkeypatch):
    """`nodes(...)` gives the nodes of a recipe by name."""
    monkeypatch.setattr(pipeline, "code_digest", lambda *packages: " ".join(sorted(packages)))

    def nodes(**settings):
        return {node.id: node for node in make(**settings).components}

    return nodes


def splits(node) -> tuple[list[str], list[str]]:
    """Splits that the Trainer trains on and validates on."""
    train = json_format.Parse(node.exec_properties["train_args"], trainer_pb2.TrainArgs())
    evaluate = json_format.Parse(node.exec_properties["eval_args"], trainer_pb2.EvalArgs())
    return list(train.splits), list(evaluate.splits)


def test_the_nodes_are_those_of_node_ids(nodes):
    ids = {value for name, value in vars(node_ids).items() if name.isupper()}
    assert set(nodes()) == ids


def test_every_split_has_one_use(nodes):
    made = nodes()
    assert splits(made[node_ids.TRAINER]) == (["train"], ["validation"])
    assert json.loads(made[node_ids.EVALUATOR].exec_properties["example_splits"]) == ["test"]
    assert made[node_ids.SERVING_GATE].exec_properties["split"] == "test"
    analyzed = json.loads(made[node_ids.TRANSFORM].exec_properties["splits_config"])
    assert analyzed["analyze"] == ["train"]


def test_unlabelled_pictures_are_for_the_trainer_alone(nodes):
    made = nodes(pseudo_labels={"source": "more"})
    assert splits(made[node_ids.TRAINER]) == (["train", "unlabelled"], ["validation"])
    excluded = made[node_ids.STATISTICS_GEN].exec_properties["exclude_splits"]
    assert json.loads(excluded) == ["unlabelled"]
    assert json.loads(made[node_ids.EVALUATOR].exec_properties["example_splits"]) == ["test"]


def test_the_digest_of_the_trainer_covers_the_code_of_the_graph_that_it_applies(nodes):
    made = nodes()
    digest = json.loads(made[node_ids.TRAINER].exec_properties["custom_config"])["code_digest"]
    assert digest == "trainer transform"


def test_the_gates_are_upstream_of_the_push(nodes):
    made = nodes()
    inputs = made[node_ids.PUSHER].inputs
    assert {key: channel.producer_component_id for key, channel in inputs.items()} == {
        "model": node_ids.TRAINER,
        "model_blessing": node_ids.EVALUATOR,
        "infra_blessing": node_ids.SERVING_GATE,
        "baseline": node_ids.BASELINE_FINDER,
    }
    assert made[node_ids.EVALUATOR].inputs["baseline_model"].producer_component_id == (
        node_ids.BASELINE_FINDER
    )


def test_a_partial_run_takes_a_node_and_all_that_it_needs():
    compiled = Compiler().compile(make())
    partial_run_utils.mark_pipeline(compiled, to_nodes=[node_ids.TRANSFORM])
    marked = [node.pipeline_node for node in compiled.nodes]
    assert {n.node_info.id for n in marked if n.execution_options.HasField("run")} == {
        node_ids.IMAGE_EXAMPLE_GEN,
        node_ids.IMPORT_SCHEMA_GEN,
        node_ids.TRANSFORM,
    }
