"""The ServingGate node, driven as TFX drives it, with the real client in its own process."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tfx.components.util import model_utils
from tfx.types import Channel, standard_artifacts

from components import features
from components.gates import GATES_FILE, Gate, read_gates
from components.serving_gate import process
from components.serving_gate.component import ServingGate
from components.serving_gate.config import ServingGateSettings
from components.serving_gate.executor import Executor


@pytest.fixture
def gate(model, examples, tmp_path):
    """Runs the executor on the stand-in; gives the blessing."""

    def run(folder=examples, **settings):
        inputs = {"model": standard_artifacts.Model(), "examples": standard_artifacts.Examples()}
        inputs["model"].uri = str(model)
        inputs["examples"].uri = str(folder)
        inputs["examples"].split_names = '["test"]'
        blessing = standard_artifacts.InfraBlessing()
        blessing.uri = str(tmp_path)
        properties = {
            "settings": ServingGateSettings(**settings).model_dump_json(),
            "split": "test",
            "code_digest": "",
        }
        Executor().Do(
            {name: [artifact] for name, artifact in inputs.items()},
            {"infra_blessing": [blessing]},
            properties,
        )
        return blessing

    return run


@pytest.mark.slow
def test_a_sound_model_is_blessed_as_the_stock_pusher_expects(gate, tmp_path):
    blessing = gate(latency_requests=3)
    assert model_utils.is_infra_validated(blessing)
    assert {path.name for path in tmp_path.iterdir()} == {"INFRA_BLESSED", GATES_FILE}
    checks = read_gates(blessing.uri)
    assert len(checks) == 13
    assert {check.verdict for check in checks} == {"pass"}


def test_one_failed_check_of_many_is_enough_to_refuse_and_the_run_goes_on(
    gate, tmp_path, monkeypatch
):
    checks = [Gate("load", "pass", 1.0, 2.0, "fast"), Gate("process", "fail", None, None, "no")]
    monkeypatch.setattr(process, "ask", lambda *_: checks)
    blessing = gate()
    assert not model_utils.is_infra_validated(blessing)
    assert {path.name for path in tmp_path.iterdir()} == {"INFRA_NOT_BLESSED", GATES_FILE}
    assert read_gates(tmp_path) == checks


def test_a_retry_in_the_same_folder_leaves_its_own_verdict_alone(gate, tmp_path, monkeypatch):
    for verdict, marker in (("fail", "NOT_BLESSED"), ("pass", "BLESSED"), ("fail", "NOT_BLESSED")):
        checks = [Gate("latency", verdict, 1.0, 2.0, "")]
        monkeypatch.setattr(process, "ask", lambda *_, checks=checks: checks)
        gate()
        assert {path.name for path in tmp_path.iterdir()} == {f"INFRA_{marker}", GATES_FILE}


def test_an_original_file_is_named_as_its_user_knows_it(gate, examples, tmp_path, monkeypatch):
    original = Gate("original files", "fail", 0.1, 0.0, f"off ({'07-' + 'c' * 64}.jpeg), at most 0")
    monkeypatch.setattr(process, "ask", lambda *_: [original])
    gate()
    assert read_gates(tmp_path) == [original], "without a table of pictures"
    rows = {"image_id": ["b" * 64, "c" * 64], "path": ["cat/1.jpg", "dog/2\n.jpg"]}
    folder = tmp_path / "examples"
    (folder / "Split-test").mkdir(parents=True)
    pq.write_table(pa.table(rows), folder / features.PICTURES_FILE)
    gate(folder)
    assert read_gates(tmp_path)[0].message == "off (dog/2\\n.jpg), at most 0"


def test_the_node_is_named_serving_gate_and_its_properties_are_strings():
    node = ServingGate(
        model=Channel(type=standard_artifacts.Model),
        examples=Channel(type=standard_artifacts.Examples),
        settings=ServingGateSettings(),
        split="test",
        code_digest="abc",
    )
    assert node.id == "ServingGate"
    assert all(isinstance(value, str) for value in node.exec_properties.values())
    assert list(node.outputs) == ["infra_blessing"]
