"""One model at one image size in one precision, measured in a process of its own.

python -m benchmarks.case --model glic_xs --size 768x512 --precision float32   (prints JSON)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image

import glic_pyg  # noqa: F401  (first: it makes compressai importable)
from benchmarks.floor import Paced, Pacer, median_run
from benchmarks.flops import Flops, glic_flops
from benchmarks.stopwatch import Stopwatch, TimedCodec
from glic_pyg.codec.image_codec import ImageCodec, Precision
from glic_pyg.codec.padding import padded_size
from glic_pyg.evaluation.peak_memory import added_memory
from glic_pyg.models.base import Codec
from glic_pyg.models.glic import GLIC
from glic_pyg.models.weights import load_weights, weights_hash

__all__ = ["Case", "measure", "model_of"]

ROOT = Path(__file__).parent.parent
PHOTO = ROOT / "data" / "samples" / "city.png"
WARM_UP = 128
SECONDS, MOST_REPEATS, LEAST_REPEATS = 20.0, 9, 3


@dataclass(frozen=True)
class Case:
    """What one case cost; of several runs the one of the median multiple of the floor.

    Attributes:
        model, width, height, precision, threads: what was measured.
        parameters: of the model.
        size: bytes of the file.
        flops: operations, by formula, at the padded size.
        encode, decode: whose seconds are ``whole``; ``analysis`` or ``synthesis``; ``networks``, the entropy
            networks; ``coder``, everything between their output and the bytes.
        encode_memory, decode_memory: bytes added to the process with the loaded model, at the peak.
    """

    model: str
    width: int
    height: int
    precision: str
    threads: int
    parameters: int
    size: int
    flops: Flops
    encode: Paced
    decode: Paced
    encode_memory: int
    decode_memory: int


def measure(name: str, width: int, height: int, precision: Precision) -> Case:
    """Measure one case; call it once in a process, or memory is not what it says.

    Args:
        name: see :func:`model_of`.
        width, height: of the image, in pixels.
        precision: of the transforms.
    """
    model, watch = model_of(name), Stopwatch()
    timed = cast(Codec, TimedCodec(model, watch))
    codec = ImageCodec(timed, Path(name).stem, weights_hash(model), precision=precision)
    codec.decode(codec.encode(_photo(WARM_UP, WARM_UP)).data)
    photo, files = _photo(width, height), list[bytes]()
    encode_memory = added_memory(lambda: files.append(codec.encode(photo).data))
    decode_memory = added_memory(lambda: codec.decode(files[0]))
    wide, high = padded_size(width, height, model.multiple)
    return Case(
        model=name,
        width=width,
        height=height,
        precision=precision,
        threads=torch.get_num_threads(),
        parameters=sum(p.numel() for p in model.parameters()),
        size=len(files[0]),
        flops=glic_flops(model.config, high, wide),
        encode=_typical(lambda: codec.encode(photo), watch),
        decode=_typical(lambda: codec.decode(files[0]), watch),
        encode_memory=encode_memory,
        decode_memory=decode_memory,
    )


def model_of(name: str) -> GLIC:
    """A GLIC in eval mode: of a weights file, or of a file in ``conf/model`` with random weights.

    Raises:
        FileNotFoundError: there is neither.
    """
    if name.endswith(".safetensors"):
        return load_weights(name)
    path = ROOT / "conf" / "model" / f"{name}.yaml"
    known = sorted(p.stem for p in path.parent.glob("glic*.yaml"))
    if name not in known:
        raise FileNotFoundError(
            f"there is no size {name} of GLIC: give one of {', '.join(known)}, or a .safetensors file"
        )
    torch.manual_seed(0)
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    return GLIC(**{key: value for key, value in settings.items() if not key.startswith("_")}).eval()


def _photo(width: int, height: int) -> NDArray[np.uint8]:
    """A photograph of that size, (height, width, 3) uint8."""
    with Image.open(PHOTO) as image:
        return np.array(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))


def _typical(work: Callable[[], object], watch: Stopwatch) -> Paced:
    """The median of some runs."""
    runs, pacer = list[Paced](), Pacer()
    while len(runs) < LEAST_REPEATS or (
        len(runs) < MOST_REPEATS and sum(run.seconds["whole"] for run in runs) < SECONDS
    ):
        watch.take()
        start = time.perf_counter()
        work()
        runs.append(pacer.after(_parts(watch.take(), time.perf_counter() - start)))
    return median_run(runs)


def _parts(seconds: dict[str, float], whole: float) -> dict[str, float]:
    networks = seconds.pop("latents") - seconds["coder"]
    return {"whole": whole, "networks": networks, **seconds}


def main(argv: list[str] | None = None) -> int:
    """Measure what the arguments say and print it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.case")
    parser.add_argument("--model", required=True)
    parser.add_argument("--size", required=True, metavar="WxH")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    width, height = (int(side) for side in args.size.split("x"))
    case: dict[str, Any] = asdict(measure(args.model, width, height, args.precision))
    json.dump(case, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
