"""Adds to a package what ends a run as failed after a no of the DataGate: the step DataVerdict.

The Trainer waits for it, so that no pod, with its GPU, is asked for in vain, and tried again. By
order alone: an input would be part of the Trainer's cache key, and what is served, with which the
DataGate compares, is another artifact in every run.
"""

from typing import Any

from pipeline.kubeflow.compiler.report import COMMAND
from pipeline.kubeflow.compiler.wiring import add_step, hand_on
from pipeline.kubeflow.package.setting_paths import BLESSED
from pipeline.node_ids import DATA_GATE, DATA_VERDICT, TRAINER


def add_verdict(spec: dict[str, Any]) -> None:
    """Adds the step, which has the DataGate's word, before the Trainer.

    Args:
        spec: a PipelineSpec as TFX compiled it; changed in place.
    """
    add_step(spec, DATA_VERDICT, COMMAND)
    hand_on(spec, DATA_GATE, DATA_VERDICT, BLESSED)
    tasks = spec["root"]["dag"]["tasks"]
    tasks[DATA_VERDICT]["dependentTasks"] = [DATA_GATE]
    trainer = tasks[TRAINER]
    trainer["dependentTasks"] = sorted({*trainer.get("dependentTasks", ()), DATA_VERDICT})
