"""What TFX's launcher is given for each node, and what is cleaned up behind it."""

from datetime import datetime
from types import SimpleNamespace

import pytest
from tfx.proto.orchestration import executable_spec_pb2

from components.gates import write_gates
from pipeline import local_runner, preflight
from pipeline.config import load_recipe


@pytest.fixture
def launched(tmp_path, write_pictures, monkeypatch, recorder):
    """`launched()` runs `digits` up to its Trainer; gives what it left and how it launched."""
    given, discarded = {}, []
    pictures = write_pictures(tmp_path / "pictures", per_class=1)

    class Launcher:
        def __init__(self, pipeline_node, **options):
            self._node_id = pipeline_node.node_info.id
            given[self._node_id] = SimpleNamespace(**options)

        def launch(self):
            return SimpleNamespace(execution_id=self._node_id, execution_output_uri=None)

    def outputs(_, node_id):
        uri = tmp_path / "runs/digits/artifacts" / node_id
        uri.mkdir(parents=True)
        write_gates(uri, [])
        key = local_runner.BLESSINGS.get(node_id, "model_run")
        return {key: [SimpleNamespace(uri=str(uri))]}

    monkeypatch.setattr(preflight, "check_network", lambda _: None)
    monkeypatch.setattr(local_runner.launcher, "Launcher", Launcher)
    monkeypatch.setattr(local_runner.execution_lib, "get_output_artifacts", outputs)
    monkeypatch.setattr(local_runner, "summarize", lambda *_: "")
    monkeypatch.setattr(local_runner.resume, "discard_published", discarded.append)

    def launched():
        own = [f"workspace={tmp_path / 'runs'}", f"data.source={pictures}"]
        recipe = load_recipe("digits", own)
        found = preflight.inspect(recipe, preflight.Scope.MACHINE)
        left = local_runner.run_up_to("Trainer", recipe, recorder, found)
        return SimpleNamespace(given=given, left=left, discarded=discarded, heard=recorder)

    return launched


def test_each_node_gets_its_own_executor_and_all_the_same_run(launched):
    given = launched().given
    runs = {one.pipeline_runtime_spec.pipeline_run_id.field_value.string_value
            for one in given.values()}  # fmt: skip
    assert len(runs) == 1 and datetime.fromisoformat(runs.pop())
    paths = {}
    for node_id, one in given.items():
        spec = one.executor_spec
        beam = isinstance(spec, executable_spec_pb2.BeamExecutableSpec)
        paths[node_id] = (spec.python_executor_spec if beam else spec).class_path
        assert one.pipeline_info.id == "digits"
        assert list(one.custom_executor_operators) == [executable_spec_pb2.BeamExecutableSpec]
    assert paths["ImageExampleGen"] == "components.example_gen.executor.Executor"
    assert paths["DataGate"] == "components.data_gate.executor.Executor"
    assert paths["Trainer"].startswith("tfx.components.trainer")


def test_the_database_lies_in_the_folder_of_the_recipe(launched, tmp_path):
    (database,) = {one.mlmd_connection.connection_config.sqlite.filename_uri
                   for one in launched().given.values()}  # fmt: skip
    assert database == str(tmp_path / "runs/digits/metadata.sqlite")


def test_checkpoints_of_a_training_that_has_ended_are_not_kept(launched):
    done = launched()
    assert done.discarded == [done.left["Trainer"]["model_run"][0].uri]


def test_a_node_is_told_with_the_seconds_that_it_took(launched):
    reports = launched().heard.reports
    assert reports and all(0 <= report.seconds < 60 for report in reports.values())
