"""Each check, on a sound model and on one that is broken in the way it looks for."""

import pytest
import tensorflow as tf

from components.serving_gate import client
from components.serving_gate.config import ServingGateSettings

# Nearly each saves a model, loads it and asks it: 18 tests take as long as 400 others.
pytestmark = pytest.mark.slow

ALL = (
    "operations",
    "load",
    "signatures",
    "warm-up",
    "one picture",
    "batch",
    "probabilities",
    "parity",
    "original files",
    "orientations",
    "malformed bytes",
    "latency",
)


@pytest.fixture
def run(examples):
    """Makes all checks of a SavedModel in this process; gives them by name.

    `run.waited` are those that were made when it waited for quiet.
    """

    def run(saved_model, split=examples / "Split-test", **settings):
        request = {
            "model": str(saved_model),
            "examples": str(split),
            "originals": str(examples / "originals"),
            "settings": ServingGateSettings(latency_requests=3, **settings).model_dump(),
        }
        gates, run.waited = {}, []
        for gate in client.run(request, lambda: run.waited.append(tuple(gates))):
            gates[gate.name] = gate
        return gates

    return run


def failed(gates) -> set[str]:
    return {name for name, gate in gates.items() if gate.verdict == "fail"}


def test_a_sound_model_passes_every_check(run, model):
    gates = run(model / "Format-Serving")
    assert tuple(gates) == ALL
    assert run.waited == [ALL[:-1]], "other work may go on until the latency is measured"
    assert failed(gates) == set()
    assert gates["warm-up"].message == "4 requests replayed, as a server does"
    assert gates["one picture"].message == "1 in, 1 names out"
    assert gates["batch"].message == "64 in, 64 names out"
    assert gates["original files"].message.startswith("2 files differ from")
    assert "refused, as agreed: 1 TEXT" in gates["original files"].message
    assert 0 < gates["latency"].value < gates["latency"].bound == 1000
    assert gates["parity"].value <= gates["parity"].bound == 1e-4
    assert (gates["operations"].value, gates["operations"].bound) == (0, 0)


def test_a_model_that_says_how_sure_it_is_passes_too(run, save_model, tmp_path):
    assert failed(run(save_model(tmp_path / "model", sure_from=0.8))) == set()


@pytest.mark.parametrize(
    ("fault", "checks", "message"),
    [
        ("hedges once", {"signatures"}, "output of from_examples: no unsure"),
        ("label not in its set", {"one picture", "batch"}, "label is not in its own label set"),
    ],
)
def test_what_it_says_of_its_sureness_is_held_to_the_contract(
    run, save_model, tmp_path, fault, checks, message
):
    gates = run(save_model(tmp_path / "model", sure_from=0.8, fault=fault))
    assert failed(gates) == checks
    assert any(message in gates[name].message for name in checks)


@pytest.mark.parametrize(
    ("fault", "checks", "message"),
    [
        ("nan", {*ALL} - {"operations", "load", "signatures", "warm-up", "latency"}, "finite"),
        ("refuses", {*ALL} - {"operations", "load", "signatures"}, "Input is empty."),
        ("sum", {"probabilities"}, "sums off 1 by 1.0e-01"),
        ("skew", {"parity"}, "differ by"),
        ("names", {"one picture", "batch"}, "classes are"),
        ("dtype", {"signatures"}, "probabilities is float64, not float32"),
        ("never refuses", {"malformed bytes"}, "empty bytes got an answer"),
        ("signature", {"signatures", "parity"}, "no signature from_examples"),
    ],
)
def test_a_broken_model_fails_the_check_that_looks_for_it(
    run, save_model, tmp_path, fault, checks, message
):
    gates = run(save_model(tmp_path / "model", fault=fault))
    assert failed(gates) == checks
    assert any(message in gates[name].message for name in checks)


def test_a_model_that_is_slow_to_load_or_to_answer_fails_and_is_asked_all_the_same(run, model):
    gates = run(model / "Format-Serving", max_latency_ms=0.001, max_load_seconds=0.0001, samples=1)
    assert tuple(gates) == ALL and failed(gates) == {"load", "latency"}
    assert gates["latency"].message.endswith("ms, at most 0.001 allowed")
    assert gates["probabilities"].message.startswith("1 pictures: ")
    assert gates["original files"].message.startswith("1 files differ")


def test_the_seconds_of_loading_are_those_that_the_model_takes(run, model, monkeypatch):
    now, load = [0.0], tf.saved_model.load

    def slow(path):
        now[0] += 7.0
        return load(path)

    monkeypatch.setattr(tf.saved_model, "load", slow)
    monkeypatch.setattr(client.time, "perf_counter", lambda: now[0])
    gate = run(model / "Format-Serving", max_load_seconds=8.0)["load"]
    assert gate.value == 7.0 and gate.message == "loaded in 7.0 s, at most 8 allowed"


@pytest.mark.parametrize(
    ("spoil", "check", "message"),
    [
        (
            lambda folder: (folder / "saved_model.pb").write_bytes(b"broken"),
            "operations",
            "saved_model.pb is damaged",
        ),
        (
            lambda folder: (folder / "assets.extra" / "classes.txt").unlink(),
            "load",
            "classes.txt is missing",
        ),
    ],
)
def test_a_model_that_cannot_be_loaded_fails_and_nothing_more_is_asked(
    run, save_model, tmp_path, spoil, check, message
):
    spoil(save_model(tmp_path / "model"))
    gates = run(tmp_path / "model")
    assert failed(gates) == {check} and list(gates)[-1] == check
    assert message in gates[check].message


def test_a_model_that_writes_files_is_not_even_loaded(run, save_model, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "load", None)
    gates = run(save_model(tmp_path / "model", fault="writes"))
    assert list(gates) == ["operations"] and failed(gates) == {"operations"}
    assert (gates["operations"].value, gates["operations"].bound) == (1, 0)
    assert "by WriteFile (in the function" in gates["operations"].message


def test_without_pictures_nothing_is_proved(run, model, tmp_path):
    gates = run(model / "Format-Serving", split=tmp_path)
    assert failed(gates) == {"load"}
    assert gates["load"].message.startswith("no pictures in")
