"""Seconds of ``glic encode`` beside other programs that keep cores busy: by default, and with one thread.

``python -m benchmarks.busy_machine`` starts the command as a user would, with 0, 1, ... busy cores
beside it, and compares the default number of threads and way of waiting with one thread.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

IMAGE = Path(__file__).parents[1] / "data" / "samples" / "dog.png"
SPIN = "while True: pass"
SETTINGS = {"default": {}, "one thread": {"OMP_NUM_THREADS": "1"}}
DECIDED_BY = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY")


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Keep so many cores busy with processes of usual priority."""
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def seconds(image: Path, setting: dict[str, str]) -> float:
    """Time of one command."""
    environment = {name: value for name, value in os.environ.items() if name not in DECIDED_BY} | setting
    command = [sys.executable, "-m", "glic_pyg", "encode", "-f", str(image), str(image.with_suffix(".glic"))]
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(argv: list[str] | None = None) -> int:
    """Print a row for each number of busy cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024, help="sides of the image, in pixels")
    parser.add_argument("--most", type=int, default=os.cpu_count() or 1, help="busy cores, at most")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "a.png"
        Image.open(IMAGE).convert("RGB").resize((args.size, args.size)).save(image)
        print(f"| busy cores | {' | '.join(f'{name}, s' for name in SETTINGS)} | ratio |")
        print("|---|" + "---|" * (len(SETTINGS) + 1))
        for count in range(args.most + 1):
            runs: dict[str, list[float]] = {name: [] for name in SETTINGS}
            with busy_cores(count):
                for _ in range(args.repeats):
                    for name, setting in SETTINGS.items():
                        runs[name].append(seconds(image, setting))
            medians = [statistics.median(times) for times in runs.values()]
            row = " | ".join(f"{median:.2f}" for median in medians)
            print(f"| {count} | {row} | {medians[0] / medians[1]:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
