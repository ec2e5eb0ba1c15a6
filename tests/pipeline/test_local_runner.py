"""What a run depends on, and what is made of its outputs."""

import contextlib
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from ml_metadata import MetadataStore, proto
from tensorflow.core.protobuf import saved_model_pb2
from tfx.proto.orchestration import executable_spec_pb2
from tfx.types import standard_artifacts

from components.errors import UserError
from components.example_gen.executor import Executor
from components.gates import Gate, write_gates
from pipeline import artifact_manifests, local_runner, preflight
from pipeline.beam_config import BeamSettings
from pipeline.config import Recipe, load_recipe
from pipeline.metadata_database import FAILURE
from pipeline.run_result import RunError, RunResult

PASS = Gate("accuracy", "pass", 0.9, 0.8, "0.9000, at least 0.8 wanted")
WARN = Gate("test split", "warn", 3, None, "not the one that version 6 was judged on")
FAIL = Gate("latency", "fail", 9.0, 1.0, "median 9.0 ms, at most 1 allowed")
WORN = Gate("test split", "warn", 21, 20, "21 model(s) judged on these test pictures")


@pytest.fixture
def pictures(tmp_path, write_pictures):
    """A folder per class, as many pictures in each as the smallest may have."""
    return write_pictures(tmp_path / "pictures", per_class=3)


@pytest.fixture
def fingerprints(tmp_path, pictures, monkeypatch):
    """`fingerprints(...)` gives what a run of a recipe hands the pipeline, without running it."""
    made = []
    monkeypatch.setattr(local_runner, "create_pipeline", lambda recipe, **given: made.append(given))
    monkeypatch.setattr(local_runner._Runner, "run", lambda *_: None)

    def fingerprints(**settings) -> dict[str, str]:
        recipe = Recipe(
            name="tiny",
            workspace=str(tmp_path / "runs"),
            data={"source": str(pictures)},
            **{"backbone": {"weights": "none"}, **settings},
        )
        found = preflight.inspect(recipe, preflight.Scope.MACHINE)
        local_runner.run_up_to("Transform", recipe, None, found)
        return made.pop()

    return fingerprints


def write_model(folder, name="graph", classes=("bar", "disc", "frame")):
    """What is looked at of a SavedModel before it is loaded."""
    (folder / "assets.extra").mkdir(parents=True, exist_ok=True)
    model = saved_model_pb2.SavedModel()
    model.meta_graphs.add().meta_info_def.meta_graph_version = name
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    (folder / "assets.extra" / "classes.txt").write_text("".join(f"{c}\n" for c in classes))
    return folder


@pytest.mark.slow
def test_every_file_that_a_run_reads_changes_one_of_its_fingerprints(
    fingerprints, tmp_path, pictures
):
    more = tmp_path / "more"
    more.mkdir()
    (more / "a.jpg").write_bytes(next(pictures.glob("*/*")).read_bytes())
    teacher = write_model(tmp_path / "teacher")
    weights = tmp_path / "weights.h5"
    weights.write_bytes(b"one")
    served = write_model(tmp_path / "runs" / "tiny" / "serving" / "7")
    settings = {
        "pseudo_labels": {"source": str(more)},
        "distillation": {"teacher": str(teacher)},
        "backbone": {"weights": str(weights)},
    }

    before = fingerprints(**settings)
    assert fingerprints(**settings) == before, "nothing has changed"
    for path, key in (
        (next(pictures.glob("bar/*")), "input_fingerprint"),
        (more / "a.jpg", "input_fingerprint"),
        (teacher / "saved_model.pb", "teacher_fingerprint"),
        (weights, "weights_fingerprint"),
        (served / "saved_model.pb", "served_fingerprint"),
    ):
        # A second time the same, a file of protobuf still is one.
        path.write_bytes(path.read_bytes() * 2)
        after = fingerprints(**settings)
        changed = [name for name in before if before[name] != after[name]]
        assert sorted(changed) == sorted([key, "provenance"]), path
        before = after


def test_a_destination_that_cannot_be_written_is_told_before_anything_runs(fingerprints, tmp_path):
    (tmp_path / "file").write_text("")
    recipe = Recipe(name="tiny", workspace=str(tmp_path), push={"destination": f"{tmp_path}/file"})
    with pytest.raises(ValueError, match=r"push\.destination: .*/file cannot be made"):
        local_runner.run_local(recipe, None)
    assert not (tmp_path / "tiny").exists()


def test_a_store_that_refuses_is_told_before_anything_runs(monkeypatch):
    def refuse(address):
        raise UserError(f"{address} is read-only")

    monkeypatch.setattr(local_runner.destinations, "check_writable", refuse)
    monkeypatch.setattr(local_runner, "_run", lambda *_: pytest.fail("too late"))
    recipe = load_recipe("digits", ["push.destination=s3://models/fruit"])
    with pytest.raises(UserError, match="s3://models/fruit is read-only"):
        local_runner.run_local(recipe, None, preflight.Inspection())


@pytest.fixture
def outputs(tmp_path):
    """`outputs(model=…, infra=…, …)`: what the gates and the Pusher leave, with these rows."""

    def outputs(model, infra, data=(), **properties):
        artifacts = {
            "data_blessing": standard_artifacts.InfraBlessing(),
            "blessing": standard_artifacts.ModelBlessing(),
            "infra_blessing": standard_artifacts.InfraBlessing(),
            "pushed_model": standard_artifacts.PushedModel(),
        }
        for key, artifact in artifacts.items():
            artifact.uri = str(tmp_path / key)
            (tmp_path / key).mkdir()
        write_gates(tmp_path / "blessing", model)
        write_gates(tmp_path / "infra_blessing", infra)
        write_gates(tmp_path / "data_blessing", data)
        write_gates(tmp_path / "pushed_model", [WORN])
        for key, value in properties.items():
            artifacts["pushed_model"].set_string_custom_property(key, value)
        nodes = {
            "data_blessing": "DataGate",
            "blessing": "Evaluator",
            "infra_blessing": "ServingGate",
            "pushed_model": "Pusher",
        }
        return {node: {key: [artifacts[key]]} for key, node in nodes.items()}

    return outputs


def test_the_result_holds_the_rows_of_all_gates_and_what_was_pushed(outputs):
    left = outputs([PASS], [FAIL], [WARN], pushed_destination="/serving/7")
    result = local_runner._conclude(left)
    assert result.gates == [WARN, PASS, FAIL, WORN] and result.pushed_path == "/serving/7"
    asked = ["DataGate", "Evaluator", "ServingGate", "Pusher"]
    assert [gate.node for gate in result.gates] == asked
    assert not result.already_served and not result.succeeded


def test_a_run_that_ended_at_the_data_holds_their_rows_and_did_not_succeed(outputs):
    left = outputs([], [], [PASS, FAIL])
    result = local_runner._conclude({"DataGate": left["DataGate"]})
    assert result == RunResult([PASS, FAIL], "", "") and not result.succeeded


def test_a_run_succeeds_where_no_gate_failed_and_the_model_is_served(outputs):
    result = local_runner._conclude(outputs([PASS], [PASS], already_served="7"))
    assert result.succeeded
    assert not dataclasses.replace(result, already_served="").succeeded
    assert dataclasses.replace(result, already_served="", pushed_path="/serving/8").succeeded
    assert not dataclasses.replace(result, gates=[PASS, FAIL]).succeeded


def test_the_last_word_of_a_run_is_what_its_destination_serves(tmp_path):
    pushed = RunResult([PASS], str(tmp_path / "7"), "")
    with pytest.raises(RunError, match=rf"version 7 was served, but {tmp_path} serves nothing"):
        local_runner._check_served(pushed, str(tmp_path))
    write_model(tmp_path / "7")
    local_runner._check_served(pushed, str(tmp_path))
    write_model(tmp_path / "8")
    for result in (pushed, RunResult([PASS], "", "7")):
        with pytest.raises(RunError, match="serves version 8 by now"):
            local_runner._check_served(result, str(tmp_path))
    local_runner._check_served(RunResult([FAIL], "", ""), str(tmp_path))


def test_a_run_ends_with_a_look_at_what_is_served(outputs, monkeypatch, tmp_path):
    serving = tmp_path / "serving"
    left = outputs([PASS], [PASS], pushed_destination=str(serving / "7"))
    monkeypatch.setattr(local_runner, "_run", lambda *_: left)
    recipe = Recipe(name="tiny", workspace=str(tmp_path), push={"destination": str(serving)})
    with pytest.raises(RunError, match="serves nothing by now"):
        local_runner.run_local(recipe, None, preflight.Inspection())
    write_model(serving / "7")
    monkeypatch.setattr(preflight, "inspect", lambda *_: pytest.fail("was done already"))
    assert local_runner.run_local(recipe, None, preflight.Inspection()).succeeded


def test_what_nobody_has_looked_at_is_looked_at_before_it_runs(outputs, monkeypatch, tmp_path):
    steps, left = [], outputs([PASS], [PASS])
    found = preflight.Inspection()
    monkeypatch.setattr(preflight, "inspect", lambda *given: steps.append(given) or found)
    monkeypatch.setattr(local_runner, "_run", lambda *given: steps.append(given) or left)
    recipe = Recipe(name="tiny", workspace=str(tmp_path))
    local_runner.run_local(recipe, "listener")
    assert steps == [(recipe, preflight.Scope.MACHINE), (recipe, "listener", found)]


@pytest.fixture
def handed_on(tmp_path, pictures, monkeypatch):
    """`handed_on(*overrides)`: what a run hands the pipeline, and what it notices."""
    made, noticed = [], []
    monkeypatch.setattr(
        local_runner,
        "create_pipeline",
        lambda recipe, **given: made.append(given | {"data": recipe.data}),
    )
    monkeypatch.setattr(local_runner._Runner, "run", lambda *_: None)
    monkeypatch.setattr(preflight, "check_network", lambda _: None)

    def handed_on(*overrides: str):
        own = [f"workspace={tmp_path / 'runs'}", f"data.source={pictures}"]
        recipe = load_recipe("digits", [*own, *overrides])
        found = preflight.inspect(recipe, preflight.Scope.MACHINE)
        listener = SimpleNamespace(noticed=noticed.append)
        local_runner.run_up_to("Transform", recipe, listener, found)
        return made[-1], noticed

    return handed_on


def test_a_database_that_was_damaged_is_told_of(handed_on, tmp_path):
    assert handed_on()[1] == []
    (tmp_path / "runs" / "digits" / "metadata.sqlite").write_bytes(b"garbage" * 1000)
    (noticed,) = handed_on()[1]
    assert "metadata.sqlite is damaged" in noticed and "every node runs again" in noticed


def test_a_device_that_is_not_there_is_told_before_anything_is_made(
    handed_on, monkeypatch, tmp_path
):
    def refuse(_):
        raise UserError("training.device is `gpu`")

    monkeypatch.setattr(preflight, "check_network", refuse)
    with pytest.raises(UserError, match=r"training\.device"):
        handed_on()
    assert not (tmp_path / "runs").exists()


def test_nodes_that_run_here_whoever_was_chosen_are_told_of(handed_on):
    _, noticed = handed_on("beam.runner=dask", "beam.dask.scheduler=tcp://dask:8786")
    assert noticed == [
        "beam.runner is dask, which cannot carry StatisticsGen, Transform, Evaluator: they run here"
    ]


def test_further_columns_are_in_the_schema(handed_on, pictures):
    rows = [f"{path.relative_to(pictures)},{path.parent.name},x" for path in pictures.glob("*/*")]
    (pictures / "labels.csv").write_text("\n".join(["path,label,Site", *rows]))
    given, _ = handed_on(f"data.source={pictures / 'labels.csv'}")
    assert "column_Site" in Path(given["schema_file"]).read_text()
    assert "column_Site" not in Path(handed_on()[0]["schema_file"]).read_text()


def test_the_ledger_of_splits_is_keyed_by_pictures_and_settings(handed_on, monkeypatch, tmp_path):
    asked = []
    ledger = local_runner.split_ledger
    monkeypatch.setattr(ledger, "ledger_inputs", lambda *given: asked.append(given) or "inputs")
    monkeypatch.setattr(ledger, "ledger_fingerprint", lambda *given: " ".join(given))
    monkeypatch.chdir(tmp_path)
    given, _ = handed_on(f"data.split_ledger={tmp_path}/ledger.csv", "data.source=pictures")
    assert given["ledger_fingerprint"] == f"{tmp_path}/ledger.csv inputs"
    ((pictures_of, settings),) = asked
    assert pictures_of == given["input_fingerprint"]
    assert settings == given["data"].model_dump_json(), "as ImageExampleGen writes it down"


@pytest.mark.parametrize(
    ("runner", "node_id", "on_dask"),
    [
        ("dask", "ImageExampleGen", True),
        ("dask", "Transform", False),
        ("dask", "Evaluator", False),
        ("direct", "ImageExampleGen", False),
    ],
)
def test_each_node_gets_the_runner_that_can_carry_it(monkeypatch, runner, node_id, on_dask):
    used = []

    @contextlib.contextmanager
    def cluster():
        used.append(node_id)
        yield

    settings = BeamSettings(runner=runner, dask={"scheduler": "tcp://dask:8786"})
    monkeypatch.setattr(
        local_runner.BeamExecutorOperator,
        "run_executor",
        lambda self, info, make: (self._executor_cls, make()),
    )
    monkeypatch.setattr("apache_beam.Pipeline", lambda argv: argv)
    monkeypatch.setattr(local_runner.dask_cluster, "used", cluster)
    spec = executable_spec_pb2.BeamExecutableSpec()
    spec.python_executor_spec.class_path = f"{Executor.__module__}.{Executor.__name__}"
    operators = local_runner._Runner(None, Path(), None, settings)._operators
    operator = operators[executable_spec_pb2.BeamExecutableSpec](spec)
    info = SimpleNamespace(pipeline_node=SimpleNamespace(node_info=SimpleNamespace(id=node_id)))
    assert operator.run_executor(info) == (Executor, settings.pipeline_args(node_id))
    assert used == [node_id] * on_dask


@pytest.fixture
def metadata(tmp_path):
    """An empty database of ML Metadata: how to reach it, and its store."""
    sqlite = proto.SqliteMetadataSourceConfig(
        filename_uri=str(tmp_path / "metadata.sqlite"),
        connection_mode=proto.SqliteMetadataSourceConfig.READWRITE_OPENCREATE,
    )
    database = proto.ConnectionConfig(sqlite=sqlite)
    return database, MetadataStore(database)


@pytest.mark.parametrize("state", ["FAILED", "COMPLETE"])
def test_why_the_last_execution_failed_is_kept_with_it(metadata, tmp_path, state):
    database, store = metadata
    kind = store.put_execution_type(proto.ExecutionType(name="node"))
    states = [proto.Execution.FAILED, getattr(proto.Execution, state)]
    store.put_executions([proto.Execution(type_id=kind, last_known_state=one) for one in states])
    runner = local_runner._Runner(None, tmp_path, database, BeamSettings())
    runner._note_failure("the loss is nan")
    told = [e.custom_properties[FAILURE].string_value for e in store.get_executions()]
    assert told == ["", "the loss is nan" if state == "FAILED" else ""]


def test_a_node_that_fails_before_it_is_an_execution_leaves_nothing_to_be_noted(metadata, tmp_path):
    database, store = metadata
    local_runner._Runner(None, tmp_path, database, BeamSettings())._note_failure("no inputs")
    assert store.get_executions() == []


def test_where_the_command_was_typed_is_not_part_of_a_cache_key(handed_on, pictures, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    assert handed_on("data.source=pictures")[0]["data"].source == str(pictures)


def test_what_a_run_is_made_of_is_noted_as_it_is_handed_on(handed_on):
    given, _ = handed_on("seed=7")
    noted = json.loads(given["provenance"])
    assert noted["inputs"] == {key: given[key] for key in noted["inputs"]}
    assert len(noted["inputs"]) == 5 and noted["recipe"]["seed"] == 7


def test_another_served_model_has_another_fingerprint(handed_on, tmp_path):
    before = handed_on()[0]["served_fingerprint"]
    write_model(tmp_path / "runs" / "digits" / "serving" / "7")
    assert handed_on()[0]["served_fingerprint"] != before


def test_the_cache_does_not_hand_out_what_is_damaged(metadata, tmp_path):
    database, store = metadata
    folder = tmp_path / "artifacts" / "Trainer" / "model" / "1"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"x")
    kind = store.put_artifact_type(proto.ArtifactType(name="thing"))
    made = proto.Artifact(type_id=kind, uri=str(folder), state=proto.Artifact.LIVE)
    store.put_artifacts([made])
    artifact_manifests.write_missing(tmp_path, [str(folder)])
    (folder / "weights").unlink()
    noticed = []
    listener = SimpleNamespace(noticed=noticed.append)
    runner = local_runner._Runner(listener, tmp_path, database, BeamSettings())
    for _ in range(2):  # it is told and forgotten once
        runner._forget_damaged_artifacts("Trainer")
    says = f"Trainer: {folder} is damaged, it is not used: weights is missing"
    assert noticed == [says]
    assert [one.state for one in store.get_artifacts()] == [proto.Artifact.DELETED]
