"""Wires the DataGate's word to the Trainer, which waits for it and obeys it.

It is a parameter, because an artifact would be part of the Trainer's cache key: what is served,
with which the DataGate compares, is another artifact in every run.
"""

from typing import Any

from pipeline.kubeflow.package.setting_paths import BLESSED
from pipeline.node_ids import DATA_GATE, TRAINER

_TYPE = {"parameterType": "STRING"}


def wire(spec: dict[str, Any]) -> None:
    """Gives the DataGate an output parameter, and the Trainer that as an input.

    Args:
        spec: a PipelineSpec as TFX compiled it; changed in place.
    """
    tasks, components = spec["root"]["dag"]["tasks"], spec["components"]
    gives, takes = (components[tasks[n]["componentRef"]["name"]] for n in (DATA_GATE, TRAINER))
    gives["outputDefinitions"].setdefault("parameters", {})[BLESSED] = _TYPE
    takes["inputDefinitions"].setdefault("parameters", {})[BLESSED] = _TYPE
    tasks[TRAINER]["inputs"].setdefault("parameters", {})[BLESSED] = {
        "taskOutputParameter": {"producerTask": DATA_GATE, "outputParameterKey": BLESSED}
    }
