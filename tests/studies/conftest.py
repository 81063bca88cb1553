"""Small images to measure with."""

from tests.evaluation.conftest import pixels

__all__ = ["pixels"]
