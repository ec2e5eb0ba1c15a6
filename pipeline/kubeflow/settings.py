"""The block `kubeflow` of a recipe: image and parameters of a package, and how its steps run."""

import copy
from typing import Annotated, Any

import pydantic

from components.errors import UserError
from components.text import did_you_mean
from components.validation import explain
from pipeline import node_ids
from pipeline.kubeflow.image_name import ImageName
from pipeline.kubeflow.quantities import cores, memory_bytes
from pipeline.kubeflow.step_settings import (
    NEVER_CACHED,
    NamedStepSettings,
    ObjectName,
    StepSettings,
)


def _check_step_name(name: str) -> str:
    if name not in node_ids.STEPS:
        near, known = did_you_mean(name, node_ids.STEPS), ", ".join(sorted(node_ids.STEPS))
        raise ValueError(f"no such step{near}. Steps: {known}")
    return name


def _check_state_folder(path: str) -> str:
    if path and (not path.startswith("/") or {".", ".."} & set(path.split("/"))):
        raise ValueError(f"not an absolute path: {path}. Write one, as /mnt/models/training-state")
    return path


StepName = Annotated[str, pydantic.AfterValidator(_check_step_name)]


class KubeflowSettings(StepSettings):
    """The block `kubeflow` of a recipe. What it says outside of `steps` holds for every step."""

    image: ImageName = pydantic.Field(
        "", description="of all steps, with a tag that stays or a digest"
    )
    gpu_image: ImageName = pydantic.Field("", description="of steps with a GPU; empty: image")
    pull_secrets: tuple[ObjectName, ...] = pydantic.Field(
        (), description="secrets of type dockerconfigjson"
    )
    pipeline_root: str = pydantic.Field(
        "",
        pattern=r"^((minio|s3|gs)://[^\s/]+(/\S*)?)?$",
        description="where artifacts go, as minio://bucket/folder; empty: the cluster's default",
    )
    data_source: str = pydantic.Field(
        "", description="in the cluster, if it is not data.source; every run may name another"
    )
    push_destination: str = pydantic.Field(
        "", description="in the cluster, if it is not push.destination; every run may name another"
    )
    training_state: Annotated[str, pydantic.AfterValidator(_check_state_folder)] = pydantic.Field(
        "",
        description="folder on a claim of the Trainer, from which a training that was killed goes "
        "on when the step is retried; empty: it begins anew, its state is gone with the pod",
    )
    parameters: tuple[str, ...] = pydantic.Field(
        (),
        description="further settings under `training` and `head` that a run may change, as "
        "training.batch_size",
    )
    steps: dict[StepName, NamedStepSettings] = pydantic.Field(
        {}, description="by step, goes before what is said for every step"
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _check_gpu(cls, values: Any) -> Any:
        if isinstance(values, dict) and "gpu" in values:
            raise ValueError(
                "gpu is for a step, so that the others leave the GPUs to it: "
                f"steps: {{{node_ids.TRAINER}: {{gpu: 1}}}}"
            )
        return values

    @pydantic.field_serializer("steps")
    def _as_said(self, steps: dict[str, NamedStepSettings]) -> dict[str, Any]:
        """Defaults would go before what is said for every step when they are loaded again."""
        return {
            name: step.model_dump(mode="json", exclude_unset=True) for name, step in steps.items()
        }

    def step(self, name: str) -> NamedStepSettings:
        """How a step runs: what is said for it, then for every step, then Graft's defaults.

        Mappings are merged key by key; anything else is taken as a whole.

        Raises:
            UserError: what is said here and there does not go together.
        """
        own = self.steps.get(name, NamedStepSettings())
        everywhere = self.model_dump(exclude_unset=True, include=set(StepSettings.model_fields))
        if name in NEVER_CACHED and everywhere.get("cache"):
            del everywhere["cache"]
        if name in (node_ids.PUSHER, node_ids.DATA_VERDICT, node_ids.VERDICT):
            everywhere.pop("retries", None)
        said = _merged(everywhere, own.model_dump(exclude_unset=True))
        if name == node_ids.PROBE and self.has_probe:
            said["pvcs"] = _merged(self._looked_at(), said.get("pvcs", {}))
        resources = _resources(said.get("resources", {}), _DEFAULTS.get(name, _DEFAULT))
        try:
            step = NamedStepSettings.model_validate({**said, "resources": resources})
        except pydantic.ValidationError as error:
            raise UserError(explain(error, NamedStepSettings, f"kubeflow.steps.{name}")) from error
        cache = step.cache if step.cache is not None else name not in NEVER_CACHED
        return step.replaced(cache=cache)

    @property
    def has_probe(self) -> bool:
        """Whether any step is cached by what the Probe finds."""
        return any(self.step(name).cache for name in _CACHED_BY_PROBE)

    def _looked_at(self) -> dict[str, str]:
        """Mount paths by claim of what the Probe looks at: all that the steps after it mount."""
        found: dict[str, tuple[str, str]] = {}
        for name in (*_CACHED_BY_PROBE, node_ids.TRAINER):
            for claim, path in self.step(name).pvcs.items():
                for other, (at, by) in found.items():
                    if (claim == other) != (path == at):
                        raise UserError(
                            f"kubeflow.steps: {by} has the claim {other} at {at} and {name} the "
                            f"claim {claim} at {path}, but {node_ids.PROBE} looks at both: mount "
                            "each claim at one path and one claim at each path, or set cache to "
                            f"false for {' and '.join(_CACHED_BY_PROBE)}"
                        )
                found.setdefault(claim, (path, name))
        return {claim: path for claim, (path, _) in found.items()}

    def image_of(self, step: NamedStepSettings) -> str:
        """The image of a step."""
        return self.gpu_image if step.gpu and self.gpu_image else self.image


_CACHED_BY_PROBE = (node_ids.IMAGE_EXAMPLE_GEN, node_ids.BASELINE_FINDER)

# TensorFlow and its data at work take 1 to 2 GiB, the Trainer about as much again on a CPU.
_DEFAULT = {
    "requests": {"cpu": "1", "memory": "2Gi"},
    "limits": {"cpu": "4", "memory": "4Gi"},
}
# Without TensorFlow; they read a word.
_OF_A_WORD = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
_DEFAULTS = {
    # Without TensorFlow; it keeps a list of the pictures.
    node_ids.PROBE: {
        "requests": {"cpu": "500m", "memory": "512Mi"},
        "limits": {"cpu": "1", "memory": "2Gi"},
    },
    node_ids.DATA_VERDICT: _OF_A_WORD,
    node_ids.VERDICT: _OF_A_WORD,
    node_ids.TRAINER: {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"cpu": "8", "memory": "16Gi"},
    },
}


def _resources(said: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Fills in defaults, which give way where they contradict what is said."""
    amounts = {kind: {k: v for k, v in of.items() if v} for kind, of in said.items()}
    result = _merged(copy.deepcopy(defaults), amounts)
    for name, number in (("cpu", cores), ("memory", memory_bytes)):
        request, limit = (result[kind].get(name) for kind in ("requests", "limits"))
        if request and limit and number(request) > number(limit):
            if name not in amounts.get("requests", {}):
                result["requests"][name] = limit
            elif name not in amounts.get("limits", {}):
                result["limits"][name] = request
    return result


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged
