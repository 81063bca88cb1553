"""The allocator setting can be declined, and says what it did."""

import os
import sys

import pytest
import torch

from glic_pyg.allocator import LARGE_PAGES, OPT_OUT, give_back_beyond, keep_freed_memory


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
