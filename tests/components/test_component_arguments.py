"""What the wiring gives a node arrives under its own name, also of two channels of one type."""

import pytest
from tfx.types import Channel, standard_artifacts

from components.baseline_finder.component import BaselineFinder
from components.data_gate.component import DataGate
from components.data_gate.config import DataGateSettings
from components.evaluator.component import Evaluator
from components.evaluator.config import EvaluationSettings
from components.example_gen.component import ImageExampleGen
from components.example_gen.config import DataSettings
from components.pusher.component import Pusher
from components.report.component import Report
from components.serving_gate.component import ServingGate
from components.serving_gate.config import ServingGateSettings

_MODEL, _INFRA = standard_artifacts.Model, standard_artifacts.InfraBlessing
_EXAMPLES, _EVALUATION = standard_artifacts.Examples, standard_artifacts.ModelEvaluation
_BLESSING = standard_artifacts.ModelBlessing
_DATA, _EVALUATOR = DataGateSettings(allow_leakage=True), EvaluationSettings(confidence=0.9)
_SERVING, _PICTURES = ServingGateSettings(samples=7), DataSettings(min_per_class=5)


@pytest.mark.parametrize(
    ("node", "channels", "arguments", "properties"),
    [
        (
            ImageExampleGen,
            {},
            {
                **dict.fromkeys(("source", "unlabelled", "code_digest")),
                **dict.fromkeys(("input_fingerprint", "ledger_fingerprint")),
                "settings": _PICTURES,
            },
            {"settings": _PICTURES.model_dump_json()},
        ),
        (
            BaselineFinder,
            {},
            dict.fromkeys(("push_destination", "served_fingerprint", "code_digest")),
            {},
        ),
        (
            DataGate,
            {
                "examples": _EXAMPLES,
                "statistics": standard_artifacts.ExampleStatistics,
                "anomalies": standard_artifacts.ExampleAnomalies,
                "baseline": _MODEL,
            },
            {"settings": _DATA, "code_digest": None},
            {"settings": _DATA.model_dump_json()},
        ),
        (
            Evaluator,
            {"examples": _EXAMPLES, "model": _MODEL, "baseline_model": _MODEL},
            {"settings": _EVALUATOR, "example_splits": ["a", "b"], "code_digest": None},
            {"settings": _EVALUATOR.model_dump_json(), "example_splits": '["a", "b"]'},
        ),
        (
            ServingGate,
            {"model": _MODEL, "examples": _EXAMPLES},
            {"settings": _SERVING, "split": None, "code_digest": None},
            {"settings": _SERVING.model_dump_json()},
        ),
        (
            Pusher,
            {
                "model": _MODEL,
                "model_blessing": _BLESSING,
                "infra_blessing": _INFRA,
                "data_blessing": _INFRA,
                "baseline": _MODEL,
            },
            {
                **dict.fromkeys(("push_destination", "signing_key", "provenance", "code_digest")),
                "allow_taken_back": True,
                "most_candidates": 9,
            },
            {"allow_taken_back": 1, "most_candidates": "9"},
        ),
        (
            Report,
            {
                "data_blessing": _INFRA,
                "model_run": standard_artifacts.ModelRun,
                "evaluation": _EVALUATION,
                "model_blessing": _BLESSING,
                "infra_blessing": _INFRA,
                "pushed_model": standard_artifacts.PushedModel,
            },
            dict.fromkeys(("make", "provenance")),
            {},
        ),
    ],
)
def test_every_argument_arrives_under_its_own_name(node, channels, arguments, properties):
    given = {name: Channel(type=kind) for name, kind in channels.items()}
    texts = {name: f"the {name}" if value is None else value for name, value in arguments.items()}
    made = node(**given, **texts)
    assert made.inputs.keys() == given.keys()
    assert all(made.inputs[name] is channel for name, channel in given.items())
    assert made.exec_properties == texts | properties
