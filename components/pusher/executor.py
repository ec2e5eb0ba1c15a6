"""Executor of the Pusher."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfx.components.pusher import executor as stock
from tfx.types import Artifact, artifact_utils, standard_component_specs

from components import destinations, served_versions
from components.errors import UserError
from components.files import write_atomically
from components.gates import Gate, failed, read_gates, write_gates
from components.pusher import bucket_push, model_card, verdicts
from components.pusher.push import push
from components.served_versions import ServedState

_BLESSINGS = (
    "data_blessing",
    standard_component_specs.MODEL_BLESSING_KEY,
    standard_component_specs.INFRA_BLESSING_KEY,
)


class Executor(stock.Executor):
    """The stock executor, which goes by the gates and whose copy is never seen half-done."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model unless a gate failed, or it is what the destination serves already.

        What a gate left in the folder `evidence` of its blessing, and the Trainer in that of its
        model, stays with the version, together with the rows of all gates, where the model comes
        from, and a model card.

        The output `pushed_model` says what happened in its custom properties: `pushed` 1 with
        `pushed_destination` and `pushed_version`; or `pushed` 0, with the version in
        `already_served` where the same model is served. `compared_version` is what was served
        before; empty: nothing. `digest` is the model's SHA-256. In its `gates.json` a row says how
        many models were judged on this test split.

        Raises:
            UserError: the destination cannot be written, it serves something else than the model
                was compared with, or a rollback took this model back.
            OSError: the copy failed; the destination is as it was.
        """
        pushed_model = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        self._MarkNotPushed(pushed_model)
        compared = _compared(input_dict)
        pushed_model.set_string_custom_property("compared_version", compared.champion)
        blessings = [artifact_utils.get_single_uri(input_dict[key]) for key in _BLESSINGS]
        gates = [gate for blessing in blessings for gate in read_gates(blessing)]
        destination = exec_properties[standard_component_specs.PUSH_DESTINATION_KEY]
        model = Path(self.GetModelPath(input_dict))
        digest = served_versions.content_digest(model)
        pushed_model.set_string_custom_property("digest", digest)
        _note_verdict(input_dict, pushed_model, destination, digest, gates, exec_properties)
        if refusals := failed(gates):
            logging.warning("Not pushed: %s", "; ".join(gate.message for gate in refusals))
            return
        destinations.check_writable(destination)
        champion, served_digest = destinations.served_digest(destination)
        if champion and served_digest == digest:
            pushed_model.set_string_custom_property("already_served", champion)
            logging.info("Not pushed: version %s in %s is this model", champion, destination)
            return
        if not exec_properties["allow_taken_back"]:
            _refuse_taken_back(destination, digest)
        own = Path(pushed_model.uri, served_versions.EVIDENCE)
        of_gates = [Path(blessing, served_versions.EVIDENCE) for blessing in blessings]
        _write_evidence(own, gates, exec_properties["provenance"])
        _write_card(own, of_gates, gates, exec_properties["provenance"], digest)
        trained = artifact_utils.get_single_uri(input_dict[standard_component_specs.MODEL_KEY])
        evidence = [*of_gates, Path(trained, served_versions.EVIDENCE), own]
        key = exec_properties["signing_key"]
        if destinations.is_bucket(destination):
            place = bucket_push.push(model, destination, compared, evidence, key)
        else:
            place = str(push(model, Path(destination), compared, evidence, key))
        version = place.rpartition("/")[2]
        self._MarkPushed(pushed_model, pushed_destination=place, pushed_version=version)
        logging.info("Pushed to %s", place)


def _refuse_taken_back(destination: str, digest: str) -> None:
    rollback = destinations.taken_back(destination).get(digest)
    if rollback:
        record = destinations.read_push_record(destination, rollback)
        because = f" ({record.reason})" if record.reason else ""
        raise UserError(
            f"not pushed: a rollback took this very model back on {record.pushed_at:%Y-%m-%d}"
            f"{because}; push.allow_taken_back=true pushes it all the same"
        )


def _write_evidence(folder: Path, gates: list[Gate], provenance: str) -> None:
    folder.mkdir(exist_ok=True)
    write_gates(folder, gates)
    write_atomically(folder / served_versions.PROVENANCE_FILE, provenance)


def _write_card(
    own: Path, of_gates: Sequence[Path], gates: list[Gate], provenance: str, digest: str
) -> None:
    """The model card, from what is to lie beside it."""
    of_data, of_model, _ = of_gates
    card = model_card.make_card(
        json.loads(provenance),
        gates,
        model_card.read_metrics(of_model),
        model_card.count_pictures(of_data),
        digest,
    )
    write_atomically(own / model_card.CARD_FILE, card)


def _note_verdict(
    input_dict: dict[str, list[Artifact]],
    pushed_model: Artifact,
    destination: str,
    digest: str,
    gates: list[Gate],
    exec_properties: dict[str, Any],
) -> None:
    blessing = artifact_utils.get_single_instance(
        input_dict[standard_component_specs.MODEL_BLESSING_KEY]
    )
    test_split = blessing.get_string_custom_property("test_split")
    most = int(exec_properties["most_candidates"])
    row = verdicts.verdict_row(destination, test_split, digest, gates, most)
    write_gates(pushed_model.uri, [row])


def _compared(input_dict: dict[str, list[Artifact]]) -> ServedState:
    """What was served when the BaselineFinder looked."""
    baseline = artifact_utils.get_single_instance(input_dict["baseline"])
    return ServedState(
        champion=baseline.get_string_custom_property("version"),
        highest=int(baseline.get_string_custom_property("highest_version")),
    )
