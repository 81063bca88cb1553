"""Bytes and seconds of images of any size, against those of the nearest multiples of 128.

``python -m benchmarks.image_sizes IMAGES`` codes the top left corners of a mosaic of the images, in forty
sizes from 17x301 to 2000x1500. What a size should cost is interpolated, in width and height, between the
multiples of 128 below and above it, from 128 on. Seconds are processor time, which other programs
change less than the clock's; those of small images are the least of several.
"""

from __future__ import annotations

import argparse
import time
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from glic_pyg import runtime

SIZES = (
    (17, 301), (33, 129), (100, 75), (127, 127), (129, 129), (130, 260), (144, 200), (161, 77),
    (200, 150), (240, 135), (257, 257), (260, 300), (270, 480), (301, 290), (320, 240), (333, 500),
    (375, 500), (388, 260), (400, 300), (427, 640), (450, 450), (480, 360), (500, 333), (513, 385),
    (576, 432), (600, 400), (604, 403), (640, 480), (644, 388), (700, 525), (720, 540), (750, 500),
    (800, 600), (854, 480), (900, 601), (1000, 750), (1080, 720), (1280, 853), (1500, 1000), (1600, 1067),
    (2000, 1500),
)  # fmt: skip
STEP = 128
ALLOWED_BYTES = 24


def mosaic(paths: list[Path], width: int, height: int) -> np.ndarray:
    """Images side by side until they fill (height, width, 3)."""
    images = [np.asarray(Image.open(path).convert("RGB").resize((512, 512))) for path in paths]
    columns, rows = -(-width // 512), -(-height // 512)
    grid = [[images[(r * columns + c) % len(images)] for c in range(columns)] for r in range(rows)]
    return np.concatenate([np.concatenate(row, 1) for row in grid])[:height, :width]


def neighbours(side: int) -> tuple[int, int, float]:
    """The multiples below and above, and how far between them the side is; below the least one negative."""
    low = max(STEP, side // STEP * STEP)
    return low, low + STEP, (side - low) / STEP


def main(argv: list[str] | None = None) -> int:
    """Print a row for every size."""
    runtime.prepare()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--quality", type=float, default=50.0)
    parser.add_argument("--most-pixels", type=int, default=3_000_000, help="leave larger sizes out")
    parser.add_argument("--least-pixels", type=int, default=0, help="leave smaller sizes out")
    parser.add_argument("--encode-only", action="store_true", help="do not time decoding")
    parser.add_argument("--repeats", type=int, default=4, help="of images up to a quarter megapixel")
    args = parser.parse_args(argv)
    from glic_pyg.codec.api import codec_for_encoding
    from glic_pyg.codec.rate_control import RateTarget

    codec, target = codec_for_encoding(None, None), RateTarget("quality", args.quality)
    sizes = [size for size in SIZES if args.least_pixels <= size[0] * size[1] <= args.most_pixels]
    whole = mosaic(args.images, *(max(s[axis] for s in sizes) + 2 * STEP for axis in (0, 1)))

    codec.encode(whole[:STEP, :STEP].copy(), target=target)

    @cache
    def cost(width: int, height: int) -> tuple[float, float, float]:
        """Bytes, and seconds to encode and to decode."""
        image, times = np.ascontiguousarray(whole[:height, :width]), []
        for _ in range(min(args.repeats, max(1, args.repeats * 250_000 // (width * height)))):
            start = time.process_time()
            data = codec.encode(image, target=target).data
            middle = time.process_time()
            if not args.encode_only:
                codec.decode(data)
            times.append((middle - start, time.process_time() - middle))
        return float(len(data)), min(t[0] for t in times), min(t[1] for t in times)

    def expected(width: int, height: int, index: int) -> float:
        """What the nearest multiples cost, interpolated."""
        (w0, w1, x), (h0, h1, y) = neighbours(width), neighbours(height)
        ends = [[cost(w, h)[index] for w in (w0, w1)] for h in (h0, h1)]
        rows = [low + x * (high - low) for low, high in ends]
        return rows[0] + y * (rows[1] - rows[0])

    print(f"| size | bytes | expected | more, less {ALLOWED_BYTES} bytes | encode | decode |")
    print("|---|---|---|---|---|---|")
    for width, height in sizes:
        found = cost(width, height)
        wanted = [expected(width, height, index) for index in range(3)]
        more = (found[0] - ALLOWED_BYTES) / wanted[0] - 1
        measured = (1,) if args.encode_only else (1, 2)
        times = [f"{100 * (found[i] / wanted[i] - 1):+.0f} %" for i in measured]
        print(
            f"| {width}x{height} | {found[0]:.0f} | {wanted[0]:.0f} | {100 * more:+.1f} % | "
            f"{' | '.join(times)} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
