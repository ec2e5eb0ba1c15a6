"""The form of a package: two YAML documents, of known fields and types only.

The first is held to the protos of `kfp-pipeline-spec`. What the two lines of TFX have of these
differs in a container's resources, so these, like the second document, are held to
the models of `kubernetes`.
"""

import copy
import re
from typing import Any

import pydantic
import yaml
from google.protobuf import json_format
from google.protobuf.message import Message
from kfp.pipeline_spec import pipeline_spec_pb2

from components.errors import UserError
from components.text import one_line
from pipeline.kubeflow.package.kubernetes import PlatformSpec, Resources

_FIELD = re.compile(r"Failed to parse (\S+) field: ")
_UNKNOWN = re.compile(r'has no field named "(.*?)" at "(.*?)"\.\s*Available Fields.*?"\[(.*)\]"')


class _Loader(yaml.SafeLoader):
    """YAML in which a key that is there twice is an error: by its rules the last one would win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key_node.value} is there twice",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def read_documents(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads the documents of a package.

    Args:
        text: YAML.

    Returns:
        The PipelineSpec and the PlatformSpec; the latter is empty if there is none.

    Raises:
        UserError: not YAML, not such documents, an unknown field, or a value of the wrong type.
    """
    try:
        loaded = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise UserError(f"not YAML: {one_line(error)}") from error
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
        first = error.errors(include_url=False)[0]
        where = ".".join(filter(None, [at, *map(str, first["loc"])]))
        if first["type"] == "extra_forbidden":
            raise UserError(f"{where}: unknown field") from None
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{where}: {message[:1].lower() + message[1:]}") from None


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
