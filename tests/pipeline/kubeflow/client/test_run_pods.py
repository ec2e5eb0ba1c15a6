import types

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
