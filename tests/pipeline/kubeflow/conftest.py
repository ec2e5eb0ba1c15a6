"""What the tests of clients have in common: a package, and the workflow that Argo makes of it."""

import datetime
import types
import uuid

import pytest
import yaml

from pipeline import node_ids

WORKFLOW = "digits-x7k2p"
STEPS = node_ids.ALL
IMAGE = "registry.example/graft:1.0"
_UNSET = "0001-01-01T00:00:00Z"


def package_documents(retries: int = 0) -> list[dict]:
    """All steps in a row, as `graft compile` writes them, with three run parameters."""
    tasks, components, executors, before = {}, {}, {}, None
    for step in STEPS:
        task = {"componentRef": {"name": step}, "taskInfo": {"name": step}, "inputs": {}}
        if before:
            task["dependentTasks"] = [before]
        if step == "Trainer":
            epochs = {"frozen_epochs": {"componentInputParameter": "frozen_epochs"}}
            task["inputs"] = {"parameters": epochs}
            if retries:
                task["retryPolicy"] = {
                    "maxRetryCount": retries,
                    "backoffDuration": "60s",
                    "backoffMaxDuration": "2592000s",
                }
        task["cachingOptions"] = {"enableCache": True}
        tasks[step], before = task, step
        components[step] = {"executorLabel": f"{step}_executor"}
        executors[f"{step}_executor"] = {
            "container": {
                "image": IMAGE,
                "command": ["python", "-m", "pipeline.kubeflow.step.entrypoint"],
                "args": ["--json_serialized_invocation_args", "{{$}}"],
            }
        }
    components["Trainer"]["inputDefinitions"] = {
        "parameters": {"frozen_epochs": {"parameterType": "NUMBER_INTEGER"}}
    }
    spec = {
        "pipelineInfo": {"name": "digits"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "tfx-1.16.0",
        "root": {
            "dag": {"tasks": tasks},
            "inputDefinitions": {
                "parameters": {
                    "data_source": {"parameterType": "STRING", "defaultValue": "digits"},
                    "frozen_epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 4},
                    "learning_rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.001},
                }
            },
        },
        "components": components,
        "deploymentSpec": {"executors": executors},
    }
    gpu = {"Trainer_executor": {"nodeSelector": {"labels": {"gpu": "true"}}}}
    return [spec, {"platforms": {"kubernetes": {"deploymentSpec": {"executors": gpu}}}}]


def fnv1a(text: str) -> int:
    """The hash at the end of Argo's node ids."""
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) % 2**32
    return value


def node_id(path: str) -> str:
    """Of the node `<workflow>.<path>`."""
    return f"{WORKFLOW}-{fnv1a(f'{WORKFLOW}.{path}')}"


def node(name: str, state: str, started=None, ended=None, children=()) -> dict:
    """One entry of a run's `task_details`."""
    stamp = [t.strftime("%Y-%m-%dT%H:%M:%SZ") if t else _UNSET for t in (started, ended)]
    return {
        "run_id": "run-1",
        "task_id": str(uuid.uuid4()),
        "display_name": name,
        "create_time": stamp[0],
        "start_time": stamp[0],
        "end_time": stamp[1],
        "state": state,
        "child_tasks": [{"pod_name": child} for child in children],
    }


def task_details(
    done: int, now: str | None = None, driver: str = "SUCCEEDED", attempts: int = 0
) -> list[dict]:
    """The nodes of a workflow.

    Args:
        done: how many steps have succeeded.
        now: state of the step after these; None: it has not begun.
        driver: state of that step's driver.
        attempts: how often that step's container was started, where it may be retried.
    """
    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    minute = datetime.timedelta(minutes=1)
    nodes = [
        node(WORKFLOW, "RUNNING", start, None, [node_id("root-driver")]),
        node("root-driver", "SUCCEEDED", start, start + minute, [node_id("root")]),
        node("root", "RUNNING", start, None, [node_id(f"root.{STEPS[0]}-driver")]),
    ]
    for index, step in enumerate(STEPS):
        begin, end = start + index * 2 * minute, start + (index * 2 + 1) * minute
        path = f"root.{step}"
        if index < done:
            nodes += [
                node(f"{step}-driver", "SUCCEEDED", begin, begin, [node_id(path)]),
                node(step, "SUCCEEDED", begin, end, [node_id(f"{path}.executor")]),
                node("executor", "SUCCEEDED", begin, end),
            ]
        elif index == done and now:
            ended = end if now == "FAILED" else None
            nodes.append(node(f"{step}-driver", driver, begin, begin, [node_id(path)]))
            if driver == "SUCCEEDED":
                nodes.append(node(step, now, begin, ended, [node_id(f"{path}.executor")]))
                tries = [f"{path}.executor({n})" for n in range(attempts)]
                nodes.append(node("executor", now, begin, ended, map(node_id, tries)))
                nodes += [node(f"executor({n})", now, begin, ended) for n in range(attempts)]
        elif now == "FAILED":  # Argo lists what it leaves out
            nodes.append(node(f"{step}-driver", "RUNTIME_STATE_UNSPECIFIED"))
    return nodes


def pod(path: str, template: str = "system-container-impl") -> str:
    """Name of the pod of the node `<workflow>.<path>`."""
    return f"{WORKFLOW}-{template}-{fnv1a(f'{WORKFLOW}.{path}')}"


@pytest.fixture(scope="session")
def package_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("package") / "digits.yaml"
    path.write_text(yaml.safe_dump_all(package_documents()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def workflow():
    """The steps' names, and functions that make packages and workflows of them."""
    return types.SimpleNamespace(
        steps=STEPS,
        name=WORKFLOW,
        package_documents=package_documents,
        task_details=task_details,
        pod=pod,
    )
