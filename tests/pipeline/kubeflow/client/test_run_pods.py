import types

import pytest

from pipeline.kubeflow.client import run_pods
from pipeline.kubeflow.client.run_pods import pod_names


def test_the_hash_is_argos():
    # Pod and node of argoproj/argo-workflows#5251, where the pod's name is the node's id.
    assert run_pods._fnv1a("ci-n7gdl.task7(0:context:A).task2(4:context:E)") == 951919243


def test_a_run_without_nodes_has_no_pods():
    run = types.SimpleNamespace(run_details=None)
    assert list(pod_names(run, None, "Trainer")) == []
    nodes = [types.SimpleNamespace(child_tasks=None)]
    run = types.SimpleNamespace(run_details=types.SimpleNamespace(task_details=nodes))
    assert list(pod_names(run, None, "Trainer")) == []


@pytest.mark.parametrize("count", [1, 3])
def test_of_the_attempts_the_last_ones_pod_is_named(count):
    attempts = [f"run-1.root.Trainer.executor({number})" for number in range(count)]
    ids = [f"run-1-{run_pods._fnv1a(path)}" for path in attempts]
    # The first is one that has no pod.
    children = [types.SimpleNamespace(pod_name=node_id) for node_id in (None, *ids)]
    nodes = [types.SimpleNamespace(child_tasks=children)]
    run = types.SimpleNamespace(run_details=types.SimpleNamespace(task_details=nodes))
    task = {"componentRef": {"name": "comp-trainer"}, "retryPolicy": {"maxRetryCount": 2}}
    package = types.SimpleNamespace(spec={"root": {"dag": {"tasks": {"Trainer": task}}}})
    last = ids[-1].removeprefix("run-1-")
    assert list(pod_names(run, package, "Trainer")) == [
        f"run-1-retry-system-container-impl-{last}",
        f"run-1-comp-trainer-system-container-impl-{last}",
        f"run-1-system-container-impl-{last}",
        f"run-1-{last}",  # as a backend with POD_NAMES=v1 names it
    ]
    driver = run_pods._fnv1a("run-1.root.Trainer-driver")
    assert list(pod_names(run, package, "Trainer", driver=True)) == [
        f"run-1-system-container-driver-{driver}",
        f"run-1-{driver}",
    ]
    del task["retryPolicy"]
    assert list(pod_names(run, package, "Trainer"))[:-1] == [f"run-1-system-container-impl-{last}"]
