"""How much memory is free: the least that the system, a container and the shell leave."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from glic_pyg import memory
from glic_pyg.errors import NotEnoughMemory
from glic_pyg.memory import check_memory, free_memory


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system with 7 MB free and 1 MB of swap, and no control groups yet."""
    (tmp_path / "self").mkdir()
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    7000 kB\nSwapFree:   1000 kB\n")
    monkeypatch.setattr(memory, "_PROC", tmp_path)
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    return tmp_path


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_of_the_system(system: Path) -> None:
    assert free_memory() == 8000 * 1024
    (system / "meminfo").unlink()
    assert free_memory() is None


def test_of_control_groups(system: Path) -> None:
    """Also of those above; pages of files that nobody uses are free."""
    (system / "self/cgroup").write_text("0::/pod/job\n")
    group(system / "cgroup/pod/job", memory__max="max\n", memory__current="500\n")
    group(
        system / "cgroup/pod",
        memory__max="3000\n",
        memory__current="1000\n",
        memory__stat="anon 1\ninactive_file 70\nactive_file 5\n",
    )
    assert free_memory() == 2070


def test_of_older_control_groups(system: Path) -> None:
    (system / "self/cgroup").write_text("9:cpu:/x\n4:memory:/not/seen/from/here\n0::/\n")
    group(
        system / "cgroup/memory",
        memory__limit_in_bytes="4000",
        memory__usage_in_bytes="9000",
        memory__stat="inactive_file 1\ntotal_inactive_file 500\n",
    )
    assert free_memory() == 0
    group(system / "cgroup/memory", memory__limit_in_bytes=str(2**63 - 4096))
    assert free_memory() == 8000 * 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ulimit -v")
def test_of_the_shell() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "from glic_pyg.memory import free_memory; print(free_memory())"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert 1 << 28 < int(said) < 1 << 30


def test_what_does_not_fit_is_refused_in_a_sentence(system: Path) -> None:
    check_memory(8000 * 1024, "Reading", "make it smaller")
    with pytest.raises(NotEnoughMemory) as caught:
        check_memory(12_345_678_901, "Reading", "make it smaller")
    assert str(caught.value) == ("Reading needs about 12.3 GB of memory and 8 MB are free; make it smaller.")


def test_where_nobody_knows_nothing_is_refused(system: Path) -> None:
    check_memory(1 << 60, "Reading", "no", device="mps")
