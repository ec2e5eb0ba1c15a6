"""Wires the DataGate's word to the Trainer, which waits for it and obeys it.

It is a parameter, because an artifact would be part of the Trainer's cache key: what is served,
with which the DataGate compares, is another artifact in every run.
"""

from typing import Any

from pipeline.kubeflow.compiler.wiring import hand_on
from pipeline.kubeflow.package.setting_paths import BLESSED
from pipeline.node_ids import DATA_GATE, TRAINER


def wire(spec: dict[str, Any]) -> None:
    """Gives the DataGate an output parameter, and the Trainer that as an input.

    Args:
        spec: a PipelineSpec as TFX compiled it; changed in place.
    """
    hand_on(spec, DATA_GATE, TRAINER, BLESSED)
