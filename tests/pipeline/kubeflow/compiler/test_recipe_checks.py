"""What a recipe needs for a cluster, told before anything is compiled."""

import pytest

from pipeline.config import load_recipe
from pipeline.kubeflow.compiler import recipe_checks

READY = {
    "kubeflow.image": "registry.example.com/graft:1",
    "kubeflow.pvcs.serving": "/mnt/serving",
    "kubeflow.push_destination": "/mnt/serving/digits",
}


def recipe(**overrides):
    """A recipe that can be compiled, but for some keys: `__` is a dot, None takes a key out."""
    changed = {key.replace("__", "."): value for key, value in overrides.items()}
    values = {k: v for k, v in {**READY, **changed}.items() if v is not None}
    return load_recipe("digits", [f"{key}={value}" for key, value in values.items()])


def test_a_recipe_that_is_ready():
    recipe_checks.check_recipe(recipe())
    assert recipe_checks.warnings_for(recipe()) == []
    recipe_checks.check_recipe(
        recipe(
            push__sign__key="/mnt/signing/key.pem",
            kubeflow__steps__Pusher__secret_volumes__signing="/mnt/signing",
        )
    )
    recipe_checks.check_recipe(
        recipe(kubeflow__push_destination=None, push__destination="/mnt/serving")
    )
    recipe_checks.check_recipe(
        recipe(
            beam__runner="dask",
            beam__dask__scheduler="tcp://dask:8786",
            beam__dask__shared_folder="/mnt/serving/shared",
        )
    )


def test_a_ledger_on_a_volume_of_its_own_step_is_ready():
    recipe_checks.check_recipe(
        recipe(
            data__split_ledger="/data/splits.parquet",
            kubeflow__steps__ImageExampleGen__pvcs__data="/data",
            kubeflow__steps__Probe__pvcs__data="/data",
        )
    )


def test_a_bucket_needs_no_volume_and_keys():
    bucket = {"kubeflow__pvcs__serving": None, "kubeflow__push_destination": "s3://models/digits/"}
    recipe_checks.check_recipe(recipe(**bucket))
    assert recipe_checks.push_destination(recipe(**bucket)) == "s3://models/digits"
    (warning,) = recipe_checks.warnings_for(recipe(**bucket))
    assert warning.startswith("kubeflow.secret_env: Probe, BaselineFinder, Pusher use s3://models/")
    key = {
        "kubeflow__secret_env__other": "{HF_TOKEN: token}",
        "kubeflow__secret_env__store": "{AWS_ACCESS_KEY_ID: accesskey}",
    }
    assert recipe_checks.warnings_for(recipe(**bucket, **key)) == []


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"kubeflow__image": None}, "kubeflow.image is not set: name the container image"),
        (
            {"kubeflow__image": None, "kubeflow__gpu_image": "graft:1-gpu"},
            "kubeflow.image is not set",
        ),
        ({"kubeflow__steps__Probe__cache": "true"}, "kubeflow.steps.Probe.cache: it looks at what"),
        (
            {"kubeflow__push_destination": None},
            "kubeflow.push_destination is not set, and a model in its pod would be lost: name "
            "s3://BUCKET/FOLDER, or a folder below where a claim of kubeflow.pvcs is mounted, as",
        ),
        (
            {
                "beam__runner": "dask",
                "beam__dask__scheduler": "tcp://dask:8786",
                "beam__dask__shared_folder": "/srv/shared",
            },
            "beam.dask.shared_folder: /srv/shared is on no volume of the step ImageExampleGen",
        ),
        (
            {"kubeflow__push_destination": "gs://models/digits"},
            "kubeflow.push_destination: gs://models/digits: pictures may lie there, served",
        ),
        (
            {"kubeflow__push_destination": "/srv/digits"},
            "kubeflow.push_destination: /srv/digits is on no volume of the step BaselineFinder",
        ),
        (
            {"kubeflow__push_destination": "/mnt/serving/../x"},
            "kubeflow.push_destination: /mnt/serving/../x is on no volume",
        ),
        (
            {"kubeflow__pvcs__serving": None, "kubeflow__steps__Pusher__pvcs__a": "/mnt/serving"},
            "is on no volume of the step BaselineFinder",
        ),
        (
            {
                "kubeflow__pvcs__serving": None,
                "kubeflow__steps__BaselineFinder__pvcs__a": "/mnt/serving",
                "kubeflow__steps__Probe__pvcs__a": "/mnt/serving",
            },
            "is on no volume of the step Pusher",
        ),
        (
            {"kubeflow__push_destination": None, "push__destination": "runs/serving"},
            "push.destination: runs/serving is on no volume",
        ),
        (
            {"data__source": "pictures"},
            "data.source: pictures is a path of this machine; in a cluster it must be absolute, on "
            "a volume of kubeflow.pvcs or in the image (set kubeflow.data_source)",
        ),
        (
            {"kubeflow__data_source": "./pictures"},
            "kubeflow.data_source: ./pictures is a path of this machine",
        ),
        (
            {"kubeflow__data_source": "pets.zip"},
            "kubeflow.data_source: pets.zip is a path of this machine",
        ),
        (
            {"kubeflow__data_source": "https://example.com/pets.zip"},
            "data.sha256 is not set: https://example.com/pets.zip needs the SHA-256 of its file",
        ),
        (
            {"data__source": "ftp://host/pets.zip"},
            "data.source ftp://host/pets.zip is a remote address: only s3://, gs://, http://",
        ),
        (
            {"backbone__weights": "weights.h5"},
            "backbone.weights: weights.h5 is a path of this machine",
        ),
        (
            {"distillation__teacher": "runs/teacher"},
            "distillation.teacher: runs/teacher is a path of this machine",
        ),
        (
            {"kubeflow__parameters": "[training.mixed_precision]"},
            "kubeflow.parameters: training.mixed_precision is true or false; a run parameter is",
        ),
        (
            {"data__fixes": "fixes.csv"},
            "data.fixes: fixes.csv is a path of this machine",
        ),
        (
            {"pseudo_labels__source": "more"},
            "pseudo_labels.source: more is a path of this machine",
        ),
        (
            {"kubeflow__training_state": "/srv/state"},
            "kubeflow.training_state: /srv/state is on no volume of the step Trainer, so it would",
        ),
        (
            {
                "kubeflow__pvcs__serving": None,
                "kubeflow__steps__BaselineFinder__pvcs__a": "/mnt/serving",
                "kubeflow__steps__Pusher__pvcs__a": "/mnt/serving",
                "kubeflow__training_state": "/mnt/serving/state",
            },
            "kubeflow.training_state: /mnt/serving/state is on no volume of the step Trainer",
        ),
        (
            {"data__split_ledger": "/data/splits.parquet"},
            "data.split_ledger: /data/splits.parquet is on no volume of the step ImageExampleGen",
        ),
        (
            {
                "data__split_ledger": "/data/splits.parquet",
                "kubeflow__steps__Trainer__pvcs__data": "/data",
            },
            "data.split_ledger: /data/splits.parquet is on no volume of the step ImageExampleGen",
        ),
        (
            {"push__sign__key": "/mnt/signing/key.pem"},
            "push.sign.key: /mnt/signing/key.pem is on no volume of the step Pusher: keep the key",
        ),
        (
            {"training__device": "gpu"},
            "training.device is gpu, but no GPU is asked for: set kubeflow.steps.Trainer.gpu to 1",
        ),
    ],
)
def test_what_could_only_fail_or_be_lost(overrides, says):
    with pytest.raises(ValueError) as error:
        recipe_checks.check_recipe(recipe(**overrides))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            {"kubeflow__image": "registry.example.com/graft:latest"},
            "kubeflow.image: registry.example.com/graft:latest may be another image tomorrow",
        ),
        ({"kubeflow__image": "registry.example.com/graft"}, "may be another image tomorrow"),
        (
            {"kubeflow__gpu_image": "graft:main", "kubeflow__steps__Trainer__gpu": 1},
            "kubeflow.gpu_image: graft:main may be another image tomorrow",
        ),
        (
            {"kubeflow__steps__Trainer__gpu": 1},
            "kubeflow.gpu_image is not set: Trainer will have a GPU and use it only if",
        ),
        (
            {"kubeflow__steps__Evaluator__gpu": 1},
            "kubeflow.gpu_image is not set: Evaluator will have a GPU and use it only if",
        ),
        (
            {"data__source": "/data/pictures"},
            "data.source: /data/pictures is on no volume of the step ImageExampleGen: the image",
        ),
        (
            {"backbone__weights": "/weights.h5"},
            "backbone.weights: /weights.h5 is on no volume of the step Trainer",
        ),
        (
            {"data__fixes": "/fixes.csv"},
            "data.fixes: /fixes.csv is on no volume of the step ImageExampleGen",
        ),
        (
            {"distillation__teacher": "/teacher"},
            "distillation.teacher: /teacher is on no volume of the step Trainer: the image must",
        ),
        (
            {"pseudo_labels__source": "/more"},
            "pseudo_labels.source: /more is on no volume of the step ImageExampleGen",
        ),
        (
            {"kubeflow__security_context__run_as_user": 1000},
            "kubeflow.security_context: a backend before 2.16 refuses the whole package",
        ),
        (
            {
                "kubeflow__secret_env__all": "{B: key}",
                "kubeflow__steps__Trainer__secret_env": "{store: {A: key}}",
            },
            "kubeflow.steps.Trainer.secret_env: Probe looks at what this step reads and has no "
            "secret store: name it for Probe too",
        ),
        (
            {"kubeflow__steps__ImageExampleGen__secret_volumes": "{google: /mnt/google}"},
            "kubeflow.steps.ImageExampleGen.secret_volumes: Probe looks at what this step reads",
        ),
        *(
            (
                {f"kubeflow__steps__{step}__secret_env": "{store: {A: key}}"},
                f"kubeflow.steps.{step}.secret_env: Probe looks at what this step reads",
            )
            for step in ("ImageExampleGen", "BaselineFinder")
        ),
        (
            {"kubeflow__steps__Trainer__security_context__run_as_user": 1000},
            "kubeflow.security_context: a backend before 2.16 refuses the whole package",
        ),
    ],
)
def test_what_is_likelier_to_be_a_mistake(overrides, says):
    (warning,) = recipe_checks.warnings_for(recipe(**overrides))
    assert says in warning


@pytest.mark.parametrize(
    "overrides",
    [
        {"kubeflow__data_source": "https://example.com/pets.zip", "data__sha256": "a" * 64},
        {"data__source": "/mnt/serving/pets.tar.gz"},
        {"data__source": "/mnt/serving/labels.csv"},
    ],
)
def test_archives_manifests_and_addresses_are_sources_as_folders_are(overrides):
    ready = recipe(**overrides)
    recipe_checks.check_recipe(ready)
    assert recipe_checks.warnings_for(ready) == []


def test_without_a_probe_none_needs_the_secrets_of_other_steps():
    secret = {"kubeflow__steps__Trainer__secret_env": "{store: {A: key}}"}
    assert recipe_checks.warnings_for(recipe(kubeflow__cache=False, **secret)) == []


@pytest.mark.parametrize(
    "uncached", [["cache"], ["steps__ImageExampleGen__cache", "steps__BaselineFinder__cache"]]
)
def test_without_a_probe_claims_need_not_go_together(uncached):
    apart = {
        "kubeflow__steps__ImageExampleGen__pvcs__data": "/mnt/a",
        "kubeflow__steps__Trainer__pvcs__data": "/mnt/b",
        "kubeflow__steps__Probe__retries": 1,
    }
    with pytest.raises(ValueError, match=r"set cache to false for ImageExampleGen and BaselineFi"):
        recipe_checks.check_recipe(recipe(**apart))
    ready = recipe(**apart, **{f"kubeflow__{key}": False for key in uncached})
    recipe_checks.check_recipe(ready)
    assert recipe_checks.warnings_for(ready) == []


def test_a_moving_tag_of_an_image_that_nothing_runs_is_no_matter():
    assert recipe_checks.warnings_for(recipe(kubeflow__gpu_image="graft:main")) == []


def test_no_password_gets_into_a_package():
    recipe_checks.check_no_password("https://host:8080/a.tar.gz and mail to team@example.com")
    with pytest.raises(ValueError) as error:
        recipe_checks.check_no_password('weights: "https://me:geheim@host.example.com/a.tar.gz"')
    assert "in the URL https://…@host.example.com: keep it in a Kubernetes" in str(error.value)
    assert "geheim" not in str(error.value)


def test_a_signing_key_on_a_claim_is_ready():
    recipe_checks.check_recipe(recipe(push__sign__key="/mnt/serving/key.pem"))


def test_of_the_steps_that_use_a_bucket_those_without_keys_are_named():
    overrides = {
        "kubeflow__pvcs__serving": None,
        "kubeflow__push_destination": "s3://models/digits",
        "kubeflow__steps__Pusher__secret_env__store": "{AWS_ACCESS_KEY_ID: accesskey}",
    }
    (warning,) = recipe_checks.warnings_for(recipe(**overrides))
    assert "kubeflow.secret_env: Probe, BaselineFinder use s3://models/digits and have" in warning
    overrides |= {
        f"kubeflow__steps__{step}__cache": False for step in ("ImageExampleGen", "BaselineFinder")
    }
    (warning,) = recipe_checks.warnings_for(recipe(**overrides))
    assert "kubeflow.secret_env: BaselineFinder use s3://" in warning, "then there is no Probe"


def test_a_gpu_for_another_step_is_none_for_the_trainer():
    overrides = {"training__device": "gpu", "kubeflow__steps__Evaluator__gpu": 1}
    with pytest.raises(ValueError, match=r"set kubeflow\.steps\.Trainer\.gpu to 1"):
        recipe_checks.check_recipe(recipe(**overrides))
    recipe_checks.check_recipe(recipe(training__device="gpu", kubeflow__steps__Trainer__gpu=1))


@pytest.mark.parametrize("weights", ["imagenet", "none"])
def test_weights_without_a_file_need_no_volume(weights):
    scratch = {"training__frozen__epochs": 0, "training__unfrozen__fine_tune_at": "all"}
    recipe_checks.check_recipe(recipe(backbone__weights=weights, **scratch))


def test_every_secret_that_the_probe_lacks_is_named():
    secrets = {"kubeflow__steps__Trainer__secret_env": "{two: {B: key}, one: {A: key}}"}
    (warning,) = recipe_checks.warnings_for(recipe(**secrets))
    assert "has no secret one, two: name it for Probe too" in warning
