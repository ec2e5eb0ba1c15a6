"""Adds to a package what follows the Pusher: the outputs of Report, and the step Verdict.

A step that fails loses its outputs, and nothing after it is scheduled. So a Pusher that is told no
ends well, the Report tells why, and a last step of a few lines ends the run as failed.
"""

from typing import Any

from pipeline.kubeflow.compiler.wiring import add_step, hand_on
from pipeline.kubeflow.package import report_outputs
from pipeline.kubeflow.package.setting_paths import PUSHED
from pipeline.node_ids import PUSHER, REPORT, VERDICT

COMMAND = ("python", "-m", "pipeline.kubeflow.step.verdict")


def add_evidence(spec: dict[str, Any]) -> None:
    """Gives Report the outputs that the backend's pages show.

    Args:
        spec: a PipelineSpec as TFX compiled it; changed in place.
    """
    component = spec["components"][spec["root"]["dag"]["tasks"][REPORT]["componentRef"]["name"]]
    component["outputDefinitions"]["artifacts"] |= {
        key: {
            "artifactType": {"schemaTitle": title, "schemaVersion": report_outputs.SCHEMA_VERSION}
        }
        for key, title in report_outputs.TYPES.items()
    }


def add_verdict(spec: dict[str, Any]) -> None:
    """Adds the last step, which has the Pusher's word and waits for Report.

    Args:
        spec: a PipelineSpec as TFX compiled it; changed in place.
    """
    add_step(spec, VERDICT, COMMAND)
    hand_on(spec, PUSHER, VERDICT, PUSHED)
    spec["root"]["dag"]["tasks"][VERDICT]["dependentTasks"] = [PUSHER, REPORT]
