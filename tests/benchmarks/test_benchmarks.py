"""What the benchmarks measure with, and how they sum it up. Nothing here is timed."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.one_line

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    """Imports a benchmark as running its file would."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


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
            "graft": {**script, "seconds": graft_s, "trainer_seconds": trainer_s, "kept": accuracy},
        }

    pairs = [pair(100, 50, 30, 0.94), pair(100, 40, 20, 0.95), pair(200, 180, 20, 0.97)]
    lines = module("compare_keras").summary(pairs).splitlines()
    (whole,) = [line for line in lines if line.startswith("whole pipeline / script")]
    (trainer,) = [line for line in lines if line.startswith("Trainer / script")]
    (kept,) = [line for line in lines if line.startswith("kept")]
    (last,) = [line for line in lines if line.startswith("unfrozen, last epoch")]
    (best,) = [line for line in lines if line.startswith("unfrozen, best epoch")]
    assert "0.500   (0.500, 0.400, 0.900)" in whole
    assert "0.200   (0.300, 0.200, 0.100)" in trainer
    assert "script 0.9500  graft 0.9533  +0.0033" in kept
    assert "script 0.9500" in last and "script 0.9700" in best


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
