"""Time and memory of ImageExampleGen's work alone, at growing numbers of pictures.

python benchmarks/ingest.py --sizes 1000 4000 16000
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from scale import draw_pictures

sys.path.insert(0, str(Path(__file__).parents[1]))

_RUNNERS = {
    "in memory": ["--direct_running_mode=in_memory"],
    "two threads": ["--direct_running_mode=multi_threading", "--direct_num_workers=2"],
    "two workers": ["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
}


def main() -> None:
    """Prints a line per number of pictures and way of running."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 4000, 16000])
    args = parser.parse_args()
    print(f"{'pictures':>8}  {'runner':<12}{'s':>7}{'img/s':>8}{'MiB':>7}  (largest process)")
    with tempfile.TemporaryDirectory(prefix="graft-ingest-") as scratch:
        drawn = Path(scratch, "drawn")
        draw_pictures(drawn, max(args.sizes))
        for size in args.sizes:
            folder = Path(scratch, str(size))
            _take(drawn, folder, size)
            for name, options in _RUNNERS.items():
                # Processes of their own: memory that one does not give back is not the next one's.
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    seconds, mib = pool.apply(_ingest, (str(folder), options))
                line = f"{size:>8,}  {name:<12}{seconds:>7.1f}{size / seconds:>8.0f}{mib:>7.0f}"
                print(line, flush=True)


def _take(drawn: Path, folder: Path, size: int) -> None:
    """The first pictures of each class, as hard links."""
    for of_class in drawn.iterdir():
        (folder / of_class.name).mkdir(parents=True)
        for picture in sorted(of_class.iterdir())[: size // 2]:
            os.link(picture, folder / of_class.name / picture.name)


def _ingest(folder: str, options: list[str]) -> tuple[float, float]:
    """Seconds, after imports, and MiB of the largest process."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from components.example_gen.config import DataSettings
    from components.example_gen.ingest import ingest
    from components.example_gen.reading.sources import open_source

    settings = DataSettings(source=folder)
    with tempfile.TemporaryDirectory(dir=Path(folder).parent) as scratch:
        start = time.monotonic()
        ingest(
            open_source(folder, Path(scratch), settings),
            settings,
            str(Path(scratch, "examples")),
            lambda: beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner", *options])),
        )
        seconds = time.monotonic() - start
    peaks = [
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return seconds, max(peaks) / 1024


if __name__ == "__main__":
    main()
