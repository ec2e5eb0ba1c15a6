"""The command of every container: `python -m pipeline.kubeflow.step.entrypoint`.

Stands between the launcher of an open-source Kubeflow Pipelines backend and TFX's own container
entrypoint: gives input artifacts their types back, hands TFX the launcher's local folders instead
of URIs and the launcher URIs instead of folders, puts the parameters of the run into the Trainer's
settings and on record, adds what steps hand on as a parameter, and fills the outputs of Report that
the backend's own pages show.

The last line that a failing step writes begins with `graft: ` and says why; in a cluster the
launcher's own "exit status 1" follows it. Kubernetes, and so the list of runs, shows it too: it is
the container's termination message.
"""

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from components.errors import Fault, fault_of
from components.garbage import collect_seldom
from pipeline.failures import explain
from pipeline.kubeflow.package.artifact_paths import ROOT_VARIABLE
from pipeline.kubeflow.package.setting_paths import ENVIRONMENT_DIGEST, MACHINE
from pipeline.kubeflow.step import data_blessing, executor_io, pushed
from pipeline.kubeflow.step.run_parameters import apply_run_parameters

_MODEL_RUN = "model_run"  # the Trainer's output
_TERMINATION_LOG = "/dev/termination-log"
_TERMINATION_LOG_BYTES = 4096  # Kubernetes keeps no more


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one step.

    Args:
        argv: the arguments that TFX compiles into the package, placeholders filled in: the
            executor's class, the ExecutorInput, the component's inputs, then options of Beam.

    Returns:
        Exit code: 0, or 1 if the step failed.
    """
    parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.step.entrypoint")
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", required=True)
    parser.add_argument(ENVIRONMENT_DIGEST)  # for the backend's cache key; not read here
    options, beam_args = parser.parse_known_args(argv)
    root = os.environ.get(ROOT_VARIABLE, "")
    try:
        _run(options, beam_args, root)
    except Exception as error:
        return fail(error, root)
    return 0


def _run(options: argparse.Namespace, beam_args: list[str], root: str) -> None:
    given = json.loads(options.json_serialized_invocation_args)
    inputs_spec = json.loads(options.json_serialized_inputs_spec_args)
    executor_input = executor_io.for_tfx(given, inputs_spec, root)
    inputs = executor_input["inputs"]
    inputs["parameterValues"] = apply_run_parameters(inputs["parameterValues"])
    for folder in executor_io.output_folders(executor_input):
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    # Late: what is wrong with the input above needs no TensorFlow to be told.
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    from components.trainer.fitting.resume import discard_published
    from pipeline.kubeflow.step import evidence

    kubeflow_v2_run_executor._run_executor(
        argparse.Namespace(
            executor_class_path=options.executor_class_path,
            json_serialized_invocation_args=json.dumps(executor_input),
            json_serialized_inputs_spec_args=options.json_serialized_inputs_spec_args,
        ),
        beam_args,
    )
    output_file = Path(executor_input["outputs"]["outputFile"])
    output = executor_io.for_backend(json.loads(output_file.read_text("utf-8")), given, root)
    output = pushed.hand_on(data_blessing.hand_on(output, executor_input), executor_input)
    output = evidence.fill(output, executor_input, given, root)
    runs = executor_input["outputs"]["artifacts"].get(_MODEL_RUN, {}).get("artifacts", ())
    if runs:
        from pipeline.provenance import this_machine

        output = executor_io.with_parameter(output, MACHINE, json.dumps(this_machine()))
    output_file.write_text(json.dumps(output), encoding="utf-8")
    for run in runs:
        discard_published(run["uri"])


def fail(error: Exception, root: str) -> int:
    """Says why a step failed, with a traceback where the fault is Graft's.

    Args:
        error: what ended it.
        root: see `artifact_paths.ROOT_VARIABLE`.

    Returns:
        Exit code.
    """
    if fault_of(error) is Fault.GRAFT:
        traceback.print_exc()
    leave_message("; ".join(explain(error).splitlines()), root)
    return 1


def leave_message(message: str, root: str) -> None:
    """Says why a step failed, in its last line and its termination message.

    Args:
        message: one line.
        root: see `artifact_paths.ROOT_VARIABLE`.
    """
    sys.stdout.flush()  # what is still in its buffer would come after the last line
    print(f"graft: {message}", file=sys.stderr)
    file = Path(f"{root}{_TERMINATION_LOG}")
    if os.access(file, os.W_OK):
        kept = message.encode()[:_TERMINATION_LOG_BYTES].decode(errors="ignore")  # whole letters
        file.write_text(kept, encoding="utf-8")


if __name__ == "__main__":
    collect_seldom()
    sys.exit(main())
