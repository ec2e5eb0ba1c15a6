"""What a step's settings become in a package."""

from pipeline.config import load_recipe
from pipeline.kubeflow.package.kubernetes import executor_config, platform_spec, resources


def settings(*overrides):
    return load_recipe("digits", [f"kubeflow.{override}" for override in overrides]).kubeflow


def test_user_group_and_how_long_a_taint_is_put_up_with():
    block = settings(
        "steps.Trainer.security_context={run_as_user: 7, run_as_group: 8}",
        "steps.Trainer.tolerations="
        "[{key: spot, value: 1, effect: NoExecute, toleration_seconds: 0}]",
    )
    assert executor_config(block, block.step("Trainer")).as_dict() == {
        "securityContext": {"runAsUser": 7, "runAsGroup": 8, "runAsNonRoot": True},
        "tolerations": [
            {
                "key": "spot",
                "operator": "Equal",
                "value": "1",
                "effect": "NoExecute",
                "tolerationSeconds": 0,
            }
        ],
    }


def test_every_secret_claim_and_key_is_there():
    block = settings(
        "pull_secrets=[one, two]",
        "secret_env={a: {A1: k1, A2: k2}, b: {B: k}}",
        "secret_volumes={c: /c, d: /d}",
        "pvcs={e: /e, f: /f}",
    )
    config = executor_config(block, block.step("Trainer"))
    assert [one.secret_name for one in config.image_pull_secret] == ["one", "two"]
    keys = {
        secret.secret_name: [(key.env_var, key.secret_key) for key in secret.key_to_env]
        for secret in config.secret_as_env
    }
    assert keys == {"a": [("A1", "k1"), ("A2", "k2")], "b": [("B", "k")]}
    volumes = [(one.secret_name, one.mount_path) for one in config.secret_as_volume]
    assert volumes == [("c", "/c"), ("d", "/d")]
    assert [(one.constant, one.mount_path) for one in config.pvc_mount] == [
        ("e", "/e"),
        ("f", "/f"),
    ]


def test_requests_and_limits_go_to_their_own_fields():
    said = "resources={requests: {cpu: 1, memory: 2Gi}, limits: {cpu: 3, memory: 4Gi}}"
    assert resources(settings(said).step("Trainer")).as_dict() == {
        "resourceCpuRequest": "1",
        "resourceCpuLimit": "3",
        "resourceMemoryRequest": "2Gi",
        "resourceMemoryLimit": "4Gi",
    }


def test_a_step_of_which_there_is_nothing_to_say_has_no_block():
    block = settings("steps.Trainer.timeout=90s")
    executors = {name: executor_config(block, block.step(name)) for name in ("Trainer", "Pusher")}
    assert platform_spec(executors) == {
        "platforms": {
            "kubernetes": {
                "deploymentSpec": {"executors": {"Trainer": {"activeDeadlineSeconds": 90}}}
            }
        }
    }
