"""How much of a computation is done, as its parts say."""

from __future__ import annotations

import pytest

from glic_pyg.progress import phase, reporting, share, steps


class Seen:
    def __init__(self) -> None:
        self.done: list[float] = []
        self.phases: list[str] = []

    def __call__(self, done: float, phase: str) -> None:
        self.done.append(done)
        if phase not in self.phases:
            self.phases.append(phase)


def test_shares_of_shares_and_steps() -> None:
    seen = Seen()
    with reporting(seen), phase("work"):
        with share(0.2):
            pass
        with share(0.6):
            for part in steps(["a", "b"]):
                if part == "a":
                    for _ in steps(range(3)):
                        pass
        with share(0.2):
            pass
    assert seen.done == pytest.approx([0, 0.2, 0.3, 0.4, 0.5, 0.8, 1])


def test_nobody_asked() -> None:
    with share(0.5):
        assert [*steps([1, 2])] == [1, 2]


def test_a_share_never_runs_into_the_next_one() -> None:
    """Work that is done twice in one share, as by a batch of two images, is not counted twice."""
    seen = Seen()
    with reporting(seen), phase("work"):
        with share(0.5):
            for _ in range(2):
                for _ in steps(range(4)):
                    pass
        with share(0.5):
            pass
    assert seen.done == pytest.approx([0, 0.125, 0.25, 0.375, 0.5, 1])


def test_one_report_a_hundredth() -> None:
    seen = Seen()
    with reporting(seen), phase("work"):
        for _ in steps(range(5000)):
            pass
    assert len(seen.done) == 101 and seen.done[0] == 0 and seen.done[-1] == pytest.approx(1)


def test_what_fails_is_not_done_and_leaves_nothing_behind() -> None:
    seen = Seen()
    with pytest.raises(ValueError, match="no"), reporting(seen), phase("work"), share(0.5):
        raise ValueError("no")
    with share(0.5):
        pass
    assert seen.done == [0]
    with reporting(seen), phase("work"):
        for _ in steps([1, 2]):
            break
        with share(0.5):
            pass


def test_every_phase_is_told_from_0_to_1() -> None:
    seen = Seen()
    with reporting(seen):
        for name in ("one", "two"):
            with phase(name), share(0.5):
                pass
    with phase("nobody asks"):
        pass
    assert seen.done == [0, 0.5, 1, 0, 0.5, 1] and seen.phases == ["one", "two"]
