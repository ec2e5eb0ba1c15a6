"""Whether a run can only repeat the one that made what is served."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx.utils import path_utils

from components import destinations, served_versions
from components.errors import UserError
from pipeline import artifact_manifests
from pipeline.config import Recipe
from pipeline.evidence import read_evidence
from pipeline.node_ids import PUSHER, TRAINER
from pipeline.run_history import RunRecord, list_runs

SERVED_FINGERPRINT = "served_fingerprint"
"""Key of `inputs` in a version's provenance: what it was compared with when it was pushed."""


def compared_fingerprint(
    recipe: Recipe, inputs: Mapping[str, str], machine: Mapping[str, Any], destination: str
) -> tuple[str, str]:
    """Which state of the destination the BaselineFinder of a run is to find.

    What is served was compared with what was served before it. A run of the same recipe on the same
    pictures makes the same model; to compare that with itself would prove nothing, so it goes by
    what was compared then, all of which is in the cache.

    Args:
        recipe: to be run, in its folder.
        inputs: fingerprints of what is read beside it, as its provenance is to have them.
        machine: of `provenance.this_machine`.
        destination: of the served versions.

    Returns:
        `destinations.fingerprint` of now, and nothing; or that of before the push of what is
        served, and its version, where the run that pushed it was made of the same, and all that the
        cache needs of it is there.
    """
    now = destinations.fingerprint(destination), ""
    version = destinations.served_state(destination).champion
    try:
        recorded = read_evidence(destination, version).provenance if version else {}
    except UserError:  # whoever compares with it tells of that
        return now
    then = recorded.get("inputs", {}).get(SERVED_FINGERPRINT)
    same = {
        "recipe": recipe.model_dump(mode="json"),
        "inputs": {**inputs, SERVED_FINGERPRINT: then},
        **machine,
    }
    if then is None or any(recorded.get(key) != value for key, value in same.items()):
        return now
    folder, place = recipe.folder.absolute(), destinations.place_of(destination, version)
    pushed = [run for run in list_runs(folder) if run.pushed == place]
    _, digest = destinations.served_digest(destination)
    return (then, version) if pushed and _has_left(pushed[-1], digest, folder) else now


def _has_left(run: RunRecord, digest: str, folder: Path) -> bool:
    """Whether what a run made but for its push is there, with the model of this digest."""
    made = {output: str(uri) for output, uri in run.artifacts.items() if output[0] != PUSHER}
    return (
        all(artifact_manifests.is_whole(folder, uri) for uri in made.values())
        and served_versions.content_digest(path_utils.serving_model_path(made[TRAINER, "model"]))
        == digest
    )
