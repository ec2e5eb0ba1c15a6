"""The Kubernetes manifests: whole, in step with each other, and without a right too many."""

import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.one_line

REPOSITORY = Path(__file__).parents[2]
MANIFESTS = REPOSITORY / "kubeflow" / "manifests"
OVERLAYS = sorted((MANIFESTS / "overlays").iterdir())
VALIDATE = REPOSITORY / "tools" / "validate_manifests.py"
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")

README = (REPOSITORY / "kubeflow" / "README.md").read_text("utf-8")

needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not in PATH")


def _documents(text: str) -> dict[str, dict]:
    return {document["kind"]: document for document in yaml.safe_load_all(text) if document}


def _build(name: str, root: Path) -> dict[str, dict]:
    """What `kubectl apply -k` would send, by kind."""
    built = subprocess.run(
        ["kubectl", "kustomize", str(root / name)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    assert "deprecated" not in built.stderr
    return _documents(built.stdout)


@functools.cache
def _built(name: str) -> dict[str, dict]:
    """The same of the manifests as they are, to be looked at only."""
    return _build(name, MANIFESTS)


def _service() -> dict:
    text = (MANIFESTS / "serving/inference-service.yaml").read_text()
    return _documents(text)["InferenceService"]


def _kustomizations() -> list[Path]:
    return sorted(MANIFESTS.rglob("kustomization.yaml"))


def test_every_file_is_named_by_a_kustomization_and_every_name_is_there():
    named = {MANIFESTS / "files-pod.yaml", *_kustomizations()}
    for path in _kustomizations():
        content = yaml.safe_load(path.read_text())
        names = [
            *content.get("resources", []),
            *content.get("components", []),
            *content.get("configurations", []),
            *(patch["path"] for patch in content.get("patches", []) if "path" in patch),
            *(file for made in content.get("configMapGenerator", []) for file in made["files"]),
        ]
        for name in names:
            target = (path.parent / name).resolve()
            assert target.exists(), f"{path}: {name}"
            named.add(target)
    files = {path for path in MANIFESTS.rglob("*") if path.is_file() and path.name[0] != "."}
    assert files == {path for path in named if path.is_file()}


def test_all_speak_of_the_same_volumes():
    claims = {
        claim["metadata"]["name"]
        for claim in yaml.safe_load_all((MANIFESTS / "training/claims.yaml").read_text())
    }
    pod = yaml.safe_load((MANIFESTS / "files-pod.yaml").read_text())
    mounted = {volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"]["volumes"]}
    assert mounted == claims == {"graft-pictures", "graft-models"}
    served = re.fullmatch(
        r"pvc://([^/]+)/.+", _service()["spec"]["predictor"]["model"]["storageUri"]
    )
    assert served[1] in claims


def test_each_claim_is_mounted_where_the_steps_of_the_guide_mount_it():
    """`kubectl cp` into the one, the Pusher into the other."""
    (pvcs,) = re.findall(r"^  pvcs: \{(.+)\}$", README, re.MULTILINE)
    expected = dict(pair.split(": ") for pair in pvcs.split(", "))
    pod = yaml.safe_load((MANIFESTS / "files-pod.yaml").read_text())["spec"]
    cluster = yaml.safe_load((MANIFESTS / "dask/cluster.yaml").read_text())["spec"]
    worker = cluster["worker"]["spec"]
    for spec, claims in ((pod, set(expected)), (worker, {"graft-pictures"})):
        claim = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"]}
        (container,) = spec["containers"]
        mounted = {claim[m["name"]]: m["mountPath"] for m in container["volumeMounts"]}
        assert mounted == {name: expected[name] for name in claims}
        assert not [m for m in container["volumeMounts"] if m.get("readOnly")]


def test_claims_are_as_large_as_the_guide_says_and_for_many_nodes():
    claims = yaml.safe_load_all((MANIFESTS / "training/claims.yaml").read_text())
    for claim in claims:
        name, spec = claim["metadata"]["name"], claim["spec"]
        size = spec["resources"]["requests"]["storage"]
        said = rf"`{name}`\s\({size.replace('Gi', '')} GiB\)"
        assert re.search(said, README), f"{name} has {size}"
        assert spec["accessModes"] == ["ReadWriteMany"]


def test_a_server_of_models_is_called_on_its_own_ports_only():
    policy = yaml.safe_load((MANIFESTS / "serving/network-policy.yaml").read_text())["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    (rule,) = policy["ingress"]
    ports = {(port["port"], port["protocol"]) for port in rule["ports"]}
    assert ports == {(8080, "TCP"), (9000, "TCP")}
    model = _service()["spec"]["predictor"]["model"]
    assert model["livenessProbe"]["tcpSocket"] == {"port": 8080}, "not whether a version is there"


def test_scheduler_and_workers_of_dask_are_of_one_image_and_no_more_than_the_steps():
    cluster = yaml.safe_load((MANIFESTS / "dask/cluster.yaml").read_text())
    spec, name = cluster["spec"], cluster["metadata"]["name"]
    pods = [spec["scheduler"]["spec"], spec["worker"]["spec"]]
    containers = [container for pod in pods for container in pod["containers"]]
    assert len({container["image"] for container in containers}) == 1
    for pod, container in zip(pods, containers, strict=True):
        context = pod["securityContext"]
        assert pod["automountServiceAccountToken"] is False
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert [context[key] for key in ("runAsUser", "runAsGroup", "fsGroup")] == [1000] * 3
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    # In place of the image's entrypoint, which is `graft`.
    words = {c["name"]: c["command"] for c in containers}
    assert {role: args[:4] for role, args in words.items()} == {
        role: ["python", "-m", "dask", role] for role in ("scheduler", "worker")
    }
    assert words["worker"][words["worker"].index("--nthreads") + 1] == "1"
    service = spec["scheduler"]["service"]
    assert service["selector"] == {
        "dask.org/cluster-name": name,
        "dask.org/component": "scheduler",
    }
    listens = {port["name"]: port["containerPort"] for port in containers[0]["ports"]}
    assert listens == {port["targetPort"]: port["port"] for port in service["ports"]}
    assert listens == {"tcp-comm": 8786, "http-dashboard": 8787}


def test_all_speak_of_the_same_model():
    service = _service()
    name, model = service["metadata"]["name"], service["spec"]["predictor"]["model"]
    for probe in ("startupProbe", "readinessProbe"):
        assert model[probe]["httpGet"] == {"path": f"/v1/models/{name}", "port": 8080}
    versions = sorted(MANIFESTS.rglob("models.config"))
    assert len(versions) == 3
    for path in versions:
        assert f'name: "{name}"' in path.read_text()
    policy = yaml.safe_load((MANIFESTS / "serving/network-policy.yaml").read_text())
    assert policy["spec"]["podSelector"]["matchLabels"] == {
        "serving.kserve.io/inferenceservice": name
    }


def test_a_server_of_models_calls_nobody():
    policy = yaml.safe_load((MANIFESTS / "serving/network-policy.yaml").read_text())["spec"]
    assert "Egress" in policy["policyTypes"] and policy["egress"] == []
    account = yaml.safe_load((MANIFESTS / "serving/service-account.yaml").read_text())
    assert account["automountServiceAccountToken"] is False
    assert _service()["spec"]["predictor"]["serviceAccountName"] == account["metadata"]["name"]


def test_pods_are_not_root_and_cannot_become_it():
    pod = yaml.safe_load((MANIFESTS / "files-pod.yaml").read_text())["spec"]
    predictor = _service()["spec"]["predictor"]
    for spec, container in ((pod, pod["containers"][0]), (predictor, predictor["model"])):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"}


def test_the_files_belong_to_whom_the_steps_run_as():
    dockerfile = REPOSITORY / "kubeflow" / "Dockerfile"
    if not dockerfile.exists():
        pytest.skip("there is no kubeflow/Dockerfile")
    (user,) = re.findall(r"^USER (\d+):(\d+)$", dockerfile.read_text(), re.MULTILINE)
    pod = yaml.safe_load((MANIFESTS / "files-pod.yaml").read_text())
    context = pod["spec"]["securityContext"]
    assert (context["runAsUser"], context["fsGroup"]) == tuple(map(int, user))


def test_the_account_of_a_run_may_do_what_its_pods_need_and_no_more():
    role = yaml.safe_load((MANIFESTS / "training/role.yaml").read_text())
    rights = {
        (group, resource, verb, tuple(rule.get("resourceNames", ())))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert rights == {
        ("argoproj.io", "workflowtaskresults", "create", ()),
        ("argoproj.io", "workflowtaskresults", "patch", ()),
        ("", "pods", "get", ()),
        ("", "configmaps", "get", ("kfp-launcher",)),
        ("", "secrets", "get", ("mlpipeline-minio-artifact",)),
    }
    binding = yaml.safe_load((MANIFESTS / "training/role-binding.yaml").read_text())
    account = yaml.safe_load((MANIFESTS / "training/service-account.yaml").read_text())
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"]}]


def test_the_template_of_secrets_has_no_values():
    lines = (MANIFESTS / "components/object-store/.env.example").read_text().splitlines()
    assert [line for line in lines if line and line[0] != "#"] == ["accesskey=", "secretkey="]


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="this is no checkout of git")
def test_the_secrets_stay_out_of_git():
    store = MANIFESTS / "components/object-store"
    ignored = subprocess.run(
        ["git", "check-ignore", "-q", str(store / ".env")], cwd=REPOSITORY, check=False
    )
    assert ignored.returncode == 0


@needs_kubectl
def test_everything_lands_in_one_namespace():
    for name in ("training", "serving", *(f"overlays/{path.name}" for path in OVERLAYS)):
        objects = _built(name)
        assert {o["metadata"]["namespace"] for o in objects.values()} == {"kubeflow"}
        assert "Namespace" not in objects, "deleting the manifests must not delete the namespace"


@needs_kubectl
def test_a_gpu_is_asked_for_where_it_is_chosen_only():
    model = _built("overlays/gpu")["InferenceService"]["spec"]["predictor"]["model"]
    assert model["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert model["runtimeVersion"].endswith("-gpu")
    assert model["storageUri"] == _service()["spec"]["predictor"]["model"]["storageUri"]
    plain = _built("serving")["InferenceService"]["spec"]["predictor"]["model"]
    assert "nvidia.com/gpu" not in plain["resources"]["limits"]


@needs_kubectl
def test_from_a_store_one_version_is_served_and_only_its_initializer_has_a_way_out():
    objects = _built("overlays/store")
    model = objects["InferenceService"]["spec"]["predictor"]["model"]
    assert re.fullmatch(r"s3://[a-z]+/[a-z]+/[1-9][0-9]*", model["storageUri"])
    assert objects["ServiceAccount"]["secrets"] == [{"name": "graft-model-store"}]
    assert "graft-model-store" in README
    ports = {
        port["port"] for to in objects["NetworkPolicy"]["spec"]["egress"] for port in to["ports"]
    }
    assert ports == {53, 443, 9000}


def test_the_version_of_tensorflow_serving_can_load_what_graft_exports():
    text = (MANIFESTS / "serving/inference-service.yaml").read_text()
    model = _documents(text)["InferenceService"]["spec"]["predictor"]["model"]
    # The default of KServe does not know an operation that the exports hold.
    assert tuple(map(int, model["runtimeVersion"].split("."))) >= (2, 19, 1)
    assert "DisableCopyOnRead" in text and "DisableCopyOnRead" in README


@needs_kubectl
def test_a_sidecar_that_could_call_nobody_is_not_injected():
    """Istio's would never become ready behind a policy without egress."""
    for name in ("serving", *(f"overlays/{path.name}" for path in OVERLAYS)):
        objects = _built(name)
        if "NetworkPolicy" not in objects:
            continue
        assert bool(objects["NetworkPolicy"]["spec"]["egress"]) == (name == "overlays/store")
        spec = objects["InferenceService"]["spec"]
        for predictor in (spec["predictor"], *(c["predictor"] for c in spec.get("canary", ()))):
            assert predictor["labels"]["sidecar.istio.io/inject"] == "false", name


@needs_kubectl
def test_a_canary_without_knative_differs_in_its_version_only():
    service = _built("overlays/canary")["InferenceService"]
    mode = {"serving.kserve.io/deploymentMode": "Standard"}  # KServe refuses a canary in any other
    assert service["metadata"]["annotations"] == mode
    stable, (canary,) = service["spec"]["predictor"], service["spec"]["canary"]
    new = canary["predictor"]
    assert canary["trafficPercent"] == 10 and "canaryTrafficPercent" not in stable
    assert new["model"] == stable["model"], "KServe inherits nothing"
    shared = ("securityContext", "serviceAccountName", "automountServiceAccountToken", "labels")
    assert {key: new[key] for key in shared} == {key: stable[key] for key in shared}
    assert new["name"] and new["minReplicas"] <= stable["minReplicas"]
    assert not {"maxReplicas", "scaleMetric", "scaleTarget"} & set(new), "refused by KServe"
    names = [p["volumes"][0]["configMap"]["name"] for p in (stable, new)]
    assert [name.rpartition("-")[0] for name in names] == ["graft-stable", "graft-new"]
    (mount,) = stable["model"]["volumeMounts"]
    assert stable["model"]["args"] == [f"--model_config_file={mount['mountPath']}/models.config"]


@needs_kubectl
def test_another_version_in_the_canary_is_a_rollout_of_its_pods_only(tmp_path):
    def config_maps(root):
        spec = _build("overlays/canary", root)["InferenceService"]["spec"]
        predictors = (spec["predictor"], spec["canary"][0]["predictor"])
        return [predictor["volumes"][0]["configMap"]["name"] for predictor in predictors]

    copy = shutil.copytree(MANIFESTS, tmp_path / "manifests")
    stable, new = config_maps(copy)
    config = copy / "components/canary/new/models.config"
    config.write_text(config.read_text().replace("versions: 2", "versions: 3"))
    changed = config_maps(copy)
    assert changed[0] == stable and changed[1] != new


@needs_kubectl
def test_knative_gets_no_pod_level_security_context():
    """It refuses one, unless its operator has switched a feature on; the container has its own."""
    predictor = _built("overlays/canary-knative")["InferenceService"]["spec"]["predictor"]
    assert "securityContext" not in predictor
    context = predictor["model"]["securityContext"]
    assert context["runAsNonRoot"] is True and context["runAsUser"] == 1000
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["allowPrivilegeEscalation"] is False


@needs_kubectl
def test_a_new_version_in_the_canary_is_a_new_revision_of_knative(tmp_path):
    before = _built("overlays/canary-knative")
    predictor = before["InferenceService"]["spec"]["predictor"]
    assert predictor["canaryTrafficPercent"] == 10
    assert before["InferenceService"]["metadata"]["annotations"] == {
        "serving.kserve.io/deploymentMode": "Serverless"
    }
    assert "NetworkPolicy" not in before
    (volume,) = predictor["volumes"]
    assert volume["configMap"]["name"] == before["ConfigMap"]["metadata"]["name"]
    (mount,) = predictor["model"]["volumeMounts"]
    assert predictor["model"]["args"] == [f"--model_config_file={mount['mountPath']}/models.config"]
    assert "models.config" in before["ConfigMap"]["data"]

    copy = shutil.copytree(MANIFESTS, tmp_path / "manifests")
    config = copy / "components/canary-knative/models.config"
    config.write_text(config.read_text().replace("versions: 1", "versions: 1795363772"))
    after = _build("overlays/canary-knative", copy)["InferenceService"]["spec"]["predictor"]
    assert after["volumes"][0]["configMap"]["name"] != volume["configMap"]["name"]


@needs_kubectl
def test_credentials_of_an_object_store_add_one_secret_and_one_right(tmp_path):
    copy = shutil.copytree(MANIFESTS, tmp_path / "manifests")
    store = copy / "components/object-store"
    (store / ".env").write_text("accesskey=me\nsecretkey=mine\n")
    with (copy / "training/kustomization.yaml").open("a") as file:
        file.write("components: [../components/object-store]\n")
    objects = _build("training", copy)
    assert objects["Secret"]["metadata"]["name"] == "graft-object-store"
    assert set(objects["Secret"]["data"]) == {"accesskey", "secretkey"}
    plain = _built("training")
    assert objects["Role"]["rules"][:-1] == plain["Role"]["rules"]
    assert objects["Role"]["rules"][-1]["resourceNames"] == ["graft-object-store"]


def _validate(folder: Path) -> subprocess.CompletedProcess:
    if not UV:
        pytest.skip("uv, which makes the environment of tools/validate_manifests.py, is not there")
    command = [UV, "run", "--quiet", "--script", str(VALIDATE)]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    if not done.stdout:  # uv found no packages
        pytest.skip(f"the schemas cannot be had: {done.stderr.strip().splitlines()[-1]}")
    return done


@pytest.mark.slow
def test_the_schemas_of_kubernetes_and_kserve_allow_them():
    done = _validate(MANIFESTS)
    assert done.returncode == 0, done.stdout
    assert "InferenceService/graft" in done.stdout and "✗" not in done.stdout


@pytest.mark.slow
def test_what_the_schemas_do_not_allow_is_told_with_its_place(tmp_path):
    copy = shutil.copytree(MANIFESTS, tmp_path / "manifests")
    for name, old, new in (
        ("serving/inference-service.yaml", "storageUri:", "storageURI:"),
        ("serving/inference-service.yaml", "minReplicas: 1", "minReplicas: one"),
        ("training/claims.yaml", "requests:", "request:"),
    ):
        path = copy / name
        path.write_text(path.read_text().replace(old, new))
    done = _validate(copy)
    assert done.returncode == 1
    assert ".spec.predictor.model.storageURI: V1beta1ModelSpec has no such field" in done.stdout
    assert ".spec.predictor.minReplicas: 'one' is no int" in done.stdout
    assert "spec.resources: " in done.stdout and "'request' was unexpected" in done.stdout
