"""``glic doctor``: what is installed, which code paths are in use, and whether shipped weights are whole."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

__all__ = ["main", "make_parser"]

_PACKAGES = (
    "glic-pyg",
    "torch",
    "torchvision",
    "torch-geometric",
    "compressai",
    "constriction",
    "numpy",
    "pillow",
)
_OPTIONAL = (("torch-scatter", "torch_scatter"), ("torch-cluster", "torch_cluster"))


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    return argparse.ArgumentParser(
        prog="glic doctor",
        description="Say what is installed, which code paths are in use, whether shipped weights are whole.",
    )


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 if everything needed is in order, else 1."""
    make_parser().parse_args(argv)
    healthy = True
    for section in (_versions, _arithmetic, _weights):
        for label, value, good in section():
            print(f"{'ok ' if good else 'BAD'} {label:<22}{value}")
            healthy &= good
    return 0 if healthy else 1


_Line = tuple[str, str, bool]


def _versions() -> Iterator[_Line]:
    yield "python", f"{sys.version.split()[0]}, {platform.platform()}", True
    for name in _PACKAGES:
        found = _installed(name)
        yield name, found or "not installed", found is not None or name == "glic-pyg"
    for name, module in _OPTIONAL:
        found = _installed(name) if find_spec(module) else None
        yield name, found or "not installed: the plain torch path is in use", True


def _arithmetic() -> Iterator[_Line]:
    import torch

    from glic_pyg import kernels
    from glic_pyg.codec.tables import GAUSSIAN_FINGERPRINT, gaussian_fingerprint
    from glic_pyg.graph.candidates import torch_cluster_or_none

    yield "CPU threads", str(torch.get_num_threads()), True
    yield "CPU capability", torch.backends.cpu.get_cpu_capability(), True
    yield "bfloat16 in hardware", _bfloat16(), True
    yield "oneDNN", "in use" if torch.backends.mkldnn.is_available() else "not in this torch", True
    yield (
        "graphs and attention",
        "in C" if kernels.available() else "by torch operators: slower on CPUs",
        True,
    )
    yield "sums along edges", *_along_edges()
    cluster = torch_cluster_or_none() is not None
    yield "radius, nearest nodes", "by torch-cluster" if cluster else "by comparing all pairs: slower", True
    yield "CUDA", torch.cuda.get_device_name() if torch.cuda.is_available() else "none", True
    good = gaussian_fingerprint() == GAUSSIAN_FINGERPRINT
    yield "probability tables", "as on every machine" if good else "DIFFER: files from elsewhere fail", good


def _along_edges() -> tuple[str, bool]:
    """What :func:`torch_geometric.utils.segment` reduces with, where attention along edges is not in C."""
    import torch_geometric.typing

    scatter = torch_geometric.typing.WITH_TORCH_SCATTER
    return "by torch-scatter" if scatter else "by torch.segment_reduce: the same, slower", True


def _bfloat16() -> str:
    from glic_pyg.nn.precision import bfloat16_units

    return " and ".join(bfloat16_units()) or "no (bf16 works, but is not faster)"


def _weights() -> Iterator[_Line]:
    from glic_pyg.codec.weights_store import load_shipped, shipped_names
    from glic_pyg.errors import GlicError

    if not shipped_names():
        yield "weights", "none shipped; give --weights", True
    for name in shipped_names():
        try:
            yield "weights", f"{name} ({load_shipped(name).hash[:16]})", True
        except GlicError as error:
            yield "weights", f"{name}: {error}", False


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
