"""The block `kubeflow`: what it says of a step, and how mistakes are told."""

import pytest

from pipeline.config import Recipe, RecipeError, load_recipe
from pipeline.kubeflow.image_name import is_moving
from pipeline.kubeflow.step_settings import NEVER_CACHED


def settings(*overrides):
    return load_recipe("digits", [f"kubeflow.{override}" for override in overrides]).kubeflow


def test_a_step_of_which_nothing_is_said_has_the_defaults():
    step = settings().step("StatisticsGen")
    assert step.resources.requests.memory == "2Gi" and step.resources.limits.cpu == "4"
    assert step.gpu is None and step.retries.count == 0 and step.security_context is None
    assert settings().step("Trainer").resources.limits.memory == "16Gi"


def test_what_is_said_for_a_step_goes_before_what_is_said_for_all():
    block = settings(
        "resources.limits.memory=3Gi",
        "env={A: 1, B: 2}",
        "timeout=1h",
        "tolerations=[{key: spot}]",
        "steps.Trainer={env: {B: 3, C: 4}, timeout: 6h, tolerations: [], gpu: 2}",
    )
    trainer, other = block.step("Trainer"), block.step("Transform")
    assert trainer.env == {"A": "1", "B": "3", "C": "4"} and other.env == {"A": "1", "B": "2"}
    assert (trainer.timeout, other.timeout) == ("6h", "1h")
    assert trainer.tolerations == () and other.tolerations[0].key == "spot"
    assert trainer.gpu.count == 2 and trainer.gpu.resource == "nvidia.com/gpu"
    assert other.gpu is None
    assert trainer.resources.limits.memory == other.resources.limits.memory == "3Gi"
    beside = settings("resources.limits.memory=3Gi", "steps.Trainer.resources.limits.cpu=3")
    limits = beside.step("Trainer").resources.limits
    assert (limits.cpu, limits.memory) == ("3", "3Gi"), "key by key, however deep"


def test_defaults_give_way_to_what_is_said():
    less = settings("steps.Trainer.resources.limits={cpu: 0.5, memory: 1Gi}").step("Trainer")
    assert less.resources.requests.cpu == "0.5" and less.resources.requests.memory == "1Gi"
    more = settings("resources.requests.memory=64Gi").step("Trainer")
    assert more.resources.limits.memory == "64Gi"
    nothing = settings("resources.limits.memory=null").step("Trainer")
    assert nothing.resources.limits.memory == "16Gi"
    # … and are still there for the next one.
    assert settings().step("Trainer").resources.requests.cpu == "2"


@pytest.mark.parametrize(
    "amounts",
    [
        "{requests: {cpu: 2}, limits: {cpu: 2000m}}",
        "{requests: {memory: 1Gi}, limits: {memory: 1024Mi}}",
    ],
)
def test_a_step_may_be_promised_all_that_it_may_have(amounts):
    assert settings(f"steps.Trainer.resources={amounts}").step("Trainer").resources


def test_a_limit_below_what_is_asked_for_elsewhere_names_the_step():
    block = settings("resources.requests.cpu=4", "steps.Trainer.resources.limits.cpu=2")
    with pytest.raises(ValueError, match=r"kubeflow\.steps\.Trainer\.resources: requests\.cpu 4"):
        block.step("Trainer")


def test_a_recipe_that_is_printed_in_full_says_the_same():
    recipe = load_recipe(
        "digits",
        [
            "kubeflow.resources.limits.memory=3Gi",
            "kubeflow.retries=2",
            "kubeflow.steps={Trainer: {gpu: 1}, Pusher: {timeout: 1h}}",
        ],
    )
    again = Recipe.model_validate(recipe.model_dump(mode="json")).kubeflow
    for name in ("Trainer", "Pusher", "Transform"):
        assert again.step(name) == recipe.kubeflow.step(name)


def test_steps_that_look_outside_are_cached_only_by_name():
    everything = settings("cache=true")
    assert [name for name in NEVER_CACHED if everything.step(name).cache] == []
    assert everything.step("Trainer").cache and settings().step("Trainer").cache
    assert settings("steps.ImageExampleGen.cache=true").step("ImageExampleGen").cache
    nothing = settings("cache=false")
    assert not nothing.step("Trainer").cache


def test_a_push_is_tried_again_only_by_name():
    block = settings("retries={count: 3, backoff: 10s}")
    assert block.step("Trainer").retries.count == 3 and block.step("Pusher").retries.count == 0
    for name in ("DataVerdict", "Verdict"):
        assert block.step(name).retries.count == 0, "it would only say the same again"
        assert block.step(name).resources.requests.cpu == "100m"
    assert settings("retries=3").step("Trainer").retries.count == 3
    assert settings("steps.Pusher.retries=1").step("Pusher").retries.count == 1


def test_the_gpu_image_is_for_steps_with_a_gpu():
    block = settings("image=a:1", "gpu_image=a:1-gpu", "steps.Trainer.gpu=1")
    assert block.image_of(block.step("Trainer")) == "a:1-gpu"
    assert block.image_of(block.step("Evaluator")) == "a:1"
    alone = settings("image=a:1", "steps.Trainer.gpu=1")
    assert alone.image_of(alone.step("Trainer")) == "a:1"


@pytest.mark.parametrize(
    ("image", "moving"),
    [
        ("graft", True),
        ("graft:01", False),
        ("graft:LATEST", True),
        ("registry.example.com:5000/team/graft", True),
        ("registry.example.com:5000/team/graft:1.2", False),
        ("registry.example.com/graft:latest", True),
        ("registry.example.com/graft:main", True),
        (f"registry.example.com/graft:latest@sha256:{'0' * 64}", False),
    ],
)
def test_images_that_may_be_others_tomorrow(image, moving):
    assert is_moving(settings(f"image={image}").image) is moving


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (
            "image=Registry.example.com/Graft:1",
            "kubeflow.image: not an image: Registry.example.com/Graft:1. Write registry/name:tag",
        ),
        ("image=graft:1@sha256:12", "kubeflow.image: not an image"),
        (
            "resources.limits.memory=2Gii",
            "kubeflow.resources.limits.memory: not an amount of memory: 2Gii. Write a number and",
        ),
        ("steps.Trainer.resources.limits.cpu=2c", "limits.cpu: not a number of cores: 2c. Write"),
        (
            "resources={requests: {cpu: 4}, limits: {cpu: 500m}}",
            "kubeflow.resources: requests.cpu 4 is more than limits.cpu 500m",
        ),
        ("gpu=0", "gpu is for a step, so that the others leave the GPUs to it"),
        ("gpu=1", "gpu is for a step, so that the others leave the GPUs to it: steps: {Trainer:"),
        (
            "steps.Trianer.gpu=1",
            "kubeflow.steps.Trianer: no such step (did you mean `Trainer`?). Steps: Base",
        ),
        ("steps.Trainer.gpus=1", "kubeflow.steps.Trainer.gpus: unknown key (did you mean `gpu`?)"),
        ("steps.Trainer.gpu=0", "kubeflow.steps.Trainer.gpu.count: input should be greater than"),
        ("steps.Trainer.gpu.resource=gpu", "gpu.resource: string should match pattern"),
        ("env.DEBUG=true", "kubeflow.env.DEBUG: input should be a valid string, not true"),
        ("env={a-b: c}", "kubeflow.env.a-b: string should match pattern"),
        (
            "env.AWS_SECRET_ACCESS_KEY=abc",
            "keep it in a Kubernetes secret and name that one instead, as secret_env: {SECRET: "
            "{AWS_SECRET_ACCESS_KEY: KEY_IN_THE_SECRET}}",
        ),
        ("env.STORAGE_KEY=abc", "the value of STORAGE_KEY would be readable in the package"),
        ("env.DB_PASSWORD=abc", "the value of DB_PASSWORD would be readable in the package"),
        ("steps.Trainer.env.HF_TOKEN=abc", "the value of HF_TOKEN would be readable"),
        ("pvcs.data=mnt", "kubeflow.pvcs.data: not a folder to mount at: mnt. Write an absolute"),
        ("pvcs.data=/mnt/../x", "not a folder to mount at"),
        ("pvcs.data=/mnt/./x", "not a folder to mount at: /mnt/./x"),
        ("pvcs.data=/mnt/data/", "not a folder to mount at: /mnt/data/"),
        ("pvcs.data=/", "not a folder to mount at"),
        ("pvcs.data=/minio", "kubeflow.pvcs.data: /minio is where Kubeflow Pipelines or the conta"),
        ("pvcs.data=/tmp/data", "kubeflow.pvcs.data: /tmp/data is where Kubeflow Pipelines or the"),
        ("pvcs.data=/dev/shm", "has its own files (/dev): mount it elsewhere, as at /mnt/data"),
        ("secret_volumes.key=/.cache", "kubeflow.secret_volumes.key: /.cache is where"),
        ("pvcs.kfp-launcher=/mnt", "kubeflow.pvcs.kfp-launcher: a volume of every step's pod is "),
        ("secret_volumes.shm=/mnt", "kubeflow.secret_volumes.shm: a volume of every step's pod"),
        ("pvcs={my.data: /mnt}", "kubeflow.pvcs.my.data: string should match pattern"),
        (f"pvcs.{'a' * 64}=/mnt", f"{'a' * 64}: string should have at most 63 characters"),
        ("pvcs={a: /mnt, b: /mnt}", "two volumes are mounted at /mnt"),
        ("{pvcs: {a: /mnt}, secret_volumes: {b: /mnt}}", "two volumes are mounted at /mnt"),
        ("{pvcs: {a: /x}, secret_volumes: {a: /y}}", "a is both a claim and a secret"),
        ("{env: {K: x}, secret_env: {a: {K: y}}}", "the environment variable K is set twice"),
        ("secret_env={a: {K: x}, b: {K: y}}", "the environment variable K is set twice"),
        ("security_context.run_as_user=0", "run_as_user: input should be greater than or equal"),
        (
            "security_context={run_as_user: 1, run_as_group: 0}",
            "run_as_group: input should be greater than or equal to 1",
        ),
        ("security_context.run_as_user=graft", "run_as_user: input should be a valid integer"),
        ("tolerations=[{operator: Exists, value: x}]", "operator Exists takes no value"),
        ("tolerations=[{value: x}]", "operator Equal needs a key"),
        ("timeout=3600", "kubeflow.timeout: not a duration: 3600. Write it as 90s, 30m or 6h"),
        ("pipeline_root=/mnt", "kubeflow.pipeline_root: string should match pattern"),
        (
            "retries={count: 10, backoff: 6h}",
            "kubeflow.retries: 10 retries would wait 256 days, and none is started more than 30 ",
        ),
        ("retries={count: 1, backoff: 720h}", "1 retries would wait 30 days, and none is"),
        ("training_state=/mnt/../x", "not an absolute path: /mnt/../x"),
        ("training_state=/mnt/./x", "not an absolute path: /mnt/./x"),
        ("training_state=state", "kubeflow.training_state: not an absolute path: state. Write one"),
        ("retries.count=11", "kubeflow.retries.count: input should be less than or equal to 10"),
        ("retries=true", "kubeflow.retries: input should be"),
        ("steps.Trainer.gpu=true", "kubeflow.steps.Trainer.gpu: input should be"),
        (f"secret_env={{{'a' * 254}: {{K: x}}}}", "string should have at most 253 characters"),
    ],
)
def test_a_mistake_names_its_key_and_what_would_be_right(override, says):
    with pytest.raises(RecipeError) as error:
        load_recipe("digits", [f"kubeflow{'=' if override[0] == '{' else '.'}{override}"])
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AZURE_CONNECTION_STRING", "APIKEY"])
def test_what_beam_refuses_as_a_secret_is_refused_here_too(name):
    with pytest.raises(RecipeError, match=f"the value of {name} would be readable"):
        settings(f"env.{name}=abc")


def test_a_name_that_only_sounds_like_a_secret_is_none():
    env = "env={GOOGLE_APPLICATION_CREDENTIALS: /var/gcp/key.json, TOKEN_FILE: /t, KEYS: 3}"
    assert len(settings(env).step("Trainer").env) == 3
    tokens = settings("env.TOKENIZERS_PARALLELISM=0").step("Trainer").env
    assert tokens == {"TOKENIZERS_PARALLELISM": "0"}


def test_paths_that_only_begin_like_reserved_ones():
    pvcs = "pvcs={a: /minio-data, b: /mnt/tmp, c: /var/run/models}"
    assert len(settings(pvcs).step("Trainer").pvcs) == 3


def test_waits_of_just_less_than_thirty_days_are_allowed():
    assert settings("retries={count: 1, backoff: 719h}").step("Trainer").retries.count == 1


def test_the_probe_mounts_what_the_steps_after_it_look_at_and_no_more():
    block = settings(
        "steps.ImageExampleGen.pvcs.pictures=/mnt/p",
        "steps.BaselineFinder.pvcs.models=/mnt/m",
        "steps.Trainer.pvcs={weights: /mnt/w, pictures: /mnt/p}",
        "steps.Evaluator.pvcs.other=/mnt/o",
        "steps.Probe.pvcs.own=/mnt/own",
    )
    assert block.step("Probe").pvcs == {
        "pictures": "/mnt/p",
        "models": "/mnt/m",
        "weights": "/mnt/w",
        "own": "/mnt/own",
    }


def test_what_is_said_for_the_probe_goes_before_where_other_steps_mount_it():
    block = settings(
        "pvcs.pictures=/mnt/p", "steps.ImageExampleGen.pvcs.more=/mnt/m", "steps.Probe.pvcs.more=/x"
    )
    assert block.step("Probe").pvcs == {"pictures": "/mnt/p", "more": "/x"}


def test_a_claim_at_two_paths_and_two_at_one_cannot_be_probed():
    block = settings("steps.ImageExampleGen.pvcs.one=/mnt/x", "steps.Trainer.pvcs.one=/mnt/y")
    with pytest.raises(ValueError, match=r"has the claim one at /mnt/x and Trainer the claim one"):
        block.step("Probe")
    block = settings("steps.ImageExampleGen.pvcs.one=/mnt/x", "steps.Trainer.pvcs.two=/mnt/x")
    with pytest.raises(ValueError, match=r"the claim one at /mnt/x and Trainer the claim two at"):
        block.step("Probe")


def test_one_step_that_is_cached_by_it_is_enough_for_a_probe():
    assert settings().has_probe
    for one in ("ImageExampleGen", "BaselineFinder"):
        assert settings(f"steps.{one}.cache=false").has_probe
    both = ("steps.ImageExampleGen.cache=false", "steps.BaselineFinder.cache=false")
    assert not settings(*both).has_probe


def test_a_secret_may_have_the_longest_name_that_kubernetes_takes():
    name = "a" * 253
    assert list(settings(f"secret_env={{{name}: {{K: x}}}}").step("Trainer").secret_env) == [name]


def test_a_step_may_be_ended_at_once_by_a_taint():
    taint = "{key: spot, effect: NoExecute, toleration_seconds: 0}"
    (toleration,) = settings(f"tolerations=[{taint}]").step("Trainer").tolerations
    assert toleration.toleration_seconds == 0


def test_a_step_may_put_up_with_every_taint():
    (toleration,) = settings("tolerations=[{operator: Exists}]").step("Trainer").tolerations
    assert (toleration.key, toleration.effect) == ("", "")


@pytest.mark.parametrize("root", ["", "minio://b", "s3://b/x", "gs://b/x/y"])
def test_artifacts_may_go_to_every_store_that_the_launcher_knows(root):
    assert settings(f"pipeline_root='{root}'").pipeline_root == root


def test_a_claim_may_have_a_name_of_63_letters():
    assert settings(f"pvcs.{'a' * 63}=/mnt").pvcs == {"a" * 63: "/mnt"}
