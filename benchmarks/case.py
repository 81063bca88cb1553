"""One model at one image size in one precision, measured in a process of its own.

python -m benchmarks.case --model glic_xs --size 768x512 --precision float32   (prints JSON)
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from hydra.utils import instantiate
from PIL import Image
from torch import Tensor

from benchmarks.floor import RateMeter, TimedRun, median_run
from benchmarks.flops import Flops, glic_flops
from glic_pyg.cli.hydra import compose_option, config_dir
from glic_pyg.codec.image_codec import ImageCodec, Precision
from glic_pyg.codec.pixels import padded_size
from glic_pyg.evaluation.peak_memory import added_memory
from glic_pyg.models.base import Codec, EntropyCoder, Finish, ImageRows
from glic_pyg.models.glic import GLIC
from glic_pyg.models.weights import load_weights, weights_hash
from glic_pyg.types import Pixels

__all__ = ["Case", "Stopwatch", "TimedCodec", "build_model", "measure", "run_case"]

ROOT = Path(__file__).parent.parent
IMAGE = ROOT / "data" / "samples" / "city.png"
WARM_UP = 128
SECONDS, MOST_REPEATS, LEAST_REPEATS = 20.0, 9, 3


@dataclass(frozen=True)
class Case:
    """What one case costs; of several runs the one with the median multiple of the floor.

    Attributes:
        model, width, height, precision, threads: what was measured.
        parameters: of the model.
        size: bytes of the file.
        flops: operations, by formula, at the padded size.
        encode, decode: seconds of ``whole``; of ``analysis`` or ``synthesis``; of ``networks``, the entropy
            networks; of ``coder``, everything between their output and the bytes.
        encode_memory, decode_memory: bytes at the peak, added to the process with the loaded model.
    """

    model: str
    width: int
    height: int
    precision: str
    threads: int
    parameters: int
    size: int
    flops: Flops
    encode: TimedRun
    decode: TimedRun
    encode_memory: int
    decode_memory: int


def build_model(name: str) -> Codec:
    """A model in eval mode: of a weights file, or of a file in ``conf/model`` with random weights.

    Raises:
        FileNotFoundError: there is neither.
    """
    if name.endswith(".safetensors"):
        return load_weights(name)
    known = sorted(path.stem for path in (config_dir() / "model").glob("*.yaml"))
    if name not in known:
        raise FileNotFoundError(
            f"there is no model {name}: give one of {', '.join(known)}, or a .safetensors file"
        )
    torch.manual_seed(0)
    model: Codec = instantiate(compose_option("model", name))
    return model.eval()


def measure(name: str, width: int, height: int, precision: Precision) -> Case:
    """Measure one case. Call it once per process, or the memory is wrong.

    Args:
        name: of a GLIC, see :func:`build_model`.
        width, height: of the image, in pixels.
        precision: of the transforms.

    Raises:
        TypeError: the operations of the model are unknown.
    """
    model, watch = build_model(name), Stopwatch()
    if not isinstance(model, GLIC):
        raise TypeError(f"operations are known for GLIC alone, not for {type(model).__name__}")
    timed = cast(Codec, TimedCodec(model, watch))
    codec = ImageCodec(timed, Path(name).stem, weights_hash(model), precision=precision)
    codec.decode(codec.encode(_image(WARM_UP, WARM_UP)).data)
    image, files = _image(width, height), list[bytes]()
    encode_memory = added_memory(lambda: files.append(codec.encode(image).data))
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
        encode=_median(lambda: codec.encode(image), watch),
        decode=_median(lambda: codec.decode(files[0]), watch),
        encode_memory=encode_memory,
        decode_memory=decode_memory,
    )


def run_case(module: str, arguments: Sequence[str]) -> dict[str, Any] | None:
    """Run ``python -m MODULE ARGUMENTS`` in a new process and parse the JSON it ends with.

    Returns:
        ``None`` if it failed, with a line on stderr.
    """
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"])[-1]
        print(f"{module} {' '.join(arguments)}: {last}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


class Stopwatch:
    """Seconds by name since the last :meth:`take`."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the time of a block to a part."""
        start = time.perf_counter()
        yield
        self._seconds[name] += time.perf_counter() - start

    def take(self) -> dict[str, float]:
        """Return the seconds and reset them."""
        seconds, self._seconds = dict(self._seconds), defaultdict(float)
        return seconds


class TimedCodec:
    """Wrapper of a model that times its parts in an ordinary run, so that they add up to the whole.

    The parts are ``analysis``, ``synthesis``, ``latents`` and, within ``latents``, ``coder``.
    """

    def __init__(self, model: Codec, watch: Stopwatch) -> None:
        self._model, self._watch = model, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def analyse(self, x: ImageRows) -> Tensor:
        with self._watch.part("analysis"):
            return self._model.analyse(x)

    def synthesise(self, y_hat: Tensor, size: tuple[int, int], finish: Finish | None = None) -> Tensor:
        with self._watch.part("synthesis"):
            return self._model.synthesise(y_hat, size, finish)

    def code_latents(self, coder: EntropyCoder, y: Tensor | None = None, *, shape: tuple[int, int]) -> Tensor:
        with self._watch.part("latents"):
            return self._model.code_latents(_TimedCoder(coder, self._watch), y, shape=shape)


class _TimedCoder:
    """An entropy coder with timed calls: symbols, arithmetic coding, checksums."""

    def __init__(self, coder: EntropyCoder, watch: Stopwatch) -> None:
        self._coder, self._watch = coder, watch

    def factorized(self, bottleneck: Any, shape: tuple[int, ...], values: Tensor | None) -> Tensor:
        with self._watch.part("coder"):
            return self._coder.factorized(bottleneck, shape, values)

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        with self._watch.part("coder"):
            return self._coder.gaussian(means, scales, values)

    def lattice(self, values: Tensor) -> Tensor:
        with self._watch.part("coder"):
            return self._coder.lattice(values)


def _image(width: int, height: int) -> Pixels:
    """A photograph of that size, (height, width, 3) uint8."""
    with Image.open(IMAGE) as image:
        return np.array(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))


def _median(work: Callable[[], object], watch: Stopwatch) -> TimedRun:
    """Repeat the work for some seconds and take the median run."""
    runs, meter = list[TimedRun](), RateMeter()
    while len(runs) < LEAST_REPEATS or (
        len(runs) < MOST_REPEATS and sum(run.seconds["whole"] for run in runs) < SECONDS
    ):
        watch.take()
        start = time.perf_counter()
        work()
        whole, parts = time.perf_counter() - start, watch.take()
        networks = parts.pop("latents") - parts["coder"]
        runs.append(meter.after({"whole": whole, "networks": networks, **parts}))
    return median_run(runs)


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
