"""Memory and time of ``glic encode`` and ``glic decode`` for large images, as the system counts them.

``python -m benchmarks.large_images IMAGES --megapixels 1 12 50`` runs both commands on mosaics of the images,
4 to 3, and prints the peak of the whole process and its processor time a megapixel. The time of a tiny image
is taken off first, so that starting up does not count. Processor time is that of all threads; other programs
change it less than the clock's, but by a third or more where they share caches.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmarks.image_sizes import mosaic

TINY = 64 * 48


@dataclass(frozen=True)
class Run:
    """What a command took: bytes at its peak, and seconds of processor time."""

    memory: int
    seconds: float


def run(command: str, source: Path, target: Path, *options: str) -> Run:
    """One command, in a process of its own.

    Raises:
        RuntimeError: it failed.
    """
    arguments = [sys.executable, "-m", "glic_pyg", command, "-f", *options, str(source), str(target)]
    process = os.posix_spawn(sys.executable, arguments, os.environ)
    _, status, used = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)} failed")
    return Run(1024 * used.ru_maxrss, used.ru_utime + used.ru_stime)


def sides(pixels: float) -> tuple[int, int]:
    """Width and height of about so many pixels, 4 to 3."""
    width = round((pixels * 4 / 3) ** 0.5)
    return width, round(pixels / width)


def write_mosaic(images: list[Path], size: tuple[int, int], target: Path) -> None:
    """In a process of its own: what this one needs would count as the command's."""
    child = os.fork()
    if child == 0:
        Image.fromarray(mosaic(images, *size)).save(target, compress_level=1)
        os._exit(0)
    os.waitpid(child, 0)


def main(argv: list[str] | None = None) -> int:
    """Print a row for every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1.0, 12.0])
    parser.add_argument("--effort", type=int, default=0, metavar="N", help="of glic encode")
    args = parser.parse_args(argv)
    effort = ["--effort", str(args.effort)] if args.effort else []
    with tempfile.TemporaryDirectory() as folder:
        image, file, back = (Path(folder) / name for name in ("a.png", "a.glic", "b.ppm"))

        def measured(pixels: float) -> dict[str, Run]:
            write_mosaic(args.images, sides(pixels), image)
            encode = run("encode", image, file, *effort)
            return {"encode": encode, "decode": run("decode", file, back)}

        start = measured(TINY)
        print("| image | encode, GB | CPU s a Mpx | decode, GB | CPU s a Mpx |", flush=True)
        print("|---|---|---|---|---|", flush=True)
        for megapixels in args.megapixels:
            width, height = sides(1e6 * megapixels)
            cells = [f"{width}x{height}"]
            for command, used in measured(1e6 * megapixels).items():
                seconds = (used.seconds - start[command].seconds) / (width * height / 1e6)
                cells += [f"{used.memory / 1e9:.2f}", f"{seconds:.2f}"]
            print(f"| {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
