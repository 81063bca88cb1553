"""Loaded before every test: the process is prepared as the command line does it."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from glic_pyg import files, runtime
from tests.browser import browser, open_page

__all__ = ["browser", "full_disk", "open_page"]

runtime.prepare()

for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:  # as in the background or under nohup: commands inherit it
        signal.signal(number, handler)

SLOW_LIMIT = 1800  # seconds; only a test that hangs is to fail, not one on a machine that is busy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests, most of which start processes and wait for them, get more time; there is no other limit."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SLOW_LIMIT))


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """A function that puts the next atomic write of a file on a device without room."""
    make = files._locked_folder

    def fill(path: Path) -> None:
        def once(parent: Path) -> tuple[Path, int | None]:
            monkeypatch.setattr(files, "_locked_folder", make)
            folder, lock = make(parent)
            (folder / path.name).symlink_to("/dev/full")
            return folder, lock

        monkeypatch.setattr(files, "_locked_folder", once)

    return fill
