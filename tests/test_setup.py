"""What `make` installs for which command, and how the operator packages are compiled."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def plan(*arguments: str, **environment: str) -> str:
    """What make would do in an environment that does not exist yet."""
    command = ["make", "-n", "VENV=no-such-environment", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_demo_compiles_no_operators() -> None:
    demo, test = plan("demo"), plan("test")
    assert "build_ops" not in demo and "[dev]" not in demo and "glic demo" in demo
    assert "build_ops" in test and "[dev]" in test and "pytest" in test


def test_the_first_python_that_suits_is_taken(tmp_path: Path) -> None:
    for name, suits in {"python3": 1, "python3.12": 1, "python3.11": 0, "python3.10": 0}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {suits}\n")
        (tmp_path / name).chmod(0o755)
    assert "PYTHON=python3.11 " in plan("help", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_one_range_of_pythons() -> None:
    """The package, the Makefile and the wheels agree on it."""
    least, most = re.search(
        r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text()
    ).groups()  # type: ignore[union-attr]
    assert f"(3, {least}) <= sys.version_info < (3, {most})" in (ROOT / "Makefile").read_text()
    assert (3, int(least)) <= sys.version_info < (3, int(most))


COMPILER = """#!/bin/sh
echo "$@" >>"$LOG"
while [ $# -gt 0 ]; do [ "$1" = -o ] && touch "$2"; shift; done
"""


@pytest.mark.skipif(shutil.which("flock") is None, reason="there is no flock")
def test_headers_are_compiled_once_for_the_same_options(tmp_path: Path) -> None:
    compiler, log = tmp_path / "compiler", tmp_path / "log"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)

    def run(*arguments: str) -> list[str]:
        log.unlink(missing_ok=True)
        places = {"LOG": str(log), "HEADERS": str(tmp_path / "headers"), "COMPILER": str(compiler)}
        script = str(ROOT / ".ci" / "compile_with_headers")
        subprocess.run([script, *arguments], check=True, env=os.environ | places, cwd=tmp_path)
        return log.read_text().splitlines()

    header, first = run("-O3", "-g", "-DTORCH_EXTENSION_NAME=_a", "-c", "a.cpp", "-o", "a.o")
    assert "-O2 -g0" in header and "c++-header" in header and "a.cpp" not in header
    assert first.startswith("-include ") and first.endswith("-c a.cpp -o a.o")
    assert len(list((tmp_path / "headers").glob("*/headers.h.gch"))) == 1
    (second,) = run("-O2", "-DTORCH_EXTENSION_NAME=_b", "-c", "b.cpp", "-o", "b.o")
    assert second.split()[1] == first.split()[1]
    assert len(run("-std=c++20", "-c", "c.cpp", "-o", "c.o")) == 2
    assert run("-shared", "a.o", "b.o", "-o", "ab.so") == ["-shared a.o b.o -o ab.so"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem
)
def test_what_workflows_name_is_there(path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert commands
    for name in re.findall(r"(?<![\w.])(?:data|tests|\.ci)/[\w./]+", "\n".join(commands)):
        assert (ROOT / name).exists(), name
