"""Which nodes a run launches, in what order, and what is told of them."""

import contextlib
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from tfx.proto.orchestration import executable_spec_pb2

from components.gates import Gate, write_gates
from pipeline import local_runner, preflight
from pipeline.config import load_recipe
from pipeline.run_result import RunError

PASS = Gate("accuracy", "pass", 0.9, 0.8, "0.9000, at least 0.8 wanted")
FAIL = Gate("latency", "fail", 9.0, 1.0, "median 9.0 ms, at most 1 allowed")


@pytest.fixture
def nodes(tmp_path, write_pictures, monkeypatch, recorder):
    """Runs the nodes of `digits` with a launcher that does nothing but what it is told here.

    `made` are the nodes that do not come from the cache, `failing` those that raise, `gates` the
    rows that each leaves, `launched` all that were begun, `options` what their launchers got,
    `outputs` what they left, `discarded` whose checkpoints were, and `early` what the serving
    process was asked before its node.
    """
    pictures = write_pictures(tmp_path / "pictures", per_class=3)
    folder = tmp_path / "runs" / "digits"
    given = SimpleNamespace(
        made=set(), failing={}, launched=[], options={}, outputs={}, discarded=[], early=[]
    )
    given.heard = recorder

    given.gates = {node_id: [PASS] for node_id in [*local_runner.BLESSINGS, "Trainer"]}

    class Launcher:
        def __init__(self, pipeline_node, **options):
            self._node = pipeline_node
            given.options[pipeline_node.node_info.id] = SimpleNamespace(**options)

        def launch(self):
            node_id = self._node.node_info.id
            given.launched.append(self._node)
            if node_id in given.failing:
                raise given.failing[node_id]
            if node_id in given.gates and node_id not in given.outputs:
                leave(node_id, local_runner.BLESSINGS.get(node_id, "model_run"))
            uri = "made" if node_id in given.made else None
            return SimpleNamespace(execution_id=node_id, execution_output_uri=uri)

    def leave(node_id, key):
        uri = folder / "artifacts" / node_id / key / "1"
        uri.mkdir(parents=True)
        write_gates(uri, given.gates[node_id])
        given.outputs[node_id] = {key: [SimpleNamespace(uri=str(uri))]}

    @contextlib.contextmanager
    def begun_early(request):
        given.early.append(request)
        yield

    def run(last_node=""):
        own = [f"workspace={tmp_path / 'runs'}", f"data.source={pictures}"]
        recipe = load_recipe("digits", own)
        found = preflight.inspect(recipe, preflight.Scope.MACHINE)
        return list(local_runner._run(recipe, recorder, found, last_node))

    monkeypatch.setattr(preflight, "check_network", lambda _: None)
    monkeypatch.setattr(local_runner.launcher, "Launcher", Launcher)
    monkeypatch.setattr(
        local_runner.execution_lib,
        "get_output_artifacts",
        lambda _, node_id: given.outputs.get(node_id, {}),
    )
    monkeypatch.setattr(local_runner, "summarize", lambda node_id, _: f"of {node_id}")
    monkeypatch.setattr(local_runner.resume, "discard_published", given.discarded.append)
    monkeypatch.setattr(local_runner.serving_process, "begun_early", begun_early)
    monkeypatch.setattr(local_runner.serving_executor, "request_of", lambda *given: given)
    given.run = run
    return given


def test_one_node_runs_with_those_that_it_needs_and_no_other(nodes):
    needed = ["ImageExampleGen", "ImportSchemaGen", "Transform"]
    assert nodes.run("Transform") == needed
    heard = nodes.heard
    assert heard.node_ids == heard.started == list(heard.reports) == needed


def test_what_killed_nodes_left_goes_before_a_run(nodes, tmp_path, monkeypatch):
    cleared = []
    monkeypatch.setattr(local_runner, "remove_unfinished", cleared.append)
    nodes.run("ImportSchemaGen")
    assert cleared == [tmp_path / "runs" / "digits"]


def test_every_node_may_come_from_the_cache_but_the_pusher(nodes):
    nodes.made = {"ImageExampleGen", "Pusher"}
    ran = nodes.run()
    assert {"Trainer", "Evaluator", "ServingGate"} < set(ran) and ran[-1] == "Pusher"
    cacheable = {n.node_info.id: n.execution_options.caching_options.enable_cache
                 for n in nodes.launched}  # fmt: skip
    assert cacheable == {node_id: node_id != "Pusher" for node_id in ran}
    reports = nodes.heard.reports
    assert {node_id for node_id in reports if not reports[node_id].cached} == nodes.made
    assert reports["Trainer"].summary == "of Trainer"


def test_after_the_no_of_the_data_gate_nothing_is_trained(nodes):
    nodes.gates["DataGate"] = [PASS, FAIL]
    ran = nodes.run()
    assert ran[-1] == "DataGate" and not {"Trainer", "Evaluator", "Pusher"} & set(ran)
    assert nodes.heard.notices == ["The data failed the DataGate: nothing is trained"]


@pytest.mark.parametrize(
    ("made", "last_node", "early"), [(True, "", 1), (False, "", 0), (True, "Trainer", 0)]
)
def test_a_new_model_is_asked_before_its_turn(nodes, made, last_node, early):
    nodes.made = {"Trainer"} if made else set()
    nodes.outputs["ImageExampleGen"] = {"examples": []}
    assert "Trainer" in nodes.run(last_node)
    assert len(nodes.early) == early
    for inputs, properties in nodes.early:  # as the node itself is given them
        assert set(inputs) == {"examples", "model_run"}
        assert properties["split"] == "test" and '"max_latency_ms":1000' in properties["settings"]


def test_a_node_that_fails_is_named_and_the_reason_is_kept(nodes, monkeypatch):
    noted = []
    monkeypatch.setattr(
        local_runner._Runner, "_note_failure", lambda _, reason: noted.append(reason)
    )
    nodes.failing = {"Trainer": OSError(28, "No space left on device")}
    with pytest.raises(RunError, match=r"^Trainer: the disk is full"):
        nodes.run()
    assert noted[0].startswith("the disk is full") and len(noted) == 1
    assert nodes.heard.started[-1] == "Trainer" and "Trainer" not in nodes.heard.reports


def test_what_was_damaged_since_is_told_of_before_the_node_is_asked_again(nodes):
    nodes.run()
    (left,) = nodes.outputs["Evaluator"]["blessing"]
    assert nodes.heard.notices == []
    nodes.heard.reports.clear()
    Path(left.uri, "gates.json").unlink()
    nodes.failing = {"Evaluator": KeyError("asked again")}
    with pytest.raises(RunError):
        nodes.run()
    (notice,) = nodes.heard.notices
    assert notice.startswith(f"Evaluator: {left.uri} is damaged, it is not used: gates.json")


def test_what_beam_makes_of_ctrl_c_is_no_failure(nodes, monkeypatch):
    nodes.failing = {"ImageExampleGen": RuntimeError("KeyboardInterrupt [while running 'Write']")}
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(local_runner.processes, "_stops", [KeyboardInterrupt()])
        nodes.run("Transform")
    nodes.heard.reports.clear()
    with pytest.raises(RunError, match="KeyboardInterrupt"):
        nodes.run("Transform")


@pytest.mark.parametrize(
    ("node_id", "row"), [("ServingGate", FAIL), ("ServingGate", PASS), ("Evaluator", FAIL)]
)
def test_a_no_of_the_serving_gate_is_asked_for_again(node_id, row, nodes, monkeypatch):
    forgotten = []
    monkeypatch.setattr(local_runner._Runner, "_forget", lambda _, uri: forgotten.append(uri))
    nodes.gates[node_id] = [PASS, row]
    nodes.run()
    assert forgotten == []
    nodes.heard.reports.clear()
    nodes.run()
    (blessing,) = nodes.outputs["ServingGate"]["infra_blessing"]
    assert forgotten == ([blessing.uri] if (node_id, row) == ("ServingGate", FAIL) else [])


def test_each_node_gets_its_own_executor_and_all_the_same_run(nodes):
    nodes.run("Trainer")
    runs = {one.pipeline_runtime_spec.pipeline_run_id.field_value.string_value
            for one in nodes.options.values()}  # fmt: skip
    begun, _, last_node = runs.pop().partition("_")
    assert not runs and datetime.fromisoformat(begun) and last_node == "Trainer"
    paths = {}
    for node_id, one in nodes.options.items():
        spec = one.executor_spec
        beam = isinstance(spec, executable_spec_pb2.BeamExecutableSpec)
        paths[node_id] = (spec.python_executor_spec if beam else spec).class_path
        assert one.pipeline_info.id == "digits"
        assert list(one.custom_executor_operators) == [executable_spec_pb2.BeamExecutableSpec]
    assert paths["ImageExampleGen"] == "components.example_gen.executor.Executor"
    assert paths["DataGate"] == "components.data_gate.executor.Executor"
    assert paths["Trainer"].startswith("tfx.components.trainer")


def test_a_run_of_all_nodes_is_called_by_its_time(nodes):
    nodes.run()
    run = nodes.options["Pusher"].pipeline_runtime_spec.pipeline_run_id
    assert datetime.fromisoformat(run.field_value.string_value)


def test_the_database_lies_in_the_folder_of_the_recipe(nodes, tmp_path):
    nodes.run("Trainer")
    (database,) = {one.mlmd_connection.connection_config.sqlite.filename_uri
                   for one in nodes.options.values()}  # fmt: skip
    assert database == str(tmp_path / "runs/digits/metadata.sqlite")


def test_checkpoints_of_a_training_that_has_ended_are_not_kept(nodes):
    nodes.run("Trainer")
    assert nodes.discarded == [nodes.outputs["Trainer"]["model_run"][0].uri]


def test_a_node_is_told_with_the_seconds_that_it_took(nodes):
    nodes.run("Trainer")
    reports = nodes.heard.reports
    assert reports and all(0 <= report.seconds < 60 for report in reports.values())
