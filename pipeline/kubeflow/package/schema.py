"""The form of a package: two YAML documents, of known fields and types only.

The first is held to the protos of `kfp-pipeline-spec`. What the two lines of TFX have of these
differs in a container's resources, so these, like the second document, are held to
the models of `kubernetes`.
"""

import copy
import re
from typing import Any

import pydantic
from google.protobuf import json_format
from google.protobuf.message import Message
from kfp.pipeline_spec import pipeline_spec_pb2

from components.errors import UserError
from components.text import one_line
from components.validation import explain
from pipeline.kubeflow.package.kubernetes import PlatformSpec, Resources
from pipeline.yaml_documents import read_documents as read_yaml

_FIELD = re.compile(r"Failed to parse (\S+) field: ")
_UNKNOWN = re.compile(r'has no field named "(.*?)" at "(.*?)"\.\s*Available Fields.*?"\[(.*)\]"')


# A package has about 60 kB.
_MOST_BYTES = 2_000_000


def read_documents(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads the documents of a package.

    Args:
        text: YAML.

    Returns:
        The PipelineSpec and the PlatformSpec; the latter is empty if there is none.

    Raises:
        UserError: not YAML, not such documents, an unknown field, or a value of the wrong type.
    """
    loaded = read_yaml(text, _MOST_BYTES)
    documents = [document for document in loaded if document is not None]
    if not documents or len(documents) > 2:
        raise UserError(f"a package has one or two YAML documents, not {len(documents)}")
    for number, document in enumerate(documents, start=1):
        if not isinstance(document, dict):
            raise UserError(f"document {number}: a mapping is expected")
    spec, platform = (*documents, {})[:2]
    if "pipelineSpec" in spec:
        raise UserError(
            "document 1: this is a PipelineJob; a backend takes what is under its `pipelineSpec`"
        )
    _check_spec(spec)
    if platform:
        _check_platform(platform)
    return spec, platform


def _check_spec(spec: dict[str, Any]) -> None:
    known = copy.deepcopy(spec)
    try:
        _check_resources(known)
        _parse(known, pipeline_spec_pb2.PipelineSpec())
        deployment = known.get("deploymentSpec", {})
        _parse(deployment, pipeline_spec_pb2.PipelineDeploymentConfig(), "deploymentSpec")
    except UserError as error:
        raise UserError(f"document 1 (PipelineSpec): {error}") from error


def _check_resources(spec: dict[str, Any]) -> None:
    """Checks the resources of all containers, and takes them out."""
    executors = spec.get("deploymentSpec", {})
    executors = executors.get("executors", {}) if isinstance(executors, dict) else {}
    for label, executor in executors.items() if isinstance(executors, dict) else ():
        container = executor.get("container") if isinstance(executor, dict) else None
        if isinstance(container, dict) and "resources" in container:
            at = f"deploymentSpec.executors.{label}.container.resources"
            _validate(Resources, container.pop("resources"), at)


def _check_platform(platform: dict[str, Any]) -> None:
    try:
        _validate(PlatformSpec, platform, "")
    except UserError as error:
        raise UserError(f"document 2 (PlatformSpec): {error}") from error


def _validate(model: type[pydantic.BaseModel], values: Any, at: str) -> None:
    try:
        model.model_validate(values)
    except pydantic.ValidationError as error:
        raise UserError(explain(error, model, at)) from None


def _parse(values: Any, message: Message, at: str = "") -> None:
    try:
        json_format.ParseDict(values, message)
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise UserError(_explain(str(error), at)) from None


def _explain(text: str, at: str) -> str:
    """What protobuf says, on one line that starts with the place."""
    fields = _FIELD.findall(text)
    reason = _FIELD.sub("", text)
    unknown = _UNKNOWN.search(reason)
    if unknown:
        name, where, known = unknown.groups()
        where = ".".join(filter(None, [at, *where.split(".")[1:]]))
        known = known.replace("'", "")
        return f"{where or 'top level'}: unknown field {name}; there are {known}"
    reason, _, where = reason.partition(" at Pipeline")
    where = where.rstrip(".").split(".", 1)[-1] if where else ".".join(fields)
    if reason.startswith("expected string or bytes"):
        reason = "a text is expected here"
    if "not iterable" in reason or "has no attribute" in reason:
        reason = "a block is expected here"
    where = ".".join(filter(None, [at, where]))
    return f"{where or 'top level'}: {one_line(reason).rstrip('.')}"
