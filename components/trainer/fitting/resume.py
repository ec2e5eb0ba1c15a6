"""The folder in which an interrupted training finds itself again."""

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = ".state-"


@contextlib.contextmanager
def resumable_state(fn_args) -> Iterator[Path]:
    """A folder that outlives a killed training and is found by the next one of the same kind.

    It lies beside the folders of the runs, named by a digest of what the training depends on. A
    training that ends removes it; one that begins removes what others of other kinds left.

    Args:
        fn_args: what `run_fn` is given.
    """
    if "://" in fn_args.model_run_dir:  # an object store: memory maps need a disk
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    inputs = [fn_args.custom_config, fn_args.transform_output, fn_args.train_files]
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
    parent = Path(fn_args.model_run_dir).parent
    state = parent / f"{_PREFIX}{key}"
    for other in parent.glob(f"{_PREFIX}*"):
        if other != state:
            shutil.rmtree(other)
    state.mkdir(parents=True, exist_ok=True)
    yield state
    shutil.rmtree(state)
