"""Importing the package changes nothing in the process; what prepares it can be declined."""

import os
import subprocess
import sys

import pytest
import torch

from glic_pyg import runtime
from glic_pyg.runtime import (
    LARGE_PAGES,
    OPT_OUT,
    SPIN_COUNT,
    WAIT_POLICY,
    give_back_beyond,
    keep_freed_memory,
)

IMPORT_CHANGES_NOTHING = """
import copy, ctypes, os, signal, sys, warnings
ctypes.CDLL = None  # malloc is set through it
def state():
    signals = {number: signal.getsignal(number) for number in signal.valid_signals()}
    hooks = sys.meta_path, sys.path, sys.path_hooks, sys.warnoptions, warnings.filters
    streams = sys.stdout, sys.stderr, sys.excepthook, warnings.showwarning
    return dict(os.environ), *map(list, hooks), streams, signals
before = state()
import glic_pyg
assert state() == before
glic_pyg.__version__, dir(glic_pyg)
assert state() == before and not {"torch", "compressai", "lightning", "torchvision"} & set(sys.modules)
"""

TORCH_STAYS_AS_IT_IS = """
import torch
def state():
    backends = torch.backends.cudnn.benchmark, torch.backends.mkldnn.enabled
    numbers = torch.get_num_threads(), torch.get_default_dtype(), torch.get_float32_matmul_precision()
    switches = torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()
    return backends, numbers, switches, torch.random.get_rng_state().tolist()
before = state()
import glic_pyg
assert state() == before
"""

IN_EITHER_ORDER = {
    "prepared": "from glic_pyg import runtime; runtime.prepare(); import lightning, glic_pyg.models",
    "alone": "import glic_pyg; glic_pyg.encode, glic_pyg.decode, glic_pyg.load_released; import lightning",
}


@pytest.mark.parametrize("code", [IMPORT_CHANGES_NOTHING, TORCH_STAYS_AS_IT_IS, *IN_EITHER_ORDER.values()])
def test_in_a_process_of_its_own(code: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != LARGE_PAGES}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(runtime, "keep_freed_memory", lambda: done.append("memory"))
    monkeypatch.setattr(runtime, "declare_torchvision_operators", lambda: done.append("torchvision"))
    runtime.prepare()
    for name in (WAIT_POLICY, SPIN_COUNT):
        monkeypatch.delenv(name, raising=False)
    runtime.prepare()
    assert done == 2 * ["memory", "torchvision"] and os.environ[WAIT_POLICY] == "passive"
    assert 0 < int(os.environ[SPIN_COUNT]) < 10_000, "long enough for a small operation, not longer"
    monkeypatch.setenv(WAIT_POLICY, "active")
    monkeypatch.delenv(SPIN_COUNT)
    runtime.prepare()
    assert os.environ[WAIT_POLICY] == "active" and SPIN_COUNT not in os.environ, "the environment decides"


@pytest.mark.parametrize(
    ("busy", "own", "left"), [(0, 0, 4), (2, 2, 4), (2, 0, 3), (6.8, 2, 2), (9, 0, 1), (0.6, 0, 4)]
)
def test_cores_that_others_leave(monkeypatch: pytest.MonkeyPatch, busy: float, own: float, left: int) -> None:
    """In two seconds, on four cores."""
    monkeypatch.setattr(runtime, "_watch", [(10.0, 100.0, 1.0)])
    monkeypatch.setattr(runtime, "_busy_seconds", lambda: 100.0 + busy)
    monkeypatch.setattr(runtime.time, "monotonic", lambda: 12.0)
    monkeypatch.setattr(runtime.time, "process_time", lambda: 1.0 + own)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert runtime.cores_left() == left
    monkeypatch.setattr(runtime, "_busy_seconds", lambda: None)
    assert runtime.cores_left() is None
    monkeypatch.setattr(runtime, "_watch", [])
    assert runtime.cores_left() is None


def test_can_be_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPT_OUT, "1")
    assert not keep_freed_memory()


def test_does_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()


def test_large_pages_are_asked_for_unless_the_user_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OPT_OUT, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    for before, after in (("0", "0"), (None, "1")):
        monkeypatch.delenv(LARGE_PAGES, raising=False)
        if before is not None:
            monkeypatch.setenv(LARGE_PAGES, before)
        keep_freed_memory()
        assert os.environ[LARGE_PAGES] == after


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the resident memory")
def test_gaps_between_blocks_are_given_back() -> None:
    blocks = [torch.ones(5 * 2**18) for _ in range(80)]  # 5 MiB each
    survivors = blocks[::8]
    del blocks
    before = _resident()
    assert not give_back_beyond(2**40) and _resident() > before - 2**20
    assert give_back_beyond(2**28) and _resident() < before - 2**28
    assert all(block.sum() == block.numel() for block in survivors)


def _resident() -> int:
    with open("/proc/self/statm") as text:
        return int(text.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
