"""What Kubernetes refuses in a step's pod."""

import pytest

from pipeline.kubeflow.package.pod_rules import check_pod

LABEL = "Trainer_executor"


def claim(name, path, **more):
    parameter = {"runtimeValue": {"constant": name}}
    return {"constant": name, "pvcNameParameter": parameter, "mountPath": path, **more}


def secret(name, path):
    parameter = {"runtimeValue": {"constant": name}}
    return {"secretName": name, "secretNameParameter": parameter, "mountPath": path}


def test_a_pod_that_kubernetes_makes():
    container = {
        "env": [{"name": "A", "value": "1"}],
        "resources": {
            "resourceCpuRequest": "500m",
            "resourceCpuLimit": "1",
            "resourceMemoryRequest": "1Gi",
            "resourceMemoryLimit": "1100M",
            "accelerator": {"resourceCount": "2", "resourceType": "nvidia.com/gpu"},
        },
    }
    platform = {
        "pvcMount": [claim("data", "/data"), claim("data", "/more", subPath="more")],
        "secretAsVolume": [secret("keys", "/keys")],
        "emptyDirMounts": [{"volumeName": "shm", "mountPath": "/dev/shm"}],
    }
    check_pod(LABEL, container, platform)
    container["resources"] |= {"resourceCpuLimit": "0.5", "resourceMemoryLimit": "1024Mi"}
    check_pod(LABEL, container, platform)  # all that it may have is promised to it


@pytest.mark.parametrize(
    "platform",
    [
        {"pvcMount": [claim("a", "/data"), claim("b", "/data/")]},
        {"pvcMount": [claim("a", "/data")], "secretAsVolume": [secret("b", "/data")]},
        {
            "emptyDirMounts": [{"volumeName": "a", "mountPath": "/data"}],
            "configMapAsVolume": [{"configMapName": "b", "mountPath": "/data"}],
        },
    ],
)
def test_two_volumes_at_one_path(platform):
    with pytest.raises(ValueError, match=f"^{LABEL}: two volumes are mounted at /data; give"):
        check_pod(LABEL, {}, platform)


@pytest.mark.parametrize(
    "other",
    [
        {"secretAsVolume": [secret("a", "/keys")]},
        {
            "configMapAsVolume": [
                {
                    "mountPath": "/keys",
                    "configMapNameParameter": {"runtimeValue": {"constant": "a"}},
                }
            ]
        },
    ],
)
def test_two_volumes_of_one_name(other):
    platform = {"pvcMount": [claim("a", "/data")], **other}
    with pytest.raises(ValueError, match="two volumes of different kinds are called a; rename one"):
        check_pod(LABEL, {}, platform)


def test_a_variable_that_is_set_twice():
    platform = {"secretAsEnv": [{"secretName": "s", "keyToEnv": [{"envVar": "A"}]}]}
    with pytest.raises(ValueError, match="the environment variable A is set twice"):
        check_pod(LABEL, {"env": [{"name": "A", "value": "1"}]}, platform)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (
            {"resourceMemoryRequest": "2Gi", "resourceMemoryLimit": "2G"},
            "resourceMemoryRequest 2Gi is more than resourceMemoryLimit 2G",
        ),
        (
            {"resourceCpuRequest": "2", "resourceCpuLimit": "1900m"},
            "resourceCpuRequest 2 is more than resourceCpuLimit 1900m",
        ),
        (
            {"accelerator": {"resourceCount": "0.5"}},
            r"accelerator\.resourceCount 0\.5 is no number",
        ),
        ({"accelerator": {"resourceCount": "0"}}, r"accelerator\.resourceCount 0 is no number"),
    ],
)
def test_amounts_that_cannot_be_had(resources, message):
    with pytest.raises(ValueError, match=message):
        check_pod(LABEL, {"resources": resources}, {})


def test_a_variable_that_two_secrets_set():
    keys = [{"envVar": "A"}, {"envVar": "B"}], [{"envVar": "C"}, {"envVar": "B"}]
    secrets = [{"secretName": name, "keyToEnv": of} for name, of in zip("st", keys, strict=True)]
    with pytest.raises(ValueError, match="the environment variable B is set twice"):
        check_pod(LABEL, {}, {"secretAsEnv": secrets})


def test_volumes_of_which_no_path_is_said_are_not_at_one():
    nowhere = [{"configMapName": "a"}, {"configMapName": "b"}]
    check_pod(LABEL, {}, {"configMapAsVolume": nowhere})
    platform = {
        "pvcMount": [claim("c", "/data")],
        "emptyDirMounts": [{"volumeName": "d", "mountPath": "/data"}],
        "configMapAsVolume": nowhere,
    }
    with pytest.raises(ValueError, match="two volumes are mounted at /data"):
        check_pod(LABEL, {}, platform)
