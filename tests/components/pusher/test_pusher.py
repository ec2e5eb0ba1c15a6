"""The Pusher node, driven as TFX drives it."""

import json
import shutil
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tfx.types import Channel, standard_artifacts

from components import served_versions
from components.errors import UserError
from components.gates import Gate, read_gates, write_gates
from components.pusher import figures, signing
from components.pusher.component import Pusher
from components.pusher.executor import Executor
from components.pusher.push import republish
from components.served_versions import ServedState


@pytest.fixture
def node(tmp_path):
    """Runs the executor on a model; gives the artifact `pushed_model`."""
    saved_model = tmp_path / "model" / "Format-Serving"
    saved_model.mkdir(parents=True)

    def run(
        content, model="pass", infra="pass", data="pass", compared=None, allow=0, signing_key=""
    ):
        (saved_model / "saved_model.pb").write_text(content)
        inputs = {
            "model": standard_artifacts.Model(),
            "model_blessing": standard_artifacts.ModelBlessing(),
            "infra_blessing": standard_artifacts.InfraBlessing(),
            "data_blessing": standard_artifacts.InfraBlessing(),
            "baseline": standard_artifacts.Model(),
        }
        before = compared or served_versions.served_state(tmp_path / "serving")
        inputs["baseline"].set_string_custom_property("version", before.champion)
        inputs["baseline"].set_string_custom_property("highest_version", str(before.highest))
        for key, artifact in inputs.items():
            artifact.uri = str(tmp_path / key)
        verdicts = {"model_blessing": model, "infra_blessing": infra, "data_blessing": data}
        for key, verdict in verdicts.items():
            (tmp_path / key).mkdir(exist_ok=True)
            rows = [Gate("load", "pass", 1, 2, ""), Gate("last", verdict, 1, 2, "the reason")]
            write_gates(tmp_path / key, rows)
        inputs["model_blessing"].set_string_custom_property("test_split", "a" * 64)
        pushed = standard_artifacts.PushedModel()
        pushed.uri = str(tmp_path / "pushed")
        (tmp_path / "pushed").mkdir(exist_ok=True)
        Executor().Do(
            {key: [artifact] for key, artifact in inputs.items()},
            {"pushed_model": [pushed]},
            {
                "push_destination": str(tmp_path / "serving"),
                "signing_key": str(signing_key),
                "allow_taken_back": allow,
                "provenance": '{"recipe": {}}',
                "most_candidates": "2",
                "code_digest": "",
            },
        )
        return pushed

    return run


def test_with_a_key_the_version_and_its_evidence_are_signed(node, tmp_path, signing_keys, caplog):
    node("first", signing_key=signing_keys / "own.pem")
    serving = tmp_path / "serving"
    public = (signing_keys / "own.pub").read_bytes()
    signing.check_signatures(serving / "1", serving / "evidence" / "1", public)
    assert (signing_keys / "own.pem").read_text().splitlines()[1] not in caplog.text


def test_a_blessed_model_becomes_the_champion(node, tmp_path):
    pushed = node("first")
    version = served_versions.champion(tmp_path / "serving")
    assert (version.path / "saved_model.pb").read_text() == "first"
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == version.name
    assert pushed.get_string_custom_property("digest") == served_versions.content_digest(
        version.path
    )
    assert pushed.get_string_custom_property("pushed_destination") == str(version.path)
    assert pushed.get_string_custom_property("compared_version") == ""
    assert node("second").get_string_custom_property("compared_version") == "1"


def test_the_number_of_a_version_that_was_removed_stays_taken(node, tmp_path):
    for content in ("one", "two"):
        node(content)
    shutil.rmtree(tmp_path / "serving" / "2")
    pushed = node("three")
    assert pushed.get_string_custom_property("pushed_version") == "3"
    assert pushed.get_string_custom_property("compared_version") == "1"


@pytest.mark.parametrize(
    "verdicts", [("fail", "pass", "pass"), ("pass", "fail", "pass"), ("pass", "pass", "fail")]
)
def test_a_model_that_failed_a_gate_is_not_pushed(node, tmp_path, verdicts, caplog):
    pushed = node("bad", *verdicts)
    assert "Not pushed: the reason" in caplog.text
    assert pushed.has_custom_property("pushed")
    assert pushed.get_int_custom_property("pushed") == 0
    assert not pushed.has_custom_property("pushed_version")
    assert served_versions.list_versions(tmp_path / "serving") == []


def test_a_warning_does_not_keep_a_model_from_being_served(node, tmp_path):
    assert node("good", "warn", "pass").get_int_custom_property("pushed") == 1


def test_what_gates_and_trainer_left_as_evidence_stays_with_the_version(node, tmp_path):
    for key in ("model_blessing", "data_blessing"):
        (tmp_path / key / "evidence").mkdir(parents=True)
        (tmp_path / key / "evidence" / key).write_text(key)
    (tmp_path / "model" / "evidence").mkdir()
    (tmp_path / "model" / "evidence" / "calibration.json").write_text("{}")
    version = node("model").get_string_custom_property("pushed_version")
    evidence = served_versions.evidence_folder(tmp_path / "serving", version)
    files = {path.name for path in evidence.iterdir()}
    left = {"model_blessing", "data_blessing", "calibration.json"}
    assert files == {"pushed.json", "provenance.json", "gates.json", "README.md"} | left
    assert (evidence / "data_blessing").read_text() == "data_blessing"
    assert (evidence / "provenance.json").read_text() == '{"recipe": {}}'
    assert [gate.name for gate in read_gates(evidence)] == ["load", "last"] * 3
    assert (evidence / "README.md").read_text().startswith("---\nlibrary_name: keras\n")
    record = served_versions.read_push_record(tmp_path / "serving", version)
    assert record.evidence == served_versions.evidence_digests(evidence)
    assert set(record.evidence) == files - {"pushed.json"}


def test_of_a_gate_s_evidence_nothing_takes_the_place_of_the_pusher_s_own(node, tmp_path):
    for key in ("model_blessing", "infra_blessing", "data_blessing", "model"):
        (tmp_path / key / "evidence").mkdir(parents=True)
        for name in ("gates.json", "provenance.json", "README.md"):
            (tmp_path / key / "evidence" / name).write_text("from elsewhere")
    node("model")
    evidence = served_versions.evidence_folder(tmp_path / "serving", "1")
    assert not [path for path in evidence.iterdir() if "from elsewhere" in path.read_text()]


def test_the_card_tells_of_the_data_and_of_the_metrics(node, tmp_path):
    data, model = (tmp_path / f"{key}_blessing" / "evidence" for key in ("data", "model"))
    for folder in (data, model):
        folder.mkdir(parents=True)
    table = pa.table({"split": ["train", "train", "test"], "label": ["cat", "dog", "cat"]})
    pq.write_table(table, data / "pictures.parquet")
    metrics = {"classes": [], "overall": {"accuracy": 0.25}, "served": {}, "per_class": {}}
    (model / "metrics.json").write_text(json.dumps(metrics))
    node("model")
    card = (tmp_path / "serving" / "evidence" / "1" / "README.md").read_text()
    assert "| accuracy | 0.25 |" in card and "| cat | 1 | 1 |" in card and "| all | 2 | 1 |" in card
    assert served_versions.content_digest(tmp_path / "serving" / "1") in card


def test_a_model_that_was_taken_back_is_not_pushed_again_unless_told(node, tmp_path):
    serving = tmp_path / "serving"
    for content in ("good", "bad"):
        node(content)
    republish(serving, "1", "cats became dogs")
    assert served_versions.champion(serving).name == "3"
    record = served_versions.evidence_folder(serving, "3") / served_versions.PUSH_FILE
    fields = json.loads(record.read_text())
    record.write_text(json.dumps({**fields, "pushed_at": "2026-11-24T10:00:00+00:00"}))
    says = r"a rollback took this very model back on 2026-11-24 \(cats became dogs\); push\.allow_"
    with pytest.raises(UserError, match=says):
        node("bad")
    record.write_text(json.dumps({**fields, "reason": ""}))
    with pytest.raises(UserError, match=r"took this very model back on 20[\d-]*; push\.allow_"):
        node("bad")
    assert node("other").get_int_custom_property("pushed") == 1
    assert node("bad", allow=1).get_int_custom_property("pushed") == 1
    assert node("other").get_int_custom_property("pushed") == 1, "it was replaced, not taken back"
    assert node("bad").get_int_custom_property("pushed") == 1, "it was served again since"


def test_a_retrained_model_of_the_same_size_is_another_model(node, tmp_path):
    assert node("same").get_int_custom_property("pushed") == 1
    assert node("came").get_int_custom_property("pushed") == 1


def test_the_served_model_is_not_pushed_again(node, tmp_path):
    version = node("same").get_string_custom_property("pushed_version")
    again = node("same")
    assert again.get_int_custom_property("pushed") == 0
    assert again.get_string_custom_property("already_served") == version
    assert len(served_versions.list_versions(tmp_path / "serving")) == 1
    assert node("other").get_int_custom_property("pushed") == 1
    assert len(served_versions.list_versions(tmp_path / "serving")) == 2


def test_a_model_that_was_compared_with_another_version_is_not_pushed(node, tmp_path):
    compared = ServedState("", 0)
    node("first", compared=compared)
    with pytest.raises(ValueError, match=r"then no version, now version 1\); run again"):
        node("second", compared=compared)
    assert (tmp_path / "serving" / "1" / "saved_model.pb").read_text() == "first"


def test_the_model_that_is_served_needs_no_other_comparison(node):
    node("same", compared=ServedState("", 0))
    again = node("same", compared=ServedState("", 0))
    assert again.get_string_custom_property("already_served") == "1"


def test_every_verdict_is_on_record_and_wears_the_test_split(node, tmp_path):
    messages = []
    for content, model in (("one", "fail"), ("two", "pass"), ("one", "fail"), ("six", "pass")):
        node(content, model)
        (row,) = read_gates(tmp_path / "pushed")
        messages.append((row.verdict, row.message))
    assert messages[:3] == [
        ("pass", "1 model(s) judged on these test pictures"),
        ("pass", "2 model(s) judged on these test pictures"),
        ("pass", "2 model(s) judged on these test pictures"),
    ]
    assert messages[3] == (
        "warn",
        "3 model(s) judged on these test pictures, more than 2: it is worn out, draw another or "
        "add pictures",
    )
    folder = tmp_path / "serving" / "evidence" / "verdicts" / ("a" * 64)
    records = [json.loads(path.read_text()) for path in folder.glob("*-fail.json")]
    assert len(records) == 1 and records[0]["failed"] == ["last"]


def test_an_unwritable_destination_is_one_clear_error(node, tmp_path):
    (tmp_path / "serving").write_text("a file")
    with pytest.raises(ValueError, match=r"push\.destination: cannot write to .*serving"):
        node("model", compared=ServedState("", 0))


def test_the_node_is_named_pusher_and_has_its_properties():
    node = Pusher(
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        infra_blessing=Channel(type=standard_artifacts.InfraBlessing),
        data_blessing=Channel(type=standard_artifacts.InfraBlessing),
        baseline=Channel(type=standard_artifacts.Model),
        push_destination="serving",
        signing_key="/keys/own.pem",
        allow_taken_back=False,
        provenance="{}",
        most_candidates=20,
        code_digest="abc",
    )
    assert node.id == "Pusher"
    assert node.exec_properties == {
        "push_destination": "serving",
        "signing_key": "/keys/own.pem",
        "allow_taken_back": 0,
        "provenance": "{}",
        "most_candidates": "20",
        "code_digest": "abc",
    }
    assert list(node.outputs) == ["pushed_model"]


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"pushed_version": "7"}, "version 7"),
        ({"already_served": "6"}, "served already: 6"),
        ({}, "not pushed"),
    ],
)
def test_the_line_that_it_ends_with(told, line):
    artifact = SimpleNamespace(get_string_custom_property=lambda name: told.get(name, ""))
    assert figures.describe({"pushed_model": [artifact]}) == line
