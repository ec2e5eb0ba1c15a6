"""What the benchmarks measure with, and how they sum it up. Nothing here is timed."""

import argparse
import ast
import collections
import importlib
import itertools
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.one_line

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    """Imports a benchmark as running its file would."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCHMARKS.glob("*.py")))
def test_what_a_benchmark_imports_is_there(module, name):
    if name != "keras_script":  # which is one script from its first line on
        module(name)


def test_sizes_in_the_status_of_a_process(module):
    text = "Name:\tpython\nVmHWM:\t  204800 kB\nRssAnon:\t    1024 kB\nThreads:\t4\n"
    assert module("measure").parse_status(text) == {"VmHWM": 200.0, "RssAnon": 1.0}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_process_is_watched(module, tmp_path):
    code = "import time; block = bytearray(100 << 20); print('done'); time.sleep(0.5)"
    watched = module("measure").watch([sys.executable, "-c", code], tmp_path / "log")
    assert watched.seconds >= 0.5
    assert 100 < watched.peak_private_mib < 200
    assert (tmp_path / "log").read_text() == "done\n"


def test_a_failure_shows_the_end_of_the_log(module, tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no such pictures')"]
    with pytest.raises(RuntimeError, match="no such pictures"):
        module("measure").watch(command, tmp_path / "log")
    module("measure").watch(command, tmp_path / "log", ok=(0, 1))


@pytest.mark.slow
def test_every_gate_passes_one_model_and_stops_another(module):
    gate_rows = module("gate_rows")
    for case in gate_rows.CASES:
        assert [row.verdict for row in gate_rows.rows_of(case)] == ["pass", "fail"], case[0]


def test_the_summary_has_median_ratios_and_mean_accuracies(module):
    def pair(script_s, graft_s, trainer_s, accuracy):
        histories = {"frozen": [0.9], "unfrozen": [0.97, 0.95]}
        shared = {"histories": histories, "kept": 0.95, "test": 0.96}
        script = {"seconds": script_s, **shared}
        return {
            "script": script,
            "graft": {
                **script,
                "seconds": graft_s,
                "served_seconds": graft_s - 5,
                "trainer_seconds": trainer_s,
                "kept": accuracy,
            },
        }

    pairs = [pair(100, 50, 30, 0.94), pair(100, 40, 20, 0.95), pair(200, 180, 20, 0.97)]
    lines = module("compare_keras").summary(pairs).splitlines()
    (whole,) = [line for line in lines if "whole pipeline / script" in line]
    (served,) = [line for line in lines if "start to served / script" in line]
    (trainer,) = [line for line in lines if "Trainer / script" in line]
    (kept,) = [line for line in lines if line.startswith("kept")]
    (last,) = [line for line in lines if line.startswith("unfrozen, last epoch")]
    (best,) = [line for line in lines if line.startswith("unfrozen, best epoch")]
    assert "0.500   (0.500, 0.400, 0.900)" in whole
    assert "0.450   (0.450, 0.350, 0.875)" in served
    assert "0.200   (0.300, 0.200, 0.100)" in trainer
    assert "script 0.9500  graft 0.9533  +0.0033" in kept
    assert "script 0.9500" in last and "script 0.9700" in best


def test_a_third_contender_has_lines_and_columns_of_its_own(module):
    histories = {"frozen": [0.9], "unfrozen": [0.97, 0.95]}
    script = {"seconds": 100, "histories": histories, "kept": 0.95, "test": 0.96}
    graft = {**script, "seconds": 40, "served_seconds": 35, "trainer_seconds": 30}
    photos = {**graft, "seconds": 20, "kept": 0.98, "test": 0.99}
    summary = module("compare_keras").summary(
        [{"script": script, "photos": photos, "graft": graft}]
    )
    lines = summary.splitlines()
    assert any(
        line.startswith("photos: whole pipeline / script") and "0.200" in line for line in lines
    )
    assert any(
        line.startswith("graft: whole pipeline / script") and "0.400" in line for line in lines
    )
    (kept,) = [line for line in lines if line.startswith("kept")]
    assert "graft 0.9500  +0.0000  photos 0.9800  +0.0300" in kept


def test_events_of_a_run_have_their_time_since_its_start(module):
    log = """a warning
{"event": "epoch", "time": "2026-11-29T10:00:30.500+00:00", "val_accuracy": 0.75}
{"event": "node_finished", "time": "2026-11-29T10:01:00.000+00:00", "node": "Pusher"}
{"event": "node_finished", "time": "2026-11-29T10:01:02.000+00:00", "node": "Report"}
"""
    started = datetime.fromisoformat("2026-11-29T10:00:00+00:00").timestamp()
    events = module("measure").events_of(log, started)
    assert [event["at"] for event in events] == [30.5, 60.0, 62.0]
    assert module("compare_keras")._served(events) == 60.0


@pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc"
)
@pytest.mark.slow
def test_what_a_process_and_its_children_share_counts_once(module, tmp_path, monkeypatch):
    monkeypatch.setattr(module("measure"), "_PAUSE_ALL_S", 0.1)
    code = """
import os, time
block = bytearray(100 << 20)
if os.fork() == 0:
    more = bytearray(50 << 20)
    time.sleep(1)
    os._exit(0)
os.wait()
"""
    command = [sys.executable, "-c", code]
    watch = module("measure").watch
    assert 150 < watch(command, tmp_path / "log", children=True).peak_private_mib < 200
    assert watch(command, tmp_path / "log").peak_private_mib < 150


def photos(folder, count):
    """So many pictures of 40 x 30 pixels in each of four folders."""
    for split, name in itertools.product(("train", "validation"), ("cats", "dogs")):
        (folder / split / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (40, 30), (number, 0, 0)).save(folder / split / name / f"{number}.jpg")


def options_of(module, *options):
    parser = argparse.ArgumentParser()
    module("pictures").add_options(parser)
    return parser.parse_args(options)


def test_some_of_the_pictures_are_the_same_share_of_every_folder(module, tmp_path):
    photos(tmp_path / "all", 6)
    prepared = module("pictures").prepared
    given = options_of(module, "--pictures", str(tmp_path / "all"))
    assert prepared(given, tmp_path) == tmp_path / "all"
    given = options_of(module, "--pictures", str(tmp_path / "all"), "--limit", "12")
    folder = prepared(given, tmp_path)
    counts = collections.Counter(file.parent for file in folder.glob("*/*/*"))
    assert len(counts) == 4 and set(counts.values()) == {3}
    assert all(file.read_bytes() for file in folder.glob("*/*/*"))


def test_enlarged_pictures_have_the_asked_size_and_their_shape(module, tmp_path):
    photos(tmp_path / "all", 1)
    options = ("--pictures", str(tmp_path / "all"), "--megapixels", "0.12")
    folder = module("pictures").prepared(options_of(module, *options), tmp_path)
    sizes = []
    for file in folder.glob("*/*/*.jpg"):
        with Image.open(file) as picture:
            sizes.append(picture.size)
    assert sizes == [(400, 300)] * 4


def test_the_table_of_peers_has_a_row_for_each(module):
    peers = module("peers")
    result = {
        "seconds": 61.25,
        "pictures_per_second": 130.6,
        "peak_mib": 1234.5,
        "lines": 70,
        "environment_mib": 5555.4,
        "left_mib": 0.04,
    }
    *_, fastai, graft = peers.table({"fastai": result, "Graft": result}).splitlines()
    assert fastai == "| fastai | 61.2 | 131 | 1,234 | 70 | 5,555 | 0.0 |"
    assert graft.startswith("| Graft | 61.2 |")


def test_every_peer_has_a_script_that_parses_and_pinned_packages(module):
    peers = module("peers")
    for peer in peers.peers().values():
        ast.parse(peer.script.read_text())
        assert all("==" in package for package in peer.packages)
    text = '"""What it does.\n\nMore.\n"""\n\n# why\nimport os\n\nprint(os)  # so\n'
    assert peers.lines_of(text) == 2


def test_accuracy_over_time_has_a_line_per_run_and_a_name_per_contender(module):
    run = {"curve": [(10.0, 0.9), (20.0, 0.95)], "seconds": 25.0, "kept": 0.95}
    figure = module("accuracy_over_time").draw([{"script": run, "photos": run}] * 2)
    (axes,) = figure.axes
    assert sum(len(line.get_xdata()) == 2 for line in axes.lines) == 4
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["plain Keras script", "Graft, recipe photos"]


def test_drawn_classes_are_many_and_differ(module):
    drawn = module("drawn_classes")
    pictures = {name: drawn.draw(np.random.default_rng(0), name) for name in drawn.CLASSES}
    assert len({picture.tobytes() for picture in pictures.values()}) == len(drawn.CLASSES) == 36


def test_drawn_pictures_are_photos_in_size_and_no_two_are_alike(module, tmp_path):
    module("scale").draw_pictures(tmp_path / "pictures", 6)
    files = sorted((tmp_path / "pictures").glob("*/*.jpg"))
    assert [file.parent.name for file in files] == ["cool"] * 3 + ["warm"] * 3
    assert len({file.read_bytes() for file in files}) == 6
    assert all(20_000 < file.stat().st_size < 200_000 for file in files)


def test_drawn_classes_differ_in_their_tint(module):
    draw = module("scale").draw
    warm, cool = (
        np.asarray(draw(np.random.default_rng(0), name)).mean((0, 1)) for name in ("warm", "cool")
    )
    assert warm[0] > 1.5 * warm[2] and cool[2] > 1.5 * cool[0]


def test_a_gate_passes_a_model_at_its_threshold_as_seldom_as_promised(module):
    gates = module("gates")
    new, old = gates.exact(0.95, 300, 0.95)
    assert new <= 0.05 and old > 0.5
    for name, threshold in (("auc", 0.9), ("calibration_error", 0.1)):
        statistic = getattr(gates.bootstrap, name)
        assert gates.simulated(statistic, threshold, 100, 0.95, runs=5)[0] <= 0.4
