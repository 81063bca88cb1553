"""Errors that a user can cause: one type for each, one clear sentence in each.

Every message names what is wrong and what to do about it, because the commands print it unchanged.
"""

from __future__ import annotations

__all__ = [
    "BadArgument",
    "CorruptFile",
    "DataError",
    "FixedRate",
    "GlicError",
    "GlicFileError",
    "ImageTooLarge",
    "LatentMismatch",
    "NonFiniteLatents",
    "NotAGlicFile",
    "NotEnoughMemory",
    "OutOfReach",
    "TrainingError",
    "TruncatedFile",
    "UnreadableImage",
    "UnsupportedImage",
    "UnsupportedVersion",
    "WeightsMismatch",
    "WeightsNotFound",
]


class GlicError(Exception):
    """Base of every error that a user of the codec can cause; its text is one clear sentence."""


class BadArgument(GlicError, ValueError):
    """An argument of the Python API makes no sense: a device, a precision, a quality, a path."""


class GlicFileError(GlicError):
    """Base of everything that can be wrong with a ``.glic`` file."""


class NotAGlicFile(GlicFileError):
    """The bytes do not begin like a ``.glic`` file."""


class UnsupportedVersion(GlicFileError):
    """The file needs a newer reader: its version, or one of its critical streams, is unknown here."""


class TruncatedFile(GlicFileError):
    """The file ends before its header says it should."""


class CorruptFile(GlicFileError):
    """A checksum or a field contradicts the rest of the file."""


class LatentMismatch(GlicFileError):
    """The decoded latents are not the encoder's: better no image than a wrong one."""


class WeightsMismatch(GlicFileError):
    """The file was written with other weights than those at hand."""


class ImageTooLarge(GlicError):
    """The image has more pixels than the caller allows."""


class NotEnoughMemory(GlicError):
    """The work would need more memory than is free."""


class UnsupportedImage(GlicError):
    """The image is of a kind that would lose something silently (16 bit, animated, float)."""


class NonFiniteLatents(GlicError):
    """The model computed an infinity or a NaN, so there is nothing to code."""


class FixedRate(GlicError):
    """A quality or a target was asked of weights that have one rate only."""


class OutOfReach(GlicError):
    """No quality of the model reaches the size or PSNR that was asked for."""


class WeightsNotFound(GlicError):
    """No weights of that name are installed and no path was given."""


class DataError(GlicError):
    """A data set cannot be used."""


class UnreadableImage(GlicError, ValueError):
    """An image of a data set cannot be decoded."""


class TrainingError(GlicError, ValueError):
    """A run cannot be trained as it is configured."""
