"""`graft reproduce`."""

from pathlib import Path
from typing import Any

import pydantic
from rich.console import Console

from components import destinations, features, served_versions
from components.data_gate.pictures import read_pictures
from components.errors import UserError
from components.validation import explain
from pipeline.commands.local_run import run_locally
from pipeline.config import Recipe, load_recipe
from pipeline.console import say
from pipeline.evidence import read_evidence
from pipeline.node_ids import IMAGE_EXAMPLE_GEN, TRAINER
from pipeline.preflight import Inspection
from pipeline.provenance import this_machine
from pipeline.run_display import Display

_WEIGHTS = "variables/variables.data-00000-of-00001"


def reproduce(config: str, overrides: list[str], version: str, verbose: bool, wait: bool) -> int:
    """Trains a version again from what was recorded of it, and compares the weights.

    Nothing is pushed. What it makes lies in `reproduce/<version>` in the recipe's folder, from
    which the same command goes on.

    Args:
        config: name or path of the recipe whose destination holds the version.
        overrides: `key=value`, see `load_recipe`.
        version: its number.
        verbose: leaves the log on the terminal.
        wait: until another reproduction of this version has ended.

    Returns:
        The exit code: 0 when the weights are equal to the byte, 1 when they are not or a node
        failed.

    Raises:
        UserError: there is no such version, it has no record of what it was made of, or this Graft
            does not take its recipe.
    """
    told = load_recipe(config, overrides)
    destinations.refuse_bucket(
        told.push_destination, "graft reproduce", "copy the version into one and name that"
    )
    folder = served_versions.find_version(told.push_destination, version).path
    weights = folder / _WEIGHTS
    recorded = read_evidence(told.push_destination, version).provenance
    if not recorded:
        raise UserError(f"{folder} has no record of what it was made of: it cannot be made again")
    try:
        # It is trained here, where the block of a cluster says nothing; a rehearsal has put its
        # own folders into that.
        recipe = Recipe.model_validate({**recorded["recipe"], "kubeflow": {}})
    except pydantic.ValidationError as error:  # made by another Graft, with other keys or rules
        raise UserError(
            f"version {version} was made by a recipe that this Graft does not take:\n"
            f"{explain(error, Recipe)}"
        ) from error
    recipe = recipe.replaced(
        workspace=str(told.folder / "reproduce" / version),
        # In the workspace, where nothing is to be compared with; nothing is pushed.
        push=recipe.push.replaced(destination="", sign=None),
    )

    def work(console: Console, found: Inspection, display: Display) -> int:
        from pipeline.local_runner import run_up_to

        outputs = run_up_to(TRAINER, recipe, display, found)
        if TRAINER not in outputs:  # the display has said why
            return 1
        again = Path(outputs[TRAINER]["model"][0].uri, "Format-Serving", _WEIGHTS)
        if again.read_bytes() == weights.read_bytes():
            say(console, f"The weights of version {version} are reproduced, equal to the byte")
            return 0
        examples = Path(outputs[IMAGE_EXAMPLE_GEN]["examples"][0].uri)
        then = served_versions.evidence_folder(told.push_destination, version)
        causes = _differences(recipe, recorded)
        if _pictures(examples) != _pictures(then):
            causes.insert(0, "pictures, labels or splits")
        why = f"other than then: {', '.join(causes)}" if causes else "nothing else is known to"
        say(console, f"The weights of version {version} differ; {why}", style="red")
        return 1

    return run_locally(recipe, f"Version {version} again", work, verbose=verbose, wait=wait)


def _differences(recipe: Recipe, recorded: dict[str, Any]) -> list[str]:
    """What is known to be other than when a version was made, but for the pictures."""
    from components.trainer.network import initial_weights
    from components.trainer.targets import teacher_files

    inputs = {
        "weights_fingerprint": initial_weights.fingerprint(recipe.backbone),
        "teacher_fingerprint": teacher_files.fingerprint(recipe.distillation),
    }
    now = {"inputs": inputs, **this_machine()}
    words = {
        "Graft's code": (now["code"], recorded["code"]),
        "versions of libraries": (now["libraries"], recorded["libraries"]),
        "the processor": (now["processor"], recorded.get("processor")),
        "the files of backbone.weights": [
            of["inputs"].get("weights_fingerprint") for of in (now, recorded)
        ],
        "the teacher": [of["inputs"].get("teacher_fingerprint") for of in (now, recorded)],
    }
    return [what for what, (one, other) in words.items() if one != other]


def _pictures(folder: Path) -> list[tuple[str, str, str]]:
    """Content id, label and split of each picture; nothing where there is no table."""
    try:
        table = read_pictures(folder)
    except UserError:
        return []
    names = (features.IMAGE_ID, features.LABEL, features.SPLIT)
    return sorted(zip(*(table[name] for name in names), strict=True))
