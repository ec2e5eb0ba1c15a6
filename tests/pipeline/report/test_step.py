"""The page as the node Report makes it, from what the other nodes handed on."""

import json
import re
import shutil
from datetime import datetime

import pytest

from components.gates import write_gates
from pipeline.config import load_recipe
from pipeline.report import page, step
from pipeline.report.step import make_report

pytestmark = pytest.mark.usefixtures("quick_charts")

PUSHED = {
    "pushed_version": "8",
    "pushed_destination": "/mnt/serving/tiny/8",
    "already_served": "",
    "compared_version": "7",
    "digest": "0a1b",
}
REFUSED = {**dict.fromkeys(PUSHED, ""), "compared_version": "7", "digest": "0a1b"}


@pytest.fixture
def made(pushed):
    """Makes the page as on a cluster, where nothing but the inputs is there, and its facts."""
    folders = pushed.artifacts
    blessing = pushed.artifact("DataGate", "data_blessing")
    for name in ("summary.json", "quarantine.jsonl"):
        shutil.move(folders["ImageExampleGen", "examples"] / name, blessing / name)
    write_gates(blessing, [pushed.PASS])
    shutil.rmtree(pushed.pictures)
    recipe = load_recipe(str(pushed.config)).model_dump(mode="json")
    # In a rehearsal a claim's path is that of its folder here, which could not be mounted.
    recipe["kubeflow"]["pvcs"] = {"models": "/tmp/rehearsal/pvc/models"}
    inputs = {
        "data_blessing": blessing,
        "model_run": folders["Trainer", "model_run"],
        "evaluation": folders["Evaluator", "evaluation"],
        "model_blessing": folders["Evaluator", "blessing"],
        "infra_blessing": pushed.artifact("ServingGate", "infra_blessing"),
        "pushed_model": pushed.artifact("Pusher", "pushed_model"),
    }

    def made(told: dict[str, str]) -> tuple[str, dict]:
        page, facts = make_report(inputs, told, json.dumps({"recipe": recipe}))
        return page, json.loads(facts)

    return made


def test_it_tells_all_that_the_inputs_hold(made, pushed):
    page, facts = made(PUSHED)
    (left_out,) = re.findall("<li>Time: (.*?);", page)
    assert left_out == "no step knows how long the others took"
    assert page.count("<section") == 10, "all others, and the list of those that are left out"
    assert "data:image/jpeg" in page
    assert facts["verdict"]["sentence"] == "Served as version 8: no gate said no."
    assert facts["verdict"]["served_now"] == "version 8"
    assert facts["verdict"]["served_before"] == "version 7"
    assert facts["abstention"]["before"]["temperature"] == 2.0
    assert facts["lineage"]["digest"] == "0a1b"
    assert facts["data"]["total"] == 4 and facts["data"]["set_aside"] == 1
    wanted = "graft versions rollback --recipe tiny.yaml --set push.destination=/mnt/serving/tiny"
    assert facts["verdict"]["roll_back"] == wanted


def test_a_model_that_was_refused_is_told_of_and_what_stays_served(made, pushed):
    write_gates(pushed.artifacts["ServingGate", "infra_blessing"], [pushed.FAIL])
    _, facts = made(REFUSED)
    assert facts["verdict"]["sentence"] == "Not served. A gate said no: latency."
    assert facts["verdict"]["served_now"] == "version 7"
    assert facts["verdict"]["roll_back"] == "" and facts["lineage"]["commands"] == []


def test_what_is_missing_was_not_pruned(made, pushed):
    shutil.rmtree(pushed.artifacts["Trainer", "model_run"])
    page, _ = made(PUSHED)
    assert "<li>Training: what Trainer left did not come to this step.</li>" in page
    assert "graft runs prune" not in page


@pytest.fixture
def facts(made, monkeypatch):
    """The facts alone, of which no page is made."""
    monkeypatch.setattr(page, "make_page", lambda _: "")
    return lambda told: made(told)[1]


def test_a_model_that_is_served_already_is_told_by_its_version(facts):
    told = facts({**dict.fromkeys(PUSHED, ""), "already_served": "7", "compared_version": "7"})[
        "verdict"
    ]
    assert told["sentence"] == "Served as version 7: no gate said no."
    assert (told["served_now"], told["roll_back"]) == ("version 7", "")


@pytest.mark.usefixtures("far_east")
def test_the_run_is_called_by_its_time_in_utc(facts, monkeypatch):
    class Clock:
        @staticmethod
        def now(zone=None):
            return datetime.fromtimestamp(0, zone)

    monkeypatch.setattr(step, "datetime", Clock)
    assert facts(PUSHED)["run"] == "1970-01-01T00:00:00 UTC"


def test_a_recipe_that_comes_with_graft_is_named_as_it_is(facts, monkeypatch):
    monkeypatch.setattr(step, "recipe_names", lambda: ["tiny"])
    assert "versions rollback --recipe tiny --set" in facts(PUSHED)["verdict"]["roll_back"]


@pytest.mark.parametrize("served", ["/mnt/serving/tiny", "s3://bucket/served/tiny"])
def test_the_commands_are_about_the_version_where_it_was_pushed(facts, served):
    place = f"--recipe tiny.yaml --set push.destination={served}"
    told = facts({**PUSHED, "pushed_destination": f"{served}/8"})
    assert told["verdict"]["roll_back"] == f"graft versions rollback {place}"
    assert told["lineage"]["commands"] == [
        f"graft verify 8 {place}",
        f"graft versions show 8 {place}",
        f"graft reproduce 8 {place}",
    ]


def test_the_origin_is_that_beside_the_pushed_model(facts, pushed):
    origin = {"inputs": {}, "code": "c", "libraries": "l", "versions": {"tfx": "1"}, "git": None}
    evidence = pushed.artifacts["Pusher", "pushed_model"] / "evidence"
    evidence.mkdir()
    (evidence / "provenance.json").write_text(json.dumps(origin))
    assert facts(PUSHED)["lineage"]["origin"]["tfx version"] == "1"
