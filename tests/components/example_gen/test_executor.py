"""What TFX hands to the executor of ImageExampleGen, and what becomes of it."""

from pathlib import Path

from tfx.types import standard_artifacts

from components.example_gen import executor
from components.example_gen.config import DataSettings
from pipeline.beam_config import BeamSettings


def test_workers_elsewhere_share_the_folder_that_was_named_last():
    of = executor._shared_folder
    assert of([f"--temp_location=/{name}" for name in "abc"] + ["--x=1"]) == "/c"
    assert of(["--x=1"]) is None


def test_what_is_not_finished_lies_in_the_folder_that_is_shared(fill, tmp_path, monkeypatch):
    pictures, shared, seen = fill(tmp_path / "pets", {"a": 1, "b": 1}), tmp_path / "not" / "yet", []

    def ingest(source, settings, uri, make_pipeline, unlabelled, inputs, staging):
        assert unlabelled is None
        assert staging is None or Path(staging).parent.parent == shared
        assert staging is None or Path(staging).parent.is_dir()
        seen.append(staging)

    monkeypatch.setattr(executor, "ingest", ingest)
    ours = BeamSettings().pipeline_args()
    for args in (ours, *[[*ours, f"--temp_location={shared}"]] * 2):
        examples = standard_artifacts.Examples()
        executor.Executor(executor.Executor.Context(beam_pipeline_args=args)).Do(
            {},
            {"examples": [examples]},
            {
                "source": str(pictures),
                "settings": DataSettings().model_dump_json(),
                "unlabelled": "",
                "input_fingerprint": "",
            },
        )
        assert examples.split_names == '["train", "validation", "test"]'
    assert seen[0] is None and seen[1] and seen[2] and not list(shared.iterdir())
