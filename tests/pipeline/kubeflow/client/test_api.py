"""The requests of the client, one by one."""

import copy
import dataclasses
from types import SimpleNamespace

import pytest
import urllib3
import yaml

from pipeline.kubeflow.client import api
from pipeline.kubeflow.client.connection import ApiError, NotKfpError
from pipeline.kubeflow.package.documents import load_package


@pytest.fixture
def package(package_file):
    return load_package(package_file)


@pytest.fixture
def client(kfp):
    return api.PipelinesApi(kfp.host)


def test_a_job_without_cache_leaves_the_package_as_it_is(package):
    before = copy.deepcopy(package.spec)
    body = api.Job(package, "name", {}, use_cache=False).body("exp-1")
    tasks = body["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
    assert {str(task["cachingOptions"]) for task in tasks.values()} == {"{}"}
    assert package.spec == before


def test_a_package_for_kubernetes_alone_is_sent_with_its_second_document_and_others_without(
    package,
):
    alone = dataclasses.replace(package, platform={})
    assert api.Job(alone, "name", {}).body("exp-1")["pipeline_spec"] == package.spec
    assert api.Job(package, "name", {}).body("exp-1")["pipeline_spec"] == {
        "pipeline_spec": package.spec,
        "platform_spec": package.platform,
    }


def test_a_version_is_named_by_both_documents_of_its_package(kfp, client, package):
    kfp._check_namespace = lambda namespace: None
    in_another_order = dict(reversed(package.spec.items()))
    first, again, other = (
        client.upload("vision", "", dataclasses.replace(package, **documents))
        for documents in ({}, {"spec": in_another_order}, {"platform": {}})
    )
    assert (first.new, again.new, other.new) == (True, False, True)
    assert first.name == again.name != other.name and len(first.name) == 12
    assert again.reference == first.reference != other.reference


@pytest.mark.parametrize(
    ("method", "path", "request_it"),
    [
        ("POST", "/experiments", lambda client, job: client.experiment("vision")),
        ("POST", "/runs", lambda client, job: client.create_run("exp-1", job)),
        ("GET", "/runs/run-1", lambda client, job: client.get_run("run-1")),
        ("POST", "/recurringruns", lambda client, job: client.create_schedule("exp-1", job, "")),
        ("POST", "/pipelines$", lambda client, job: client.upload("vision", "", job.package)),
        ("POST", "/upload_version", lambda client, job: client.upload("p", "", job.package)),
    ],
)
@pytest.mark.parametrize("answer", [{}, {"run_id": ""}, {"created_at": "some time ago"}])
def test_what_gives_no_id_or_no_time_is_not_kubeflow_pipelines(
    kfp, client, package, method, path, request_it, answer
):
    kfp.failures = [(method, path, 200, answer)]
    with pytest.raises(NotKfpError, match=r"answers, but not as Kubeflow Pipelines"):
        request_it(client, api.Job(package, "name", {}))


class Streams:
    """Stands in for a connection: an answer, or an error, for each address in turn."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def stream(self, path, query=None):
        self.asked.append((path, query))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        pieces = [answer[at : at + 1000] for at in range(0, len(answer), 1000)]
        return SimpleNamespace(stream=lambda size: iter(pieces))


def tail(client, *answers):
    client._connection, client._namespace = Streams(*answers), "team-a"
    return client.log_tail("run-1", "pod-7"), client._connection.asked


def test_of_a_long_log_the_end_is_kept(client):
    text = "".join(f"{number:07}\n" for number in range(10_000))
    found, asked = tail(client, text.encode())
    assert found == text[-65_536:] and len(asked) == 1
    cut, _ = tail(client, ("\u00e4" * 40_000 + "x").encode())
    assert cut == "\ufffd" + "\u00e4" * 32_767 + "x", "in the middle of a letter"


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b" \n",
        b'{"error_message": "pods not found"}',
        b"<!doctype html><html></html>",
        b"\n<!DOCTYPE html>\n<HTML>",
        b"<html>",
        ApiError("404"),
        urllib3.exceptions.ProtocolError("broken"),
    ],
)
def test_where_there_is_no_log_the_server_of_the_user_interface_is_asked(client, first):
    found, asked = tail(client, first, b"graft: no")
    assert found == "graft: no"
    assert asked == [
        ("/apis/v1alpha1/runs/run-1/nodes/pod-7/log", None),
        ("/k8s/pod/logs", {"podname": "pod-7", "runid": "run-1", "podnamespace": "team-a"}),
    ]
    assert tail(client, first, first)[0] is None


def test_a_server_that_leaves_out_an_empty_list_has_no_schedule(kfp, client):
    kfp.failures = [("GET", "/recurringruns", 200, {})]
    assert client.schedules("exp-1", "digits") == []


def test_a_package_in_any_script_is_uploaded_letter_by_letter(kfp, client, package):
    kfp._check_namespace = lambda namespace: None
    spec = {**package.spec, "pipelineInfo": {"name": "digits", "description": "Kätzchen 猫"}}
    client.upload("vision", "", dataclasses.replace(package, spec=spec))
    ((version,)) = kfp.versions.values()
    assert next(yaml.safe_load_all(version["text"])) == spec
