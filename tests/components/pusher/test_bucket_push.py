"""Pusher and BaselineFinder on a destination in an object store, driven as TFX drives them."""

import json
from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components import destinations, served_versions
from components.baseline_finder.executor import Executor as BaselineFinder
from components.bucket import Bucket
from components.errors import UserError
from components.gates import Gate, read_gates, write_gates
from components.object_store import StoreError
from components.pusher import bucket_push, signing
from components.pusher.executor import Executor as Pusher
from components.pusher.push import StaleComparisonError
from components.served_versions import ServedState
from tests.fixtures.object_store import s3_keys

pytestmark = pytest.mark.slow  # whole pushes: half a thousand requests

ADDRESS = "s3://models/fruit"
NOTHING = ServedState("", 0)


@pytest.fixture
def found(tmp_path):
    """`found()` is what the BaselineFinder makes of the destination."""

    def found(name="baseline", fingerprint="", destination=ADDRESS):
        baseline = standard_artifacts.Model()
        baseline.uri = str(tmp_path / name)
        (tmp_path / name).mkdir()
        properties = {"push_destination": destination, "served_fingerprint": fingerprint}
        BaselineFinder().Do({}, {"baseline": [baseline]}, properties)
        return baseline

    return found


@pytest.fixture
def node(tmp_path, saved_model):
    """`node("one", baseline)` runs the Pusher on a model; gives the artifact `pushed_model`."""

    def node(content, baseline, verdict="pass", signing_key=""):
        model = tmp_path / "trained" / content
        if not model.exists():
            model.mkdir(parents=True)
            saved_model(content).rename(model / "Format-Serving")
        blessing = {
            "model_blessing": standard_artifacts.ModelBlessing(),
            "infra_blessing": standard_artifacts.InfraBlessing(),
            "data_blessing": standard_artifacts.InfraBlessing(),
        }
        for key, artifact in blessing.items():
            artifact.uri = str(tmp_path / key)
            (tmp_path / key / "evidence").mkdir(parents=True, exist_ok=True)
            (tmp_path / key / "evidence" / key).write_text(content)
            write_gates(artifact.uri, [Gate("last", verdict, 1, 2, "the reason")])
        blessing["model_blessing"].set_string_custom_property("test_split", "a" * 64)
        trained, pushed = standard_artifacts.Model(), standard_artifacts.PushedModel()
        trained.uri, pushed.uri = str(model), str(tmp_path / "pushed")
        Path(pushed.uri).mkdir(exist_ok=True)
        inputs = {"model": trained, "baseline": baseline, **blessing}
        Pusher().Do(
            {key: [artifact] for key, artifact in inputs.items()},
            {"pushed_model": [pushed]},
            {
                "push_destination": ADDRESS,
                "signing_key": str(signing_key),
                "allow_taken_back": 0,
                "provenance": '{"recipe": {}}',
                "most_candidates": "20",
                "code_digest": "",
            },
        )
        return pushed

    return node


def test_the_first_version_and_the_next_one_that_was_compared_with_it(s3, found, node):
    nothing = found("nothing")
    assert nothing.get_int_custom_property("has_baseline") == 0
    pushed = node("one", nothing)
    assert pushed.get_string_custom_property("pushed_version") == "1"
    assert pushed.get_string_custom_property("pushed_destination") == f"{ADDRESS}/1"

    baseline = found()
    assert baseline.get_string_custom_property("version") == "1"
    assert Path(baseline.uri, "Format-Serving", "saved_model.pb").read_text() == "one"
    assert Path(baseline.uri, "evidence", "data_blessing").read_text() == "one"
    assert node("two", baseline).get_string_custom_property("pushed_version") == "2"
    assert destinations.served_state(ADDRESS) == ServedState("2", 2)
    assert [v.name for v in destinations.list_versions(ADDRESS)] == ["1", "2"]
    record = destinations.read_push_record(ADDRESS, "2")
    assert set(record.evidence) == {
        "README.md",
        "provenance.json",
        "gates.json",
        "model_blessing",
        "infra_blessing",
        "data_blessing",
    }
    with destinations.open_evidence(ADDRESS, "2") as evidence:
        assert served_versions.evidence_digests(evidence) == record.evidence
        assert [gate.name for gate in read_gates(evidence)] == ["last"] * 3


def test_of_two_pushes_to_one_bucket_one_wins_and_the_other_says_run_again(s3, found, node):
    first, second = found("first"), found("second")
    node("one", first)
    with pytest.raises(StaleComparisonError, match=r"then no version, now version 1\); run again"):
        node("two", second)
    assert destinations.served_state(ADDRESS) == ServedState("1", 1)


def test_a_push_between_the_look_and_the_write_wins(s3, saved_model, monkeypatch):
    publish, mine, others = Bucket.publish, saved_model("mine"), saved_model("other")

    def too_late(bucket, model, evidence, compared):
        if model == mine:
            bucket_push.push(others, ADDRESS, NOTHING)
        return publish(bucket, model, evidence, compared)

    monkeypatch.setattr(Bucket, "publish", too_late)
    with pytest.raises(StaleComparisonError, match="now version 1"):
        bucket_push.push(mine, ADDRESS, NOTHING)
    assert not [key for key in s3_keys(s3) if key.startswith("fruit/2/")]


def test_the_model_that_is_served_is_not_pushed_again(s3, found, node):
    node("same", found("first"))
    again = node("same", found("second"))
    assert again.get_string_custom_property("already_served") == "1"
    assert destinations.served_state(ADDRESS).highest == 1


def test_every_verdict_is_on_record(s3, found, node, tmp_path):
    nothing = found("first")
    for content in ("one", "two"):
        assert node(content, nothing, "fail").get_int_custom_property("pushed") == 0
    (row,) = read_gates(tmp_path / "pushed")
    assert row.message == "2 model(s) judged on these test pictures"
    records = [key for key in s3_keys(s3) if key.startswith(f"fruit/evidence/verdicts/{'a' * 64}/")]
    assert len(records) == 2 and destinations.champion(ADDRESS) is None
    said = json.loads(s3.get_object(Bucket="models", Key=records[0])["Body"].read())
    assert said["verdict"] == "fail"


def test_a_model_that_was_taken_back_is_not_pushed_again(s3, found, node):
    node("good", found("1"))
    node("bad", found("2"))
    assert bucket_push.republish(ADDRESS, "1", "cats became dogs") == f"{ADDRESS}/3"
    assert destinations.read_push_record(ADDRESS, "3").republished == "1"
    with pytest.raises(UserError, match=r"a rollback took this very model back .*cats became dogs"):
        node("bad", found("3"))
    with pytest.raises(UserError, match=f"version 3 is what {ADDRESS} serves already"):
        bucket_push.republish(ADDRESS, "3", "")
    node("other", found("4"))
    with pytest.raises(UserError, match="a rollback took this very model back"):
        node("bad", found("5"))


def test_a_damaged_version_is_not_gone_back_to(s3, saved_model):
    for name in ("one", "two"):
        bucket_push.push(saved_model(name), ADDRESS, destinations.served_state(ADDRESS))
    s3.put_object(Bucket="models", Key="fruit/1/1/saved_model.pb", Body=b"six")
    says = f"{ADDRESS}/1 is damaged: saved_model.pb is not what was pushed"
    with pytest.raises(UserError, match=says):
        bucket_push.republish(ADDRESS, "1", "")
    assert destinations.served_state(ADDRESS) == ServedState("2", 2)


def test_where_what_was_compared_with_is_gone_nothing_is_pushed(s3, saved_model):
    with pytest.raises(StaleComparisonError, match="then version 1, now no version"):
        bucket_push.push(saved_model("one"), ADDRESS, ServedState("1", 1))


def test_what_is_pushed_is_signed_and_what_is_not_is_not_signed_again(
    s3, found, node, signing_keys
):
    key, public = signing_keys / "own.pem", (signing_keys / "own.pub").read_bytes()
    node("one", found("1"))
    node("two", found("2"), signing_key=key)
    version = destinations.champion(ADDRESS)
    with (
        destinations.open_version(ADDRESS, version) as copy,
        destinations.open_evidence(ADDRESS, "2") as evidence,
    ):
        signing.check_signatures(copy.path, evidence, public)
    with pytest.raises(UserError, match="version 1 is not signed again: "):
        bucket_push.republish(ADDRESS, "1", "", str(key))
    node("three", found("3"), signing_key=key)
    assert bucket_push.republish(ADDRESS, "2", "", str(key)) == f"{ADDRESS}/4"
    version = destinations.champion(ADDRESS)
    with (
        destinations.open_version(ADDRESS, version) as copy,
        destinations.open_evidence(ADDRESS, "4") as evidence,
    ):
        signing.check_signatures(copy.path, evidence, public)


def test_a_damaged_champion_stops_the_run_with_advice(s3, found, saved_model):
    bucket_push.push(saved_model("one"), ADDRESS, NOTHING)
    s3.put_object(Bucket="models", Key="fruit/1/1/saved_model.pb", Body=b"two")
    says = f"{ADDRESS}/1 is damaged: saved_model.pb is not what was.*serve an older one with `graft"
    with pytest.raises(UserError, match=says):
        found()


def test_what_changed_since_the_run_began_stops_it(s3, found, saved_model):
    before = destinations.fingerprint(ADDRESS)
    bucket_push.push(saved_model("one"), ADDRESS, NOTHING)
    with pytest.raises(UserError, match="has changed since this run began; run again"):
        found("baseline", before)


@pytest.mark.parametrize(
    ("code", "destination", "says"),
    [
        ("", "s3://absent/fruit", "s3://absent/fruit: there is no such bucket: make it first"),
        ("AccessDenied", ADDRESS, f"{ADDRESS}: the store does not allow this: look at the rights"),
    ],
)
def test_a_bucket_that_cannot_be_written_stops_the_run_before_training(
    s3, found, monkeypatch, code, destination, says
):
    if code:
        monkeypatch.setattr("components.object_store._client", lambda: Forbidden(code))
    with pytest.raises(StoreError, match=f"^push.destination: {says}"):
        found("baseline", "", destination)


class Forbidden:
    """A client whose writes are refused."""

    def __init__(self, code):
        self._code = code

    def put_object(self, **_):
        from botocore.exceptions import ClientError

        raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, "PutObject")
