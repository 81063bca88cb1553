"""torch.hub: ``torch.hub.load("OWNER/glic-pyg", "glic_s4")`` gives a trained codec, a module in eval mode.

``torch.hub.list`` names the entries: the shipped weights, and ``load`` for a file of one's own.
"""

from torch import nn as _nn

dependencies = ["torch", "torch_geometric", "compressai", "constriction", "safetensors", "PIL"]


def glic_s4() -> _nn.Module:
    """The default weights, 4.0 million parameters: every rate from 0.08 to 1.4 bpp."""
    return _shipped("glic_s4")


def glic_s3() -> _nn.Module:
    """What ``glic_s4`` began as."""
    return _shipped("glic_s3")


def glic_s2() -> _nn.Module:
    """What ``glic_s3`` began as."""
    return _shipped("glic_s2")


def glic_s() -> _nn.Module:
    """What ``glic_s2`` began as."""
    return _shipped("glic_s")


def glic_xs() -> _nn.Module:
    """The shipped weights of 2.9 million parameters."""
    return _shipped("glic_xs")


def load(path: str) -> _nn.Module:
    """A weights file, a released checkpoint of GLIC or MLIC++, one of CompressAI's, or a run's folder."""
    from glic_pyg.codec.weights_store import load_from_path, weights_file

    return load_from_path(weights_file(path)).model


def _shipped(name: str) -> _nn.Module:
    from glic_pyg.codec.weights_store import load_shipped

    return load_shipped(name).model
