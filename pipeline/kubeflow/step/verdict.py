"""The command of the steps `DataVerdict` and `Verdict`: ends a run with the words of a no."""

import argparse
import json
import os
import sys
from collections.abc import Sequence

from pipeline.kubeflow.package.artifact_paths import ROOT_VARIABLE
from pipeline.kubeflow.package.setting_paths import ENVIRONMENT_DIGEST
from pipeline.kubeflow.step.entrypoint import leave_message
from pipeline.kubeflow.step.pushed import YES


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step.

    Args:
        argv: `--executor_input` and the ExecutorInput as JSON.

    Returns:
        Exit code: 0 if the word that the step was given is a yes, otherwise 1.
    """
    parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.step.verdict")
    parser.add_argument("--executor_input", required=True)
    parser.add_argument(ENVIRONMENT_DIGEST)  # every step has it; not read here
    options = parser.parse_args(argv)
    (word,) = json.loads(options.executor_input)["inputs"]["parameterValues"].values()
    if word == YES:
        return 0
    leave_message(word, os.environ.get(ROOT_VARIABLE, ""))
    return 1


if __name__ == "__main__":
    sys.exit(main())
