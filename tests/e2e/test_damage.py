"""What is damaged is said and made again."""

import shutil

import pytest

from pipeline import preflight, run_history
from pipeline.local_runner import run_up_to
from pipeline.run_result import RunError

NODE = "ImageExampleGen"


@pytest.fixture(scope="module")
def ingest(recipe, new_recorder, tmp_path_factory):
    """Reads the pictures into a workspace of its own: whether it ran, its folder, the notices."""
    recipe = recipe.replaced(workspace=str(tmp_path_factory.mktemp("damage")))

    def ingest():
        heard = new_recorder()
        found = preflight.inspect(recipe, preflight.Scope.MACHINE)
        (artifact,) = run_up_to(NODE, recipe, heard, found)[NODE]["examples"]
        return not heard.reports[NODE].cached, artifact.uri, heard.notices

    ingest.folder = recipe.folder.absolute()
    return ingest


def test_a_damaged_artifact_is_made_again_and_the_new_one_is_taken_from_then_on(ingest):
    ran, first, notices = ingest()
    assert ran and not notices
    assert ingest() == (False, first, [])

    shutil.rmtree(f"{first}/Split-train")
    ran, second, (notice,) = ingest()
    assert ran and second != first
    assert notice.startswith(f"{NODE}: {first} is damaged, it is not used: Split-train/")
    assert notice.endswith(" is missing")
    assert ingest() == (False, second, [])


def test_a_damaged_database_is_set_aside_and_every_node_runs_again(ingest):
    ingest()
    database = ingest.folder / "metadata.sqlite"
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])
    ran, uri, (notice,) = ingest()
    assert ran and "every node runs again" in notice
    (aside,) = ingest.folder.glob("damaged/*")
    assert (aside / "metadata.sqlite").exists() and (aside / "artifacts" / NODE).is_dir()
    assert ingest() == (False, uri, [])


def test_why_a_node_failed_is_kept_with_the_run(recipe, new_recorder, tmp_path):
    for name in ("bar", "disc"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "pictures" / name / f"{number}.jpg").write_text(f"no picture {number}")
    workspace, source = str(tmp_path / "runs"), {"source": str(tmp_path / "pictures")}
    recipe = recipe.replaced(workspace=workspace, data=source)
    found = preflight.inspect(recipe, preflight.Scope.MACHINE)
    with pytest.raises(RunError) as error:
        run_up_to(NODE, recipe, new_recorder(), found)
    (node,) = run_history.find_run(recipe.folder.absolute(), None).nodes
    assert node.state == "failed" and f"{NODE}: {node.failure}" == str(error.value)
