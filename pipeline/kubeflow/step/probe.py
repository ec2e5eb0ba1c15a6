"""The command of the step `Probe`: fingerprints of what a run finds outside of itself.

The backend's cache key holds the ids of a step's input artifacts, so below a step that is never
taken from the cache nothing ever is. The steps that read pictures and served models are therefore
cached, by fingerprints that this small step, which is not, hands them as parameters.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from components import destinations
from components.example_gen.config import DataSettings
from components.example_gen.reading import buckets, manifest, remote, sources, tfrecord
from components.example_gen.splitting import split_ledger
from components.fingerprints import files_fingerprint
from components.trainer.network import initial_weights
from components.trainer.settings.trainer import TrainerSettings
from components.trainer.targets import teacher_files
from pipeline.kubeflow.package.artifact_paths import ROOT_VARIABLE
from pipeline.kubeflow.package.setting_paths import ENVIRONMENT_DIGEST, FILES_FINGERPRINT, NOTHING
from pipeline.kubeflow.step.entrypoint import fail
from pipeline.kubeflow.step.run_parameters import apply_run_parameters


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step.

    Args:
        argv: `--executor_input` and the ExecutorInput as JSON.

    Returns:
        Exit code: 0, or 1 if something could not be looked at.
    """
    parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.step.probe")
    parser.add_argument("--executor_input", required=True)
    parser.add_argument(ENVIRONMENT_DIGEST)  # every step has it; not read here
    options = parser.parse_args(argv)
    root = os.environ.get(ROOT_VARIABLE, "")
    try:
        given = json.loads(options.executor_input)
        found = fingerprints(apply_run_parameters(given["inputs"]["parameterValues"]))
        file = Path(f"{root}{given['outputs']['outputFile']}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"parameterValues": found}), encoding="utf-8")
    except Exception as error:
        return fail(error, root)
    return 0


def fingerprints(parameters: Mapping[str, str]) -> dict[str, str]:
    """Looks at pictures, served models and the files that the Trainer reads.

    Args:
        parameters: `source`, `settings` and `unlabelled` of ImageExampleGen, `push_destination`,
            and `trainer`, `TrainerSettings` as JSON.

    Returns:
        By output parameter, none of them empty.

    Raises:
        UserError: pictures, ledger or served model cannot be used.
    """
    settings = DataSettings.model_validate_json(parameters["settings"])
    pictures = data_fingerprint(parameters["source"], settings) + named_files(settings)
    if parameters["unlabelled"]:
        pictures += sources.fingerprint(sources.list_unlabelled(parameters["unlabelled"]))
    inputs = split_ledger.ledger_inputs(pictures, parameters["settings"])
    ledger = split_ledger.ledger_fingerprint(settings.split_ledger, inputs)
    trainer = TrainerSettings.model_validate_json(parameters["trainer"])
    weights, teacher = training_files_fingerprints(trainer)
    return {
        "input_fingerprint": pictures,
        "ledger_fingerprint": ledger or NOTHING,
        "served_fingerprint": destinations.fingerprint(parameters["push_destination"]),
        "weights_fingerprint": weights or NOTHING,
        "teacher_fingerprint": teacher or NOTHING,
        FILES_FINGERPRINT: _digest(weights, teacher) if weights or teacher else NOTHING,
    }


def data_fingerprint(source: str, settings: DataSettings) -> str:
    """Changes when the pictures of a source do; reads or downloads none that its digest tells.

    Args:
        source: see `DataSettings`.
        settings: how to read it.

    Raises:
        UserError: it is not there, or not laid out as its kind should be.
    """
    if source == sources.DIGITS:
        return source
    if remote.is_address(source):
        sources.check_address(source, settings)
        name = remote.file_name(source)
        if sources.is_packed(name) and not manifest.is_manifest(name):
            # Its digest says what is behind it; in a store size and time do, as on a disk.
            said = [settings.sha256] if settings.sha256 else buckets.size_and_time(source)
            return _digest(source, *map(str, said))
    path = Path(source).expanduser()
    packed = path.is_file() and not manifest.is_manifest(path.name)
    if packed or (path.is_dir() and tfrecord.holds_tfrecords(path)):
        return files_fingerprint(path)  # to list it, it would have to be unpacked
    with tempfile.TemporaryDirectory() as workspace:
        return sources.fingerprint(sources.open_source(source, workspace, settings))


def named_files(settings: DataSettings) -> str:
    """Changes with the files that settings name beside the source, such as fixes of labels.

    Files that this step does not see are left out: they are in the image. So is the split ledger,
    which a run changes itself.
    """
    return "".join(
        files_fingerprint(Path(value))
        for key, value in settings
        if key not in ("source", "split_ledger") and isinstance(value, str) and _is_file(value)
    )


def training_files_fingerprints(settings: TrainerSettings) -> tuple[str, str]:
    """Change with the files of `backbone.weights` and of `distillation.teacher`.

    Those that this step does not see are in the Trainer's image, for which its tag or digest
    stands.
    """
    weights = teacher = ""
    if Path(settings.backbone.weights).exists():
        weights = initial_weights.fingerprint(settings.backbone)
    if settings.distillation and Path(settings.distillation.teacher).exists():
        teacher = teacher_files.fingerprint(settings.distillation)
    return weights, teacher


def _is_file(path: str) -> bool:
    return path.startswith("/") and Path(path).is_file()


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
