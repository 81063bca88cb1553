"""Reading checkpoints of unknown origin: told apart by their bytes, and nothing in them is executed."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

__all__ = ["checkpoint_kind", "codec_tensors", "read_checkpoint", "tensors_below"]

_HEAD, _CHUNK = 1024, 2**20
_LFS = b"version https://git-lfs"
_WEB_PAGE = re.compile(rb"\s*(<!doctype|<html|<head|<\?xml|<error)", re.IGNORECASE)
_BEGINNINGS = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GLIC": "a .glic file, an image that was encoded",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"BZh": "a bzip2 archive: unpack it first",
    b"\xfd7zXZ": "an xz archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"\x89HDF": "an HDF5 file, as Keras writes them",
    b"\x93NUMPY": "a NumPy array",
    b"%PDF": "a PDF document",
}
_AVERAGES, _LAST = ("ema.module.", "ema.model."), "model."  # the second in earlier runs
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def codec_tensors(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The codec's tensors in the state dict of a run: its averaged weights, or the last ones without any.

    Args:
        state_dict: of a :class:`~glic_pyg.training.module.CodecModule`, as a checkpoint holds it.

    Returns:
        Tensors by the names that the model itself gives them; empty if the state dict is of something else.
    """
    return next((found for name in (*_AVERAGES, _LAST) if (found := tensors_below(state_dict, name))), {})


def tensors_below(state_dict: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, by the rest of their names."""
    return {name.removeprefix(prefix): t for name, t in state_dict.items() if name.startswith(prefix)}


def checkpoint_kind(path: Path) -> Literal["safetensors", "torch"]:
    """Which of the two kinds of file with tensors it is, by its first bytes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is something else; the message says what.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: give the path of a weights file")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") + 8 <= os.path.getsize(path):
        return "safetensors"
    if head.startswith(_PICKLE) or (head.startswith(_ZIP) and _is_of_torch(path)):
        return "torch"
    raise ValueError(f"{path} is not a checkpoint: it is {_described(head)}")


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """The dict in a file that ``torch.save`` wrote, read with ``weights_only=True``, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is something else, is damaged, or holds objects that only running code would make.
    """
    if checkpoint_kind(path) != "torch":
        raise ValueError(f"{path} is not a checkpoint of torch, but a safetensors file")
    try:
        _check_sums(path)
        with path.open("rb") as file:  # by its path torch would look at the end of its name
            found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} is not a checkpoint that can be read safely: {_reason(error)}") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"{path} holds a {type(found).__name__}, not a dict with a state_dict")
    return found


def _check_sums(path: Path) -> None:
    """Compare every record of a zip archive with its checksum, which torch writes but does not look at.

    Raises:
        zipfile.BadZipFile: one differs.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for record in archive.infolist():
            if record.CRC:  # torch can be told to write none
                with archive.open(record) as content:
                    while content.read(_CHUNK):
                        pass


def _is_of_torch(path: Path) -> bool:
    """Whether a zip archive is one of torch's."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise ValueError(
            f"{path} is not a checkpoint that can be read: it is cut off or damaged; download it again"
        ) from None
    if any(name.endswith("/constants.pkl") for name in names):
        raise ValueError(
            f"{path} is a TorchScript program, not a checkpoint: give a file of its weights alone"
        )
    return any(name == "data.pkl" or name.endswith("/data.pkl") for name in names)


def _described(head: bytes) -> str:
    """What a file is that begins like this."""
    if not head:
        return "empty"
    if head.startswith(_LFS):
        return "a Git LFS pointer, which stands for the file itself: get that with `git lfs pull`"
    if _WEB_PAGE.match(head):
        return "a web page: download the file that it links to"
    for beginning, what in _BEGINNINGS.items():
        if head.startswith(beginning):
            return what
    if head.startswith(_ZIP):
        return "a zip archive of something else: unpack it first"
    if not head.strip(b"\0"):
        return "full of zeros: download it again"
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < _HEAD else "ignore")
    except UnicodeDecodeError:
        text = ""
    if text and all(letter.isprintable() or letter.isspace() for letter in text):
        return f"text, which begins {' '.join(text.split())[:40]!r}"
    return "of no kind that is known here, or damaged"


def _reason(error: Exception) -> str:
    """Why torch did not load a file, without its advice to load it unsafely."""
    found = _GLOBAL.search(str(error))
    if found:
        return (
            f"it holds more than tensors ({found[1]}), and that could be any code; ask for its tensors alone"
        )
    if isinstance(error, pickle.UnpicklingError):
        return "it is damaged, or holds more than tensors"
    return f"it is cut off or damaged ({type(error).__name__})"
