"""What can go wrong with a file, a picture or its weights: one type each, one sentence each.

Every message names what is wrong and what to do about it, because the command prints it as it is.
"""

from __future__ import annotations

__all__ = [
    "CorruptFile",
    "FixedRate",
    "GlicError",
    "GlicFileError",
    "ImageTooLarge",
    "LatentMismatch",
    "NonFiniteLatents",
    "NotAGlicFile",
    "NotEnoughMemory",
    "OutOfReach",
    "TruncatedFile",
    "UnsupportedImage",
    "UnsupportedVersion",
    "WeightsMismatch",
    "WeightsNotFound",
]


class GlicError(Exception):
    """Base of every error that a user of the codec can cause; its text is one clear sentence."""


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
    """The decoded latents are not the encoder's: better no picture than a wrong one."""


class WeightsMismatch(GlicFileError):
    """The file was written with other weights than those at hand."""


class ImageTooLarge(GlicError):
    """The picture has more pixels than the caller allows."""


class NotEnoughMemory(GlicError):
    """The work would need more memory than is free."""


class UnsupportedImage(GlicError):
    """The picture is of a kind that would lose something silently (16 bit, animated, float)."""


class NonFiniteLatents(GlicError):
    """The model computed an infinity or a NaN, so there is nothing to code."""


class FixedRate(GlicError):
    """A quality or a target was asked of weights that have one rate only."""


class OutOfReach(GlicError):
    """No quality of the model reaches the size or PSNR that was asked for."""


class WeightsNotFound(GlicError):
    """No weights of that name are installed and no path was given."""
