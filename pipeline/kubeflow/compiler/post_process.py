"""From what TFX compiles to what an open-source backend runs.

TFX writes the specification for another service: without defaults for run parameters, without
resources, volumes, secrets or retries, and with hooks that an open-source backend ignores.
"""

import copy
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from components.trainer.fitting.resume import FOLDER_VARIABLE
from pipeline.kubeflow.compiler.parameters import ExposedSetting
from pipeline.kubeflow.compiler.probe import add_probe
from pipeline.kubeflow.compiler.wiring import add_input
from pipeline.kubeflow.package import backend_rules
from pipeline.kubeflow.package.kubernetes import executor_config, platform_spec, resources
from pipeline.kubeflow.package.setting_paths import (
    ENVIRONMENT_DIGEST,
    MOUNT_PATHS,
    PROVENANCE,
    PUSH_DESTINATION,
    RECIPE_PATHS,
    SCHEMA_TEXT,
    SETTING_PATHS,
)
from pipeline.kubeflow.quantities import seconds
from pipeline.kubeflow.settings import KubeflowSettings
from pipeline.kubeflow.step_settings import LONGEST_RETRYING_S, NamedStepSettings
from pipeline.node_ids import IMPORT_SCHEMA_GEN, TRAINER
from pipeline.yaml_documents import write_documents


def post_process(
    compiled: dict[str, Any],
    settings: KubeflowSettings,
    parameters: Sequence[ExposedSetting],
    schema_text: str,
) -> str:
    """Finishes a package.

    Args:
        compiled: the PipelineSpec as TFX compiled it.
        settings: how the steps run.
        parameters: what a run may choose.
        schema_text: what ImportSchemaGen imports.

    Returns:
        YAML of two documents: the PipelineSpec and the PlatformSpec.

    Raises:
        UserError: no backend would take what was compiled, or the settings contradict themselves.
    """
    backend_rules.check_accepted(compiled)
    spec = copy.deepcopy(compiled)
    if settings.pipeline_root:
        spec["defaultPipelineRoot"] = settings.pipeline_root
    _add_parameters(spec, parameters)
    _add_constant(spec, IMPORT_SCHEMA_GEN, SCHEMA_TEXT, schema_text)
    if settings.has_probe:
        add_probe(spec)
    executors = {}
    for name, task in spec["root"]["dag"]["tasks"].items():
        step = settings.step(name)
        label = spec["components"][task["componentRef"]["name"]]["executorLabel"]
        container = spec["deploymentSpec"]["executors"][label]["container"]
        container.pop("lifecycle", None)  # never run by an open-source backend
        container["image"] = settings.image_of(step)
        container["resources"] = resources(step).as_dict()
        env = dict(step.env)
        if name == TRAINER and settings.training_state:
            # Of the pipeline's own, because a training removes the states of ended ones.
            folder = f"{settings.training_state.rstrip('/')}/{spec['pipelineInfo']['name']}"
            env.setdefault(FOLDER_VARIABLE, folder)
        if env:
            container["env"] = [{"name": k, "value": v} for k, v in env.items()]
        if step.env or step.secret_env:
            container["args"] = [*container["args"], f"{ENVIRONMENT_DIGEST}={_digest_env(step)}"]
        task["cachingOptions"] = {"enableCache": True} if step.cache else {}
        if step.retries.count:
            # Not a longest wait: Argo counts it from the step's first start. Where it is missing,
            # backends from 2.14 on write 0, and nothing is ever retried.
            task["retryPolicy"] = {
                "maxRetryCount": step.retries.count,
                "backoffDuration": f"{seconds(step.retries.backoff)}s",
                "backoffFactor": float(step.retries.factor),
                "backoffMaxDuration": f"{LONGEST_RETRYING_S}s",
            }
        if PUSH_DESTINATION in _inputs(spec, name):
            _add_constant(spec, name, MOUNT_PATHS, json.dumps(sorted(step.pvcs.values())))
        executors[label] = executor_config(settings, step)
    return write_documents([spec, platform_spec(executors)], width=100)


def _digest_env(step: NamedStepSettings) -> str:
    """Changes with a step's environment, which the backend's cache key leaves out.

    Of a secret it covers the name and the key, not the value: that one is not known here.
    """
    env = json.dumps([step.env, step.secret_env], sort_keys=True)
    return hashlib.sha256(env.encode()).hexdigest()


def _add_parameters(spec: dict[str, Any], parameters: Sequence[ExposedSetting]) -> None:
    """Declares the parameters of a run and hands them to the steps that need or record them."""
    tasks = spec["root"]["dag"]["tasks"]
    recorders = [name for name in tasks if PROVENANCE in _inputs(spec, name)]
    root = spec["root"].setdefault("inputDefinitions", {}).setdefault("parameters", {})
    paths = {}
    for parameter in parameters:
        root[parameter.name] = {
            "parameterType": parameter.type,
            "defaultValue": parameter.default,
            "description": parameter.description,
            "isOptional": True,
        }
        source = {"componentInputParameter": parameter.name}
        for task, key in parameter.properties:
            tasks[task]["inputs"]["parameters"][key] = source
        if parameter.setting_path:
            paths[parameter.name] = parameter.setting_path
            add_input(spec, TRAINER, parameter.name, source, parameter.type)
        for task in recorders:  # under another name: the Pusher has properties of its own
            add_input(spec, task, f"run_{parameter.name}", source, parameter.type)
    if paths:
        _add_constant(spec, TRAINER, SETTING_PATHS, json.dumps(paths))
    recorded = {f"run_{parameter.name}": parameter.recipe_path for parameter in parameters}
    for task in recorders:
        _add_constant(spec, task, RECIPE_PATHS, json.dumps(recorded))


def _add_constant(spec: dict[str, Any], task: str, name: str, value: str) -> None:
    add_input(spec, task, name, {"runtimeValue": {"constant": value}})


def _inputs(spec: dict[str, Any], task: str) -> dict[str, Any]:
    return spec["root"]["dag"]["tasks"][task].get("inputs", {}).get("parameters", {})
