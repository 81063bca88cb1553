"""Compiling the C library: a file is replaced by a complete one, whoever else compiles meanwhile."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from glic_pyg.kernels import compile as compiling


def test_two_compilations_at_once_do_not_share_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        written.append(command[command.index("-o") + 1])
        Path(written[-1]).write_bytes(b"library")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(compiling, "FOLDER", tmp_path)
    monkeypatch.setattr(compiling.subprocess, "run", run)
    compiling._digest.cache_clear()
    made = compiling.compile_all()
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", lambda: 1)  # as another process
        compiling.compile_all()
    compiling._digest.cache_clear()
    assert len(set(written)) == 2 * len(made)
    assert set(tmp_path.iterdir()) == set(made)
