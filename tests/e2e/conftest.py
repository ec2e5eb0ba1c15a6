"""The whole pipeline on tiny pictures, run once and looked at by many tests."""

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from components import destinations
from pipeline.config import Recipe
from pipeline.local_runner import NodeReport, RunResult, run_local


def pytest_collection_modifyitems(items):
    """All tests of this folder are slow: each needs a whole run."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run: what it returned, reported and noticed, and the versions served after it."""

    result: RunResult
    reports: dict[str, NodeReport]
    versions: list[str]
    notices: list[str]

    @property
    def executed(self) -> set[str]:
        """Nodes that were not taken from the cache."""
        return {node_id for node_id, report in self.reports.items() if not report.cached}


@pytest.fixture(scope="session")
def recipe(tmp_path_factory, write_pictures) -> Recipe:
    """Three shapes, 32 px, the smallest network, two short phases."""
    folder = tmp_path_factory.mktemp("e2e")
    pictures = write_pictures(folder / "my pictures", per_class=40)
    (pictures / "disc" / "kein Bild.jpg").write_text("this is text")
    return Recipe(
        name="shapes",
        workspace=str(folder / "runs"),
        data={
            "source": str(pictures),
            # Drawn shapes look alike: half of them would be copies.
            "near_duplicates": False,
            "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
        },
        backbone={"alpha": 0.35, "image_size": 32, "weights": "glyphs"},
        augmentation={"rotation": 0.02, "width_shift": 0.05, "views": 2},
        training={
            "batch_size": 16,
            "frozen": {"epochs": 8, "optimizer": "adam", "learning_rate": 0.01},
            "unfrozen": {"epochs": 1, "learning_rate": 1e-5, "fine_tune_at": 140},
        },
        evaluation={"thresholds": {"accuracy": 0.6}},
        serving_gate={"samples": 8, "batch": 8, "latency_requests": 3, "max_latency_ms": 60_000},
    )


@pytest.fixture(scope="session")
def run(new_recorder, forked_client) -> Callable[..., Run]:
    """`run(recipe)` runs a recipe in this process; `client` is around what ServingGate starts."""

    def run(recipe: Recipe, client=forked_client) -> Run:
        recorder = new_recorder()
        with client():
            result = run_local(recipe, recorder)
        assert list(recorder.reports) == recorder.node_ids
        versions = [version.name for version in destinations.list_versions(recipe.push_destination)]
        return Run(result, recorder.reports, versions, recorder.notices)

    return run


@pytest.fixture(scope="session")
def first(recipe, run) -> Run:
    """The first run: nothing is served yet. ServingGate's client is a new process, as always."""
    return run(recipe, contextlib.nullcontext)


@pytest.fixture(scope="session")
def same(recipe, run, first) -> Run:
    """The same again: its model is what is served."""
    return run(recipe)


@pytest.fixture(scope="session")
def compared(recipe) -> Recipe:
    """Another recipe for the same model, so that this is compared with what is served."""
    return recipe.replaced(push=recipe.push.replaced(allow_taken_back=True))


@pytest.fixture(scope="session")
def second(compared, run, same) -> Run:
    """A run that compares its model with what is served, which is the same."""
    return run(compared)


@pytest.fixture(scope="session")
def pushed(first) -> Path:
    """The version that the first run pushed."""
    return Path(first.result.pushed_path)
