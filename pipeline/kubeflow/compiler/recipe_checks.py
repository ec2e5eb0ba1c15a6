"""Checks a recipe for a cluster, without looking at the cluster or its files."""

from components import destinations
from components.errors import UserError
from components.example_gen.reading.sources import DIGITS, check_address
from components.settings import URL_WITH_PASSWORD
from pipeline import preflight
from pipeline.config import Recipe
from pipeline.kubeflow.compiler.parameters import exposed_settings
from pipeline.kubeflow.image_name import is_moving
from pipeline.kubeflow.package.volumes import is_of_this_machine, on_volume
from pipeline.kubeflow.settings import KubeflowSettings
from pipeline.node_ids import BASELINE_FINDER, IMAGE_EXAMPLE_GEN, PROBE, PUSHER, TRAINER

_KEY = "AWS_ACCESS_KEY_ID"
_BUILT_IN_WEIGHTS = ("imagenet", "glyphs", "none")


def check_recipe(recipe: Recipe) -> None:
    """Stops at settings with which a run in a cluster must fail, or lose its model.

    Raises:
        UserError: with the setting at fault and what would be right.
    """
    settings = recipe.kubeflow
    if not settings.image:
        raise UserError(
            "kubeflow.image is not set: name the container image of the steps, as "
            "registry.example.com/graft:0.1.0"
        )
    preflight.inspect(recipe, preflight.Scope.CLUSTER)
    for key, path, _ in _paths(recipe):
        if is_of_this_machine(path):
            there = " (set kubeflow.data_source)" if key == "data.source" else ""
            raise UserError(
                f"{key}: {path} is a path of this machine; in a cluster it must be absolute, on a "
                f"volume of kubeflow.pvcs or in the image{there}"
            )
    check_address(data_source(recipe), recipe.data)
    _check_push_destination(recipe)
    _check_signing_key(recipe)
    state = settings.training_state
    if state and not _is_mounted(settings, TRAINER, state):
        raise UserError(
            f"kubeflow.training_state: {state} is on no volume of the step {TRAINER}, so it would "
            "be gone with the pod: name a folder below where a claim of kubeflow.pvcs is mounted"
        )
    if settings.step(PROBE).cache:
        raise UserError(
            f"kubeflow.steps.{PROBE}.cache: it looks at what changes outside of the runs, so it "
            "cannot be cached: leave the key out"
        )
    _check_split_ledger(recipe)
    _check_shared_folder(recipe)
    exposed_settings(recipe, data_source(recipe), push_destination(recipe))
    if recipe.training.device == "gpu" and not settings.step(TRAINER).gpu:
        raise UserError(
            f"training.device is gpu, but no GPU is asked for: set kubeflow.steps.{TRAINER}.gpu to "
            "1, or training.device to auto"
        )


def warnings_for(recipe: Recipe) -> list[str]:
    """Settings that are allowed and likely to be mistakes, one line each."""
    settings = recipe.kubeflow
    found = []
    with_gpu = [name for name in settings.steps if settings.step(name).gpu]
    images = {"image": settings.image}
    if with_gpu and settings.gpu_image:
        images["gpu_image"] = settings.gpu_image
    for key, image in images.items():
        if is_moving(image):
            found.append(
                f"kubeflow.{key}: {image} may be another image tomorrow, which the cache of "
                "Kubeflow Pipelines does not see; name a version or a digest"
            )
    if with_gpu and not settings.gpu_image:
        found.append(
            f"kubeflow.gpu_image is not set: {', '.join(with_gpu)} will have a GPU and use it only "
            "if kubeflow.image has CUDA in it; training.device: gpu makes sure"
        )
    for key, path, step in _paths(recipe):
        if path.startswith("/") and not _is_mounted(settings, step, path):
            found.append(
                f"{key}: {path} is on no volume of the step {step}: the image must have it"
            )
    for step in (IMAGE_EXAMPLE_GEN, BASELINE_FINDER, TRAINER) if settings.has_probe else ():
        of_step, of_probe = settings.step(step), settings.step(PROBE)
        for key in ("secret_env", "secret_volumes"):
            if missing := getattr(of_step, key).keys() - getattr(of_probe, key).keys():
                found.append(
                    f"kubeflow.steps.{step}.{key}: {PROBE} looks at what this step reads and has "
                    f"no secret {', '.join(sorted(missing))}: name it for {PROBE} too, or under "
                    f"kubeflow.{key} for every step"
                )
    destination = push_destination(recipe)
    if destinations.is_bucket(destination):
        users = [BASELINE_FINDER, PUSHER]
        if settings.has_probe:
            users.insert(0, PROBE)
        without = [
            step
            for step in users
            if not any(_KEY in names for names in settings.step(step).secret_env.values())
        ]
        if without:
            found.append(
                f"kubeflow.secret_env: {', '.join(without)} use {destination} and have "
                f"no {_KEY}, so their service account must have rights there"
            )
    if any(step.security_context for step in (settings, *settings.steps.values())):
        found.append("kubeflow.security_context: a backend before 2.16 refuses the whole package")
    return found


def check_no_password(text: str) -> None:
    """Stops at a URL with a password in it: everybody who sees the run could read it.

    Args:
        text: a package.

    Raises:
        UserError: with the URL's server, and without the password.
    """
    match = URL_WITH_PASSWORD.search(text)
    if match:
        raise UserError(
            f"the package would hold a password, in the URL {match[1]}://…@{match[2]}: keep it in "
            "a Kubernetes secret and name that one in kubeflow.secret_env or secret_volumes"
        )


def data_source(recipe: Recipe) -> str:
    """Where the pictures are in the cluster, unless a run says otherwise."""
    return recipe.kubeflow.data_source or recipe.data.source


def push_destination(recipe: Recipe) -> str:
    """Where served versions live in the cluster, unless a run says otherwise; empty if not said."""
    destination = recipe.kubeflow.push_destination or recipe.push.destination
    return destination.rstrip("/") if destinations.is_bucket(destination) else destination


def _check_push_destination(recipe: Recipe) -> None:
    key = f"{'kubeflow.push_' if recipe.kubeflow.push_destination else 'push.'}destination"
    path = _checked_destination(key, push_destination(recipe))
    if destinations.is_bucket(path):
        return
    right = (
        "s3://BUCKET/FOLDER, or a folder below where a claim of kubeflow.pvcs is mounted, as "
        f"--set kubeflow.pvcs.CLAIM=/mnt/serving --set kubeflow.push_destination=/mnt/serving/"
        f"{recipe.name}"
    )
    if not path:
        raise UserError(
            f"kubeflow.push_destination is not set, and a model in its pod would be lost: name "
            f"{right}"
        )
    for step in (BASELINE_FINDER, PUSHER):
        if not _is_mounted(recipe.kubeflow, step, path):
            raise UserError(
                f"{key}: {path} is on no volume of the step {step}, so the model would be lost "
                f"with its pod: name {right}"
            )


def _check_signing_key(recipe: Recipe) -> None:
    if not recipe.push.sign:
        return
    path, step = recipe.push.sign.key, recipe.kubeflow.step(PUSHER)
    if not on_volume(path, [*step.secret_volumes.values(), *step.pvcs.values()]):
        raise UserError(
            f"push.sign.key: {path} is on no volume of the step {PUSHER}: keep the key in a "
            f"Kubernetes secret, as --set kubeflow.steps.{PUSHER}.secret_volumes.signing-key="
            "/mnt/signing --set push.sign.key=/mnt/signing/key.pem"
        )


def _checked_destination(key: str, destination: str) -> str:
    try:
        return destinations.checked(destination)
    except UserError as error:
        raise UserError(f"{key}: {error}") from error


def _check_split_ledger(recipe: Recipe) -> None:
    path = recipe.data.split_ledger
    if path and not _is_mounted(recipe.kubeflow, IMAGE_EXAMPLE_GEN, path):
        raise UserError(
            f"data.split_ledger: {path} is on no volume of the step {IMAGE_EXAMPLE_GEN}, so what "
            "it remembers would be lost with the pod: name a file below where a claim of "
            "kubeflow.pvcs is mounted"
        )


def _check_shared_folder(recipe: Recipe) -> None:
    path = recipe.beam.dask.shared_folder
    if recipe.beam.runner == "dask" and not _is_mounted(recipe.kubeflow, IMAGE_EXAMPLE_GEN, path):
        raise UserError(
            f"beam.dask.shared_folder: {path} is on no volume of the step {IMAGE_EXAMPLE_GEN}: "
            "name a folder on a claim that the step and all Dask workers mount at the same path"
        )


def _paths(recipe: Recipe) -> list[tuple[str, str, str]]:
    """Key, path or URL, and step, of what the steps read from outside."""
    source_key = "kubeflow.data_source" if recipe.kubeflow.data_source else "data.source"
    paths = [(source_key, data_source(recipe), IMAGE_EXAMPLE_GEN)]
    if paths[0][1] == DIGITS:
        paths.clear()
    if recipe.data.fixes:
        paths.append(("data.fixes", recipe.data.fixes, IMAGE_EXAMPLE_GEN))
    if recipe.backbone.weights not in _BUILT_IN_WEIGHTS:
        paths.append(("backbone.weights", recipe.backbone.weights, TRAINER))
    if recipe.distillation:
        paths.append(("distillation.teacher", recipe.distillation.teacher, TRAINER))
    if recipe.pseudo_labels:
        paths.append(("pseudo_labels.source", recipe.pseudo_labels.source, IMAGE_EXAMPLE_GEN))
    return paths


def _is_mounted(settings: KubeflowSettings, step: str, path: str) -> bool:
    return on_volume(path, settings.step(step).pvcs.values())
