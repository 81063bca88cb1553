"""The allocator setting can be declined, and says what it did."""

import os
import sys

import pytest

from glic_pyg.allocator import LARGE_PAGES, OPT_OUT, keep_freed_memory


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
