"""A compiled package, run by an orchestrator that others wrote: kfp's own for one machine.

Its handler of containers is replaced by one that starts the same command as a process, and does to
paths on a claim what mounting it would do. All else is kfp's: the order of steps, what each is
handed, its outputs, and what of these reaches the next.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

import pipeline
from components import served_versions
from pipeline.config import Recipe
from pipeline.kubeflow.compiler.compile_package import compile_package
from pipeline.kubeflow.emulator.pod import translate

# TFX 1.16 pins kfp 2.5.0, whose local orchestrator runs single components only.
local = pytest.importorskip("kfp.local", reason="skipped: this line's kfp has no kfp.local")
orchestrator = pytest.importorskip(
    "kfp.local.pipeline_orchestrator", reason="skipped: this line's kfp.local runs no pipelines"
)

MOUNT = "/mnt/graft"


# Fifteen steps, twelve of which import TFX, in the image's two processes.
@pytest.mark.timeout(1800)
def test_it_runs_the_package_to_a_pushed_model(recipe, tmp_path, monkeypatch, capfd):
    from kfp.local import status, subprocess_task_handler

    claim = tmp_path / "claim"
    claim.mkdir()
    (claim / "pictures").symlink_to(recipe.data.source)
    commands = []

    class Process:
        """In the place of kfp's handler of containers."""

        def __init__(self, image, full_command, pipeline_root, runner):
            assert image == "registry.example.com/graft:1"
            self.command = [translate(word, {MOUNT: claim}) for word in full_command]

        def run(self):
            commands.append(self.command)
            assert self.command[0] == "python"
            ended = subprocess.run(
                [sys.executable, *self.command[1:]],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(Path(pipeline.__file__).parents[1])},
                check=False,
            )
            return status.Status.FAILURE if ended.returncode else status.Status.SUCCESS

    monkeypatch.setattr(subprocess_task_handler, "SubprocessTaskHandler", Process)
    values = recipe.model_dump(exclude_unset=True)
    values["data"] = {**values["data"], "source": f"{MOUNT}/pictures"}
    values["kubeflow"] = {
        "image": "registry.example.com/graft:1",
        "pvcs": {"graft": MOUNT},
        "push_destination": f"{MOUNT}/serving",
    }
    text = compile_package(Recipe.model_validate(values))
    spec = next(yaml.safe_load_all(text))
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "root"))
    orchestrator.run_local_pipeline(
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec()), {}
    )
    assert len(commands) == len(spec["root"]["dag"]["tasks"])
    assert [version.name for version in served_versions.list_versions(claim / "serving")] == ["1"]
    shown = capfd.readouterr().out
    assert "Task 'probe' outputs:" in shown or "input_fingerprint" in shown
