"""The allocator setting can be declined, and says what it did."""

import sys

import pytest

from glic_pyg.allocator import OPT_OUT, keep_freed_memory


def test_can_be_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPT_OUT, "1")
    assert not keep_freed_memory()


def test_does_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
