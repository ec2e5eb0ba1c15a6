"""The Dask cluster of `beam.runner: dask`: whether it is there, and what its failures mean."""

import contextlib
import logging
from collections.abc import Iterator

from components.errors import UserError
from components.text import one_line

_TIMEOUT_S = 10


class ClusterError(ConnectionError):
    """The cluster does not answer, or lost what it was to do; one line for the user."""


def check(scheduler: str) -> int:
    """Finds a cluster that is not there, or has no worker, before any work is done.

    Args:
        scheduler: its address, as tcp://dask-scheduler:8786.

    Returns:
        How many workers it has.

    Raises:
        UserError: Dask is not installed.
        ClusterError: see above.
    """
    try:
        import distributed
    except ImportError:
        raise UserError(
            "beam.runner: dask needs Dask, here and in its workers: install Graft's extra dask "
            "(pip install distributed)"
        ) from None
    logging.getLogger("distributed").setLevel(logging.ERROR)  # of every attempt to connect
    try:
        with distributed.Client(scheduler, timeout=_TIMEOUT_S, set_as_default=False) as client:
            workers = len(client.scheduler_info(n_workers=-1)["workers"])
    except (OSError, ValueError, TypeError) as error:  # the last: tls:// without certificates
        raise ClusterError(
            f"beam.dask.scheduler: nobody answers as a Dask scheduler at {scheduler} "
            f"({one_line(error, 120)})"
        ) from error
    if not workers:
        raise ClusterError(
            f"beam.dask.scheduler: {scheduler} has no workers yet: start some, from Graft's image"
        )
    return workers


@contextlib.contextmanager
def used() -> Iterator[None]:
    """Ends the connections that Beam leaves open, and says what a failure of the cluster means.

    Raises:
        ClusterError: workers died again and again, or the scheduler is gone.
    """
    import concurrent.futures

    import distributed

    try:
        yield
    except (
        distributed.KilledWorker,
        distributed.CancelledError,
        concurrent.futures.CancelledError,
        distributed.comm.CommClosedError,
    ) as error:
        raise ClusterError(
            f"the Dask cluster could not do it ({type(error).__name__}: {one_line(error, 160)}): "
            "look at the logs of its workers (memory?) and scheduler; the same command goes on"
        ) from error
    finally:
        with contextlib.suppress(ValueError):  # there is none
            while True:
                distributed.default_client().close(timeout=5)
