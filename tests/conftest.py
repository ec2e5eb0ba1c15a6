"""Pictures that a tiny network learns in seconds: three shapes, a folder per class."""

import contextlib
import functools
import http.server
import io
import multiprocessing
import os
import runpy
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the first import of TensorFlow
# Beam makes a parser of options some thousand times in a run. Of every word of it argparse asks
# whether there is a translation, and looks for files, unless the language is this one.
os.environ.setdefault("LANGUAGE", "C")

import hypothesis
import numpy as np
import pytest
from PIL import Image, ImageDraw

from components.garbage import collect_seldom

collect_seldom()

# No test outlives a loss of power, and a disk takes milliseconds for every file.
os.fsync = lambda file: None

# Where the checkout cannot be written (in the image it belongs to root), hypothesis' database of
# failed examples is a warning, and warnings are errors here. A failure prints its own example.
# The examples are the same in every run, so that nobody's change fails by another's bad luck;
# `make test-chaos` draws new ones.
hypothesis.settings.register_profile("random", database=None, print_blob=True)
hypothesis.settings.register_profile(
    "graft", hypothesis.settings.get_profile("random"), derandomize=True
)
hypothesis.settings.load_profile("graft")

pytest_plugins = [
    "tests.fixtures.object_store",
    "tests.fixtures.serving_client",
    "tests.fixtures.signing",
    "tests.fixtures.transform_graph",
]

SHAPES = ("bar", "disc", "frame")

# Folders and files with the tests that take longest.
LONGEST = (
    "tests/e2e/",
    "tests/components/trainer/",
    "tests/chaos/",
    "tests/pipeline/kubeflow/",
    "tests/pipeline/test_beam_workers.py",
    "tests/components/example_gen/test_ingest",
    "tests/pipeline/test_dask.py",
    "tests/components/evaluator/test_evaluator.py",
    "tests/kubeflow/test_manifests.py",
)


def pytest_collection_modifyitems(config, items):
    """The longest first, so that one of two processes does not wait for the other at the end.

    A test that needs a Transform graph is slow: it takes 13 seconds to make.
    """

    def turn(item) -> int:
        file = item.path.relative_to(config.rootpath).as_posix()
        starts = [file.startswith(start) for start in LONGEST]
        return starts.index(True) if any(starts) else len(LONGEST)

    items.sort(key=turn)
    for item in items:
        if "analyzed" in item.fixturenames:
            item.add_marker(pytest.mark.slow)


def pytest_xdist_make_scheduler(config, log):
    """Tests that share the runs of `tests/e2e` stay in one process, which makes these runs once."""
    from xdist.scheduler import LoadFileScheduling

    class ByRun(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            runs = "tests/e2e/"
            return runs if nodeid.startswith(runs) else super()._split_scope(nodeid)

    return ByRun(config, log)


def draw_shape(shape: str, seed: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """One shape in a bright colour on a noisy dark ground, somewhere in the picture."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(10, 60, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(ground)
    colour = tuple(int(c) for c in rng.integers(150, 255, 3))
    x, y = (int(rng.integers(14, side - 14)) for side in size)
    draw = ImageDraw.Draw(picture)
    if shape == "bar":
        draw.rectangle([x - 3, 0, x + 3, size[1]], fill=colour)
    elif shape == "disc":
        draw.ellipse([x - 10, y - 10, x + 10, y + 10], fill=colour)
    elif shape == "frame":
        draw.rectangle([x - 12, y - 12, x + 12, y + 12], outline=colour, width=4)
    else:
        raise ValueError(f"no shape {shape}; there are {SHAPES}")
    return picture


@pytest.fixture(scope="session")
def write_pictures() -> Callable[..., Path]:
    """`write_pictures(folder, classes, per_class)` fills one folder per class with JPEGs."""

    def write(folder: Path, classes: Sequence[str] = SHAPES, per_class: int = 40) -> Path:
        for index, name in enumerate(classes):
            (folder / name).mkdir(parents=True)
            for number in range(per_class):
                picture = draw_shape(name, seed=1000 * index + number)
                picture.save(folder / name / f"{number:03d}.jpg", quality=90)
        return folder

    return write


@pytest.fixture(scope="session")
def draw() -> Callable[[str, int], bytes]:
    """`draw(shape, seed)` gives one picture as JPEG."""

    def draw(shape: str, seed: int) -> bytes:
        file = io.BytesIO()
        draw_shape(shape, seed).save(file, "JPEG", quality=90)
        return file.getvalue()

    return draw


@pytest.fixture
def loopback() -> Iterator[Callable[[Callable], http.server.HTTPServer]]:
    """`loopback(handler)` starts an HTTP server on 127.0.0.1; `server.address` is its URL."""
    with contextlib.ExitStack() as stack:

        def start(handler: Callable) -> http.server.HTTPServer:
            server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
            server.address = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return server

        yield start


@pytest.fixture
def loopback_folder(loopback) -> Callable[[Path], str]:
    """`loopback_folder(folder)` serves the files of a folder and gives the address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    return lambda folder: loopback(functools.partial(Quiet, directory=str(folder))).address


@pytest.fixture
def saved_model(tmp_path) -> Callable[[str], Path]:
    """`saved_model("one")` is the folder of a file that TensorFlow would not load."""

    def saved_model(content: str) -> Path:
        folder = tmp_path / "models" / content
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_text(content)
        (folder / "variables" / "variables.index").write_text("1")
        return folder

    return saved_model


@pytest.fixture(scope="session")
def forked() -> Iterator[SimpleNamespace]:
    """`forked.Popen` and `forked.run(words, folder)`: Python processes that import nothing."""
    module = runpy.run_path(str(Path(__file__).with_name("forked_python.py")))
    yield SimpleNamespace(Popen=module["ForkedPopen"], run=module["run"])
    for process in multiprocessing.active_children():  # pytest would wait for it for good
        process.kill()


@pytest.fixture(scope="module")
def tiny_network() -> Path:
    """Has three layers in the place of MobileNetV2; gives the file whose `install()` does it."""
    import keras

    file = Path(__file__).with_name("tiny_network.py")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(keras.applications, "MobileNetV2", runpy.run_path(str(file))["build"])
        yield file


class Recorder:
    """A listener of runs that keeps what it hears.

    Attributes:
        node_ids: the nodes, in the order in which they will run.
        started: those that have begun.
        reports: of those that have ended, by node.
        notices: what the user should know.
    """

    def __init__(self):
        self.node_ids, self.started, self.reports, self.notices = [], [], {}, []

    def run_started(self, node_ids):
        self.node_ids = list(node_ids)

    def node_started(self, node_id):
        assert node_id not in self.reports, "a node starts before it ends"
        self.started.append(node_id)

    def noticed(self, text):
        self.notices.append(text)

    def node_finished(self, report):
        self.reports[report.node_id] = report


@pytest.fixture(scope="session")
def new_recorder() -> type[Recorder]:
    """Makes listeners, for fixtures that outlive a test."""
    return Recorder


@pytest.fixture
def recorder() -> Recorder:
    """A listener of runs that keeps what it hears."""
    return Recorder()
