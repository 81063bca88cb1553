"""Small images to measure with."""

from tests.evaluation.conftest import picture

__all__ = ["picture"]
