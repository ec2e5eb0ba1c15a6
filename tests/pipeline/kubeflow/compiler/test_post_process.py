"""From what TFX compiles to a package: what is added to which step."""

import copy
import json

import pytest
import yaml

from pipeline.config import Recipe, load_recipe
from pipeline.kubeflow.compiler.parameters import exposed_settings
from pipeline.kubeflow.compiler.post_process import post_process
from pipeline.kubeflow.package.documents import parse_package

IMAGE = "registry.example.com/graft:1"


def process(compiled, *overrides):
    recipe = load_recipe(
        "digits",
        [
            f"kubeflow.image={IMAGE}",
            "kubeflow.pvcs.serving=/mnt/serving",
            *(f"kubeflow.{override}" for override in overrides),
        ],
    )
    parameters = exposed_settings(recipe, "digits", "/mnt/serving/digits")
    return post_process(compiled, recipe.kubeflow, parameters, "feature {}")


def read(text):
    spec, platform = yaml.safe_load_all(text)
    return spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def test_it_can_be_read_back(compiled):
    package = parse_package(process(compiled))
    assert [step.name for step in package.steps] == [
        "ImportSchemaGen",
        "Probe",
        "BaselineFinder",
        "ImageExampleGen",
        "Trainer",
        "Pusher",
    ]
    assert {step.image for step in package.steps} == {IMAGE}
    assert {p.name: p.default for p in package.parameters} == {
        "data_source": "digits",
        "push_destination": "/mnt/serving/digits",
        "frozen_epochs": 8,
        "unfrozen_epochs": 12,
    }


def test_what_was_compiled_is_left_as_it_was(compiled):
    before = copy.deepcopy(compiled)
    process(compiled)
    assert compiled == before


def test_the_hook_that_no_open_source_backend_runs_is_gone(compiled):
    spec, _ = read(process(compiled))
    containers = [e["container"] for e in spec["deploymentSpec"]["executors"].values()]
    assert not [c for c in containers if "lifecycle" in c]


def test_parameters_lead_to_the_steps_that_need_them(compiled):
    spec, _ = read(process(compiled))
    tasks = spec["root"]["dag"]["tasks"]

    def given(task, name):
        return tasks[task]["inputs"]["parameters"][name]

    for task in ("ImageExampleGen", "Probe"):
        assert given(task, "source") == {"componentInputParameter": "data_source"}
    for task in ("BaselineFinder", "Probe", "Pusher"):
        source = {"componentInputParameter": "push_destination"}
        assert given(task, "push_destination") == source
        mounts = given(task, "mount_paths")["runtimeValue"]["constant"]
        assert json.loads(mounts) == ["/mnt/serving"]
    assert given("Trainer", "frozen_epochs") == {"componentInputParameter": "frozen_epochs"}
    places = json.loads(given("Trainer", "setting_paths")["runtimeValue"]["constant"])
    assert places["unfrozen_epochs"] == ["training", "unfrozen", "epochs"]
    declared = {name: c["inputDefinitions"]["parameters"] for name, c in spec["components"].items()}
    assert declared["Trainer"]["frozen_epochs"] == {"parameterType": "NUMBER_INTEGER"}
    looked_at = ("source", "settings", "unlabelled", "push_destination", "trainer")
    assert {name: declared["Probe"][name] for name in looked_at} == {
        name: {"parameterType": "STRING"} for name in looked_at
    }
    assert given("ImportSchemaGen", "schema_text")["runtimeValue"]["constant"] == "feature {}"


def test_the_epochs_of_the_only_phase_reach_the_trainer(compiled):
    recipe = load_recipe("digits", [f"kubeflow.image={IMAGE}", "training.unfrozen.epochs=0"])
    parameters = exposed_settings(recipe, "digits", "/mnt/serving/digits")
    spec, _ = read(post_process(compiled, recipe.kubeflow, parameters, ""))
    given = spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]
    assert json.loads(given["setting_paths"]["runtimeValue"]["constant"]) == {
        "frozen_epochs": ["training", "frozen", "epochs"]
    }


def test_what_a_run_chose_is_recorded_as_what_it_is_and_where_a_recipe_has_it(compiled):
    tasks = compiled["root"]["dag"]["tasks"]
    tasks["Pusher"]["inputs"]["parameters"]["provenance"] = {"runtimeValue": {"constant": "{}"}}
    del tasks["ImportSchemaGen"]["inputs"]  # as of a step that has none
    phases = [{"name": "head", "epochs": 1}, {"name": "all", "epochs": 3, "fine_tune_at": "all"}]
    block = {"image": IMAGE, "parameters": ["training.phases.head.learning_rate"]}
    recipe = Recipe(name="two", training={"phases": phases}, kubeflow=block)
    parameters = exposed_settings(recipe, "digits", "/mnt/serving/digits")
    spec, _ = read(post_process(compiled, recipe.kubeflow, parameters, ""))
    given = spec["root"]["dag"]["tasks"]["Pusher"]["inputs"]["parameters"]
    assert json.loads(given["recipe_paths"]["runtimeValue"]["constant"]) == {
        "run_data_source": ["data", "source"],
        "run_push_destination": ["push", "destination"],
        "run_head_epochs": ["training", "phases", 0, "epochs"],
        "run_all_epochs": ["training", "phases", 1, "epochs"],
        "run_head_learning_rate": ["training", "phases", 0, "learning_rate"],
    }
    assert given["run_all_epochs"] == {"componentInputParameter": "all_epochs"}
    declared = spec["components"]["Pusher"]["inputDefinitions"]["parameters"]
    kinds = {key: declared[f"run_{key}"]["parameterType"] for key in ("data_source", "all_epochs")}
    assert kinds == {"data_source": "STRING", "all_epochs": "NUMBER_INTEGER"}
    assert declared["run_head_learning_rate"]["parameterType"] == "NUMBER_DOUBLE"


def test_every_parameter_has_a_default(compiled):
    spec, _ = read(process(compiled, "parameters=[training.frozen.learning_rate]"))
    form = spec["root"]["inputDefinitions"]["parameters"]
    assert form["frozen_learning_rate"]["parameterType"] == "NUMBER_DOUBLE"
    assert all("defaultValue" in parameter for parameter in form.values())
    assert form["push_destination"] == {
        "parameterType": "STRING",
        "defaultValue": "/mnt/serving/digits",
        "description": "folder of the served versions, on a mounted volume, or s3://bucket/folder",
        "isOptional": True,
    }


def test_only_the_step_that_is_named_has_a_gpu(compiled):
    text = process(compiled, "steps.Trainer.gpu=2", "gpu_image=registry.example.com/graft:1-gpu")
    steps = {step.name: step for step in parse_package(text).steps}
    assert steps["Trainer"].gpu == "2 nvidia.com/gpu"
    assert steps["Trainer"].image.endswith("1-gpu")
    others = [step for name, step in steps.items() if name != "Trainer"]
    assert {step.gpu for step in others} == {""} and {step.image for step in others} == {IMAGE}
    accelerator = steps["Trainer"].resources["accelerator"]
    assert accelerator["type"] == accelerator["resourceType"] == "nvidia.com/gpu"
    assert accelerator["count"] == accelerator["resourceCount"] == "2"


def test_resources_environment_and_retries(compiled):
    text = process(
        compiled,
        "resources.limits.memory=3Gi",
        "env={OMP_NUM_THREADS: 2}",
        "retries={count: 2, backoff: 5m, factor: 3}",
    )
    spec, _ = read(text)
    trainer = spec["deploymentSpec"]["executors"]["Trainer_executor"]["container"]
    assert trainer["resources"] == {
        "resourceCpuRequest": "2",
        "resourceCpuLimit": "8",
        "resourceMemoryRequest": "3Gi",
        "resourceMemoryLimit": "3Gi",
    }
    assert trainer["env"] == [{"name": "OMP_NUM_THREADS", "value": "2"}]
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["Trainer"]["retryPolicy"] == {
        "maxRetryCount": 2,
        "backoffDuration": "300s",
        "backoffFactor": 3.0,
        "backoffMaxDuration": "2592000s",
    }
    assert "retryPolicy" not in tasks["Pusher"]


def arguments(text):
    """Arguments of the containers, by step."""
    return {step.name: step.args for step in parse_package(text).steps}


def test_text_that_reads_like_a_number_stays_text(compiled):
    env = {"ACCOUNT": "089012345678", "REVISION": "7123e45", "DEBUG": "y"}
    text = process(compiled, f"env={json.dumps(env)}")
    assert next(s for s in parse_package(text).steps if s.name == "Pusher").env == env
    assert all(f"'{value}'" in text for value in env.values()), "Go reads other things as numbers"


def test_the_arguments_change_with_the_environment_as_the_cache_key_has_none(compiled):
    bare = arguments(process(compiled))
    one = arguments(process(compiled, "env={A: 1}"))
    two = arguments(process(compiled, "env={A: 2}"))
    secret = arguments(process(compiled, "secret_env={store: {A: key}}"))
    other_secret = arguments(process(compiled, "secret_env={store: {A: other}}"))
    of_trainer = {args["Trainer"] for args in (bare, one, two, secret, other_secret)}
    assert len(of_trainer) == 5
    assert arguments(process(compiled, "env={A: 1}")) == one
    first = arguments(process(compiled, "env={A: 1, B: 2}"))
    assert first == arguments(process(compiled, "env={B: 2, A: 1}")), "in whatever order"
    of_step = arguments(process(compiled, "steps.Trainer.env={A: 1}"))
    assert {name for name, args in of_step.items() if args != bare[name]} == {"Trainer"}
    assert one["Trainer"][:-1] == bare["Trainer"]


def test_the_trainer_keeps_its_state_on_a_claim(compiled):
    text = process(compiled, "training_state=/mnt/serving/state")
    steps = {step.name: step for step in parse_package(text).steps}
    assert steps["Trainer"].env == {"GRAFT_TRAINING_STATE": "/mnt/serving/state/digits"}
    assert {name for name, step in steps.items() if step.env} == {"Trainer"}
    bare = arguments(process(compiled))
    assert arguments(text) == bare, "where it lies changes no result, and so no cache key"
    assert process(compiled, "training_state=/mnt/serving/state/") == text
    own = process(
        compiled,
        "training_state=/mnt/serving/state",
        "steps.Trainer.env={GRAFT_TRAINING_STATE: /mnt/serving/own}",
    )
    (trainer,) = (step for step in parse_package(own).steps if step.name == "Trainer")
    assert trainer.env == {"GRAFT_TRAINING_STATE": "/mnt/serving/own"}


def test_limits_that_are_not_the_requests(compiled):
    text = process(compiled, "resources={requests: {cpu: 1, memory: 2Gi}, limits: {cpu: 3}}")
    resources = {step.name: step.resources for step in parse_package(text).steps}["Pusher"]
    assert resources == {
        "resourceCpuRequest": "1",
        "resourceCpuLimit": "3",
        "resourceMemoryRequest": "2Gi",
        "resourceMemoryLimit": "4Gi",
    }


def test_one_retry_is_a_retry_policy(compiled):
    spec, _ = read(process(compiled, "steps.Trainer.retries=1"))
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["Trainer"]["retryPolicy"]["maxRetryCount"] == 1
    assert "retryPolicy" not in tasks["ImageExampleGen"]


def test_a_step_hears_of_its_own_volumes_only(compiled):
    steps = "steps={ImageExampleGen: {pvcs: {data: /mnt/data}}, Pusher: {pvcs: {b: /b}}}"
    text = process(compiled, steps)
    tasks = read(text)[0]["root"]["dag"]["tasks"]
    mounts = {
        name: json.loads(task["inputs"]["parameters"]["mount_paths"]["runtimeValue"]["constant"])
        for name, task in tasks.items()
        if "mount_paths" in task["inputs"]["parameters"]
    }
    assert mounts == {
        "BaselineFinder": ["/mnt/serving"],
        "Probe": ["/mnt/data", "/mnt/serving"],  # it looks at what both do
        "Pusher": ["/b", "/mnt/serving"],
    }


def test_the_cache_is_off_where_a_step_looks_outside_or_acts(compiled):
    steps = parse_package(process(compiled)).steps
    assert {step.name for step in steps if not step.cached} == {"Probe", "Pusher"}


def test_without_a_cache_nothing_is_probed(compiled):
    off = parse_package(process(compiled, "cache=false"))
    assert not [step for step in off.steps if step.cached or step.name == "Probe"]
    apart = parse_package(
        process(compiled, "steps={ImageExampleGen: {cache: false}, BaselineFinder: {cache: false}}")
    )
    assert "Probe" not in {step.name for step in apart.steps}


def test_what_the_probe_finds_is_part_of_the_keys_that_depend_on_it(compiled):
    spec, _ = read(process(compiled))
    tasks = spec["root"]["dag"]["tasks"]
    found = {
        (task, name)
        for task, content in tasks.items()
        for name, source in content["inputs"]["parameters"].items()
        if source.get("taskOutputParameter", {}).get("producerTask") == "Probe"
    }
    assert found == {
        ("ImageExampleGen", "input_fingerprint"),
        ("ImageExampleGen", "ledger_fingerprint"),
        ("BaselineFinder", "served_fingerprint"),
        ("Trainer", "files_fingerprint"),
        ("Pusher", "input_fingerprint"),
        ("Pusher", "ledger_fingerprint"),
        ("Pusher", "weights_fingerprint"),
        ("Pusher", "teacher_fingerprint"),
    }
    for task, content in compiled["root"]["dag"]["tasks"].items():
        before = set(content.get("dependentTasks", ()))
        assert before <= set(tasks[task].get("dependentTasks", ())), f"{task} still waits for them"
    assert {task for task, _ in found} == {
        task for task, content in tasks.items() if "Probe" in content.get("dependentTasks", ())
    }


def test_claims_that_the_probe_cannot_mount_together_are_told(compiled):
    message = (
        r"kubeflow\.steps: ImageExampleGen has the claim one at /mnt/x and BaselineFinder the "
        r"claim two at /mnt/x, but Probe looks at both: .* set cache to false for ImageExampleGen "
        "and BaselineFinder"
    )
    steps = "steps={ImageExampleGen: {pvcs: {one: /mnt/x}}, BaselineFinder: {pvcs: {two: /mnt/x}}}"
    with pytest.raises(ValueError, match=message):
        process(compiled, steps)
    process(compiled, steps, "cache=false")


def test_what_only_kubernetes_understands(compiled):
    _, executors = read(
        process(
            compiled,
            "pull_secrets=[registry]",
            "secret_env={store: {AWS_ACCESS_KEY_ID: accesskey}}",
            "secret_volumes={gcp: /var/gcp}",
            "security_context.run_as_user=1000",
            "timeout=6h",
            "steps.Trainer={shared_memory: 2Gi, node_selector: {gpu: yes-please}, tolerations: "
            "[{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]}",
        )
    )

    def named(name):
        return {"runtimeValue": {"constant": name}}

    everywhere = {
        "pvcMount": [
            {
                "constant": "serving",
                "pvcNameParameter": named("serving"),
                "mountPath": "/mnt/serving",
            }
        ],
        "imagePullSecret": [{"secretName": "registry", "secretNameParameter": named("registry")}],
        "secretAsEnv": [
            {
                "secretName": "store",
                "secretNameParameter": named("store"),
                "keyToEnv": [{"secretKey": "accesskey", "envVar": "AWS_ACCESS_KEY_ID"}],
            }
        ],
        "secretAsVolume": [
            {"secretName": "gcp", "secretNameParameter": named("gcp"), "mountPath": "/var/gcp"}
        ],
        "securityContext": {"runAsUser": 1000, "runAsNonRoot": True},
        "activeDeadlineSeconds": 21_600,
    }
    assert executors["Pusher_executor"] == everywhere
    assert executors["Trainer_executor"] == {
        **everywhere,
        "emptyDirMounts": [
            {"volumeName": "shm", "mountPath": "/dev/shm", "medium": "Memory", "sizeLimit": "2Gi"}
        ],
        "nodeSelector": {"labels": {"gpu": "yes-please"}},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    }


def test_a_backend_before_2_16_reads_a_package_that_asks_for_no_user(compiled):
    _, executors = read(process(compiled))
    assert not [config for config in executors.values() if "securityContext" in config]


def test_what_no_backend_takes_is_refused(compiled):
    resolver = copy.deepcopy(compiled)
    resolver["deploymentSpec"]["executors"]["Pusher_executor"] = {"resolver": {}}
    with pytest.raises(ValueError, match="task Pusher: resolver executors are not implemented"):
        process(resolver)
    tasks = compiled["root"]["dag"]["tasks"]
    tasks["latest_blessed"] = tasks.pop("BaselineFinder")
    with pytest.raises(ValueError, match="task latest_blessed: Argo takes letters, digits and `-`"):
        process(compiled)


def test_a_default_pipeline_root(compiled):
    assert parse_package(process(compiled)).pipeline_root == ""
    text = process(compiled, "pipeline_root=minio://bucket/graft")
    assert parse_package(text).pipeline_root == "minio://bucket/graft"
