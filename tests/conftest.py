"""Pictures that a tiny network learns in seconds: three shapes, a folder per class."""

import contextlib
import dataclasses
import functools
import http.server
import importlib.util
import io
import os
import runpy
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the first import of TensorFlow

import hypothesis
import numpy as np
import pytest
from PIL import Image, ImageDraw

# Where the checkout cannot be written (in the image it belongs to root), hypothesis' database of
# failed examples is a warning, and warnings are errors here. A failure prints its own example.
hypothesis.settings.register_profile("graft", database=None, print_blob=True)
hypothesis.settings.load_profile("graft")

SHAPES = ("bar", "disc", "frame")

# Folders with the tests that take longest.
LONGEST = ("tests/e2e", "tests/components/trainer", "tests/pipeline/kubeflow")


def pytest_collection_modifyitems(config, items):
    """The longest first, so that one of two processes does not wait for the other at the end.

    A test that needs a Transform graph is slow: it takes 13 seconds to make.
    """

    def turn(item) -> int:
        file = item.path.relative_to(config.rootpath).as_posix()
        starts = [file.startswith(f"{folder}/") for folder in LONGEST]
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


@pytest.fixture(scope="session")
def serve_s3() -> Iterator[Callable]:
    """`serve_s3(patch)` starts a server of S3's protocol, which AWS' clients find by `patch`.

    A later one still holds what this process has stored.
    """
    pytest.importorskip("boto3", reason="skipped: the extra `aws` is not installed")
    moto_server = pytest.importorskip("moto.server", reason="skipped: moto is not installed")
    with contextlib.ExitStack() as stack:

        def serve(patch: pytest.MonkeyPatch):
            server = moto_server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
            server.start()
            stack.callback(server.stop)
            _name_s3(patch, server)
            return server

        yield serve


def _name_s3(patch: pytest.MonkeyPatch, server) -> None:
    host, port = server.get_host_and_port()
    patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    patch.setenv("AWS_ACCESS_KEY_ID", "key")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture(scope="session")
def s3_server(serve_s3):
    """One server for all tests that do not stop it; it takes half a second to end one."""
    with pytest.MonkeyPatch.context() as patch:
        return serve_s3(patch)


@pytest.fixture
def s3(s3_server, monkeypatch):
    """boto3's client of a server of S3's protocol with an empty bucket `models`."""
    import boto3

    _name_s3(monkeypatch, s3_server)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    client = boto3.client("s3")
    client.create_bucket(Bucket="models")
    for key in s3_keys(client):  # of a test that this process ran before
        client.delete_object(Bucket="models", Key=key)
    return client


def s3_keys(client) -> list[str]:
    """Names of all objects of the bucket `models`."""
    found = client.list_objects_v2(Bucket="models").get("Contents", ())
    return sorted(item["Key"] for item in found)


@pytest.fixture
def break_s3(monkeypatch) -> Callable:
    """`break_s3("variables", 1)` cuts the connection of requests whose address holds that word.

    As often as told; with `answered=True` when the server has done what it was asked.
    """
    from botocore.exceptions import ConnectionClosedError
    from botocore.httpsession import URLLib3Session

    def break_s3(word: str, times: int, answered: bool = False) -> list[str]:
        send, broken = URLLib3Session.send, []

        def cut(session, request):
            hit = request.method == "PUT" and word in request.url and len(broken) < times
            answer = send(session, request) if answered or not hit else None
            if hit:
                broken.append(request.url)
                raise ConnectionClosedError(endpoint_url=request.url)
            return answer

        monkeypatch.setattr(URLLib3Session, "send", cut)
        return broken

    return break_s3


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


def example(image: bytes, label: str) -> bytes:
    """A serialized `tf.train.Example` as ImageExampleGen writes it."""
    import hashlib

    import tensorflow as tf

    def of_bytes(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def of_int(value: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                "image": of_bytes(image),
                "label": of_bytes(label.encode()),
                "image_id": of_bytes(hashlib.sha256(image).hexdigest().encode()),
                "split": of_bytes(b"train"),
                "path": of_bytes(f"{label}/picture".encode()),
                "view": of_int(0),
                "width": of_int(48),
                "height": of_int(40),
                "bytes": of_int(len(image)),
                "format": of_bytes(b"JPEG"),
                "orientation": of_int(1),
                **dict.fromkeys(
                    ("brightness", "contrast", "sharpness", "aspect", "colourfulness"),
                    tf.train.Feature(float_list=tf.train.FloatList(value=[1.0])),
                ),
            }
        )
    ).SerializeToString()


@pytest.fixture(scope="session")
def forked() -> SimpleNamespace:
    """`forked.Popen` and `forked.run(words, folder)`: Python processes that import nothing."""
    module = runpy.run_path(str(Path(__file__).with_name("forked_python.py")))
    return SimpleNamespace(Popen=module["ForkedPopen"], run=module["run"])


@pytest.fixture(scope="module")
def tiny_network() -> Path:
    """Has three layers in the place of MobileNetV2; gives the file whose `install()` does it."""
    import keras

    file = Path(__file__).with_name("tiny_network.py")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(keras.applications, "MobileNetV2", runpy.run_path(str(file))["build"])
        yield file


@pytest.fixture(scope="session")
def _keys(tmp_path_factory) -> Path:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    folder = tmp_path_factory.mktemp("keys")
    own, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    keys = {
        "own": (own, s.NoEncryption()),
        "other": (other, s.NoEncryption()),
        "locked": (own, s.BestAvailableEncryption(b"password")),
        "curve": (ec.generate_private_key(ec.SECP256K1()), s.NoEncryption()),
        "rsa": (rsa.generate_private_key(65537, 2048), s.NoEncryption()),
    }
    for name, (key, lock) in keys.items():
        private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, lock)
        (folder / f"{name}.pem").write_bytes(private)
        public = key.public_key()
        (folder / f"{name}.pub").write_bytes(
            public.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
        )
    (folder / "junk.pem").write_text("secret words")
    return folder


@pytest.fixture
def signing_keys(_keys, monkeypatch) -> Path:
    """A folder of keys, private in `own.pem` and public in `own.pub`, and a library to sign with.

    `other` is as good, `locked` has a password, `curve` and `rsa` are of kinds that sign no model.
    """
    if importlib.util.find_spec("model_signing") is None:
        file = Path(__file__).with_name("model_signing_stand_in.py")
        for name, module in runpy.run_path(str(file))["modules"]().items():
            monkeypatch.setitem(sys.modules, name, module)
    return _keys


@dataclasses.dataclass(frozen=True)
class Analyzed:
    """What Transform made of some pictures: its output, the example file, and the pictures.

    Attributes:
        folder: a transform graph, for `tft.TFTransformOutput`.
        file: gzip-compressed TFRecord.
        pictures: (encoded bytes, class name) in the file's order.
    """

    folder: str
    file: str
    pictures: list[tuple[bytes, str]]


@pytest.fixture(scope="session")
def analyzed(tmp_path_factory, write_pictures) -> Analyzed:
    """The Transform graph for 32 px with every augmentation, over 48 pictures of three classes."""
    import apache_beam as beam
    import tensorflow as tf
    import tensorflow_transform.beam as tft_beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tensorflow_transform.tf_metadata import dataset_metadata
    from tfx_bsl.public import tfxio

    from components.transform.config import AugmentationSettings, TransformSettings
    from components.transform.preprocessing import preprocessing_fn

    folder = tmp_path_factory.mktemp("analyzed")
    root = write_pictures(folder / "pictures", per_class=16)
    pictures = [(path.read_bytes(), path.parent.name) for path in sorted(root.glob("*/*.jpg"))]
    records = [example(*picture) for picture in pictures]
    file = str(folder / "data_tfrecord-00000-of-00001.gz")
    with tf.io.TFRecordWriter(file, "GZIP") as writer:
        for record in records:
            writer.write(record)

    settings = TransformSettings(
        image_size=32,
        augmentation=AugmentationSettings(horizontal_flip=True, rotation=0.1, brightness=0.1),
        seed=1,
    )
    text = Path(__file__).parents[1].joinpath("schemas/schema.pbtxt").read_text()
    schema = text_format.Parse(text, schema_pb2.Schema())
    source = tfxio.TFExampleBeamRecord(physical_format="memory", schema=schema)
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=in_memory"])
    with (
        beam.Pipeline(options=options) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "temporary")),
    ):
        data = (pipeline | beam.Create(records) | source.BeamSource(), source.TensorAdapterConfig())
        custom_config = {"settings": settings.model_dump_json()}
        graph = data | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, custom_config)
        )
        _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
        metadata = dataset_metadata.DatasetMetadata(schema)
        _ = metadata | tft_beam.WriteMetadata(str(folder / "graph" / "metadata"), pipeline)
    return Analyzed(str(folder / "graph"), file, pictures)


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
