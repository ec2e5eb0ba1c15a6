"""Executions that earlier rehearsals left, for the cache of a later one."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from components.errors import UserError
from components.files import write_atomically


@dataclasses.dataclass(frozen=True)
class Execution:
    """What a step left.

    Attributes:
        artifacts: by output key, as the step handed them back.
        records: by output key, as the metadata store has them and consumers get them.
        values: output parameters.
    """

    artifacts: dict[str, Any]
    records: dict[str, Any]
    values: dict[str, Any]


class Executions:
    """Executions by cache key, one file each; the newest of a key is the one that is found."""

    def __init__(self, folder: Path):
        """Makes nothing yet.

        Args:
            folder: for the files.
        """
        self._folder = folder

    def find(self, key: str) -> Execution | None:
        """The execution of that key; None if there is none.

        Raises:
            UserError: its file is damaged.
        """
        file = self._file(key)
        try:
            return Execution(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise UserError(f"{file} is damaged: remove it, and its step runs again") from error

    def add(self, key: str, execution: Execution) -> None:
        """Keeps an execution, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file(key), json.dumps(dataclasses.asdict(execution)))

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.json"
