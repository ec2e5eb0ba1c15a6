"""What TFX hands to the executor of ImageExampleGen, and what becomes of it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from tfx.types import standard_artifacts

from components.example_gen import executor
from components.example_gen.config import DataSettings
from components.example_gen.splitting.split_ledger import ledger_inputs
from pipeline.beam_config import BeamSettings


def test_workers_elsewhere_share_the_folder_that_was_named_last():
    of = executor._shared_folder
    assert of([f"--temp_location=/{name}" for name in "abc"] + ["--x=1"]) == "/c"
    assert of(["--x=1"]) is None


@pytest.fixture
def fill_artifact(fill, tmp_path, monkeypatch):
    """Has the executor run on two pictures; gives the artifact and what `ingest` was asked for."""
    pictures = fill(tmp_path / "pets", {"a": 1, "b": 1})
    properties = {
        "source": str(pictures),
        "settings": DataSettings().model_dump_json(),
        "unlabelled": "",
        "input_fingerprint": "",
    }

    def fill_artifact(*beam_args, **changed):
        asked = {}

        def ingest(source, settings, uri, make_pipeline, unlabelled, inputs, staging):
            workspace = Path(staging).parent if staging else None
            asked.update(unlabelled=unlabelled, inputs=inputs, workspace=workspace)
            assert staging is None or workspace.is_dir()

        monkeypatch.setattr(executor, "ingest", ingest)
        examples = standard_artifacts.Examples()
        args = [*BeamSettings().pipeline_args(), *beam_args]
        executor.Executor(executor.Executor.Context(beam_pipeline_args=args)).Do(
            {}, {"examples": [examples]}, {**properties, **changed}
        )
        return examples, SimpleNamespace(**asked)

    return fill_artifact


def test_what_is_not_finished_lies_in_the_folder_that_is_shared(fill_artifact, tmp_path):
    assert fill_artifact()[1].workspace is None
    shared = tmp_path / "not" / "yet"
    for _ in range(2):
        _, asked = fill_artifact(f"--temp_location={shared}")
        assert asked.workspace.parent == shared and not list(shared.iterdir())


def test_the_artifact_names_a_split_of_unlabelled_pictures_where_there_are_some(
    fill_artifact, tmp_path
):
    examples, asked = fill_artifact()
    assert asked.unlabelled is None
    assert examples.split_names == '["train", "validation", "test"]'
    examples, asked = fill_artifact(unlabelled=str(tmp_path / "pets/a"))
    assert [item.path for item in asked.unlabelled.items] == ["0.png"]
    assert examples.split_names == '["train", "validation", "test", "unlabelled"]'


def test_a_ledger_is_to_remember_the_pictures_and_the_settings(fill_artifact):
    settings = DataSettings(max_pixels=10**6).model_dump_json()
    _, asked = fill_artifact(input_fingerprint="of these", settings=settings)
    assert asked.inputs == ledger_inputs("of these", settings)
