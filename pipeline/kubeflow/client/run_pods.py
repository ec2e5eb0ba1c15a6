"""Names of a step's pods, which the API does not tell but Argo Workflows makes from what it does.

Argo calls a node by its path, `<workflow>.root.Trainer.executor`; the node's id is the workflow's
name and the path's FNV-1a hash, and its pod has the template's name between the two. The API gives
ids of nodes, namely those of the nodes that follow a node.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.kubeflow.client.run_status import DRIVER, task_details
from pipeline.kubeflow.package.documents import Package

_IMPL = "system-container-impl"


def pod_names(run: Any, package: Package, step: str, driver: bool = False) -> Iterator[str]:
    """Names that the pod of a step may have; which one is right, the version of KFP decides.

    Args:
        run: a `V2beta1Run` of kfp.
        package: that runs.
        step: of the package.
        driver: the pod of the step's driver instead of its container's.

    Yields:
        The likeliest first; none as long as the run has no nodes.
    """
    followers = [
        [child.pod_name for child in node.child_tasks or [] if child.pod_name]
        for node in task_details(run)
    ]
    workflow = next((ids[0].rpartition("-")[0] for ids in followers if ids), None)
    if workflow is None:
        return
    task = package.spec["root"]["dag"]["tasks"][step]
    path = f"{workflow}.root.{step}"
    if driver:
        path, templates = path + DRIVER, ["system-container-driver"]
    else:
        path, templates = _last_attempt(f"{path}.executor", workflow, followers), [_IMPL]
        if "retryPolicy" in task:
            templates = [f"retry-{_IMPL}", f"{task['componentRef']['name']}-{_IMPL}", _IMPL]
    yield from (f"{workflow}-{template}-{_fnv1a(path)}" for template in templates)
    yield f"{workflow}-{_fnv1a(path)}"  # POD_NAMES=v1


def _last_attempt(path: str, workflow: str, followers: Sequence[Sequence[str]]) -> str:
    """The path of the node that is the last attempt; the path itself if nothing is retried."""
    known = {node_id for ids in followers for node_id in ids}
    attempts = 0
    while f"{workflow}-{_fnv1a(f'{path}({attempts})')}" in known:
        attempts += 1
    return f"{path}({attempts - 1})" if attempts else path


def _fnv1a(text: str) -> int:
    """The 32 bit FNV-1a hash."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
