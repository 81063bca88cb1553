from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.evaluation.classical.vtm import FOLDER, VTM

PROGRAM = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in -i|-b|-o) eval "arg_${1#-}=\\$2"; shift;; esac; shift
done
if [ -n "$arg_i" ]; then cp "$arg_i" "$arg_b"; else cp "$arg_b" "$arg_o"; fi
"""
"""Stands in for both programs of VTM: copies frames."""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "encoder_intra_vtm.cfg").touch()
    for which in ("Encoder", "Decoder"):
        program = tmp_path / "bin" / f"{which}AppStatic"
        program.write_text(PROGRAM)
        program.chmod(0o755)
    monkeypatch.setenv(FOLDER, str(tmp_path))


@pytest.mark.usefixtures("stand_in")
def test_frames_go_there_and_back(picture: NDArray[np.uint8]) -> None:
    assert VTM.missing() is None
    data = VTM.encode(picture, 32)
    assert len(data) == 3 * 48 * 64
    assert np.abs(VTM.decode(data, picture.shape).astype(int) - picture).max() <= 2


def test_it_is_missing_until_the_user_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    assert f"{FOLDER} set to its folder" in str(VTM.missing())
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert VTM.missing() is not None
