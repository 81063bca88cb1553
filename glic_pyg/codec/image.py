"""An 8-bit image with its metadata, from arrays and Pillow images of any mode.

What it cannot hold is refused (16 bit, floats, animations) or named in ``ImageData.notes``, never dropped
silently.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from glic_pyg.codec.header import SOURCE_MODES
from glic_pyg.codec.metadata import Metadata, dropped_facts, profile_space, read_metadata, upright
from glic_pyg.codec.pillow import bits_per_sample, pillow_errors
from glic_pyg.errors import UnsupportedImage

__all__ = ["ImageData", "as_image_data", "check_losses", "image_from_array", "image_from_pillow"]


_GREY_MODES = ("1", "L", "LA", "La")
_ALPHA_MODES = ("RGBA", "RGBa", "LA", "La", "PA")
_SIXTEEN_BIT = (
    "The image has more than 8 bits a sample and 8 are kept; convert it first, or allow glic encode the "
    "reduction with --reduce-16bit (reduce_16bit=True)."
)
_FLOATS = (
    "The image's samples are floats of no stated range, which --reduce-16bit (reduce_16bit=True) does not "
    "reduce either; convert it to 8 bit first."
)


@dataclass(frozen=True)
class ImageData:
    """8-bit pixels and their metadata.

    Attributes:
        colour: uint8 (H, W, 3) RGB, or (H, W) grey.
        alpha: uint8 (H, W), or ``None``.
        metadata: EXIF, ICC and XMP.
        source_mode: the mode that the pixels were converted from, one of ``header.SOURCE_MODES``.
        notes: a sentence for each fact about the source that is not kept.
        pixel_notes: those of them that are about pixels: conversions of colours, frames left out.
    """

    colour: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    source_mode: str = "RGB"
    notes: tuple[str, ...] = ()
    pixel_notes: tuple[str, ...] = ()

    @property
    def grey(self) -> bool:
        """Whether there is one colour channel only."""
        return self.colour.ndim == 2

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.colour.shape[1], self.colour.shape[0]

    def array(self) -> NDArray[np.uint8]:
        """All channels in one uint8 array: (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
        return self.colour if self.alpha is None else np.dstack([self.colour, self.alpha])

    def to_pillow(self) -> Image.Image:
        """The image for Pillow, mode L, LA, RGB or RGBA, with its metadata in ``info``."""
        image = Image.fromarray(self.array())
        for key, value in (
            ("exif", self.metadata.exif and b"Exif\0\0" + self.metadata.exif),
            ("icc_profile", self.metadata.icc),
            ("xmp", self.metadata.xmp),
        ):
            if value:
                image.info[key] = value
        return image


def as_image_data(
    source: Image.Image | NDArray[np.generic] | ImageData,
    *,
    reduce_16bit: bool = False,
    first_frame: bool = False,
) -> ImageData:
    """Convert a Pillow image or an array; see :func:`image_from_pillow` and :func:`image_from_array`."""
    if isinstance(source, ImageData):
        return source
    if isinstance(source, Image.Image):
        return image_from_pillow(source, reduce_16bit=reduce_16bit, first_frame=first_frame)
    try:
        array = np.asarray(source)
    except (TypeError, ValueError) as error:
        raise UnsupportedImage(
            f"A {type(source).__name__} that makes no array is no image: {error}."
        ) from None
    return image_from_array(array, reduce_16bit=reduce_16bit)


def image_from_array(array: NDArray[np.generic], *, reduce_16bit: bool = False) -> ImageData:
    """Convert an array of pixels.

    Args:
        array: uint8 (H, W) grey, (H, W, 1) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB, (H, W, 4) RGBA; or
            uint16 of the same shapes with ``reduce_16bit``.

    Raises:
        UnsupportedImage: another dtype or shape.
    """
    channels = 1 if array.ndim == 2 else array.shape[-1] if array.ndim == 3 else 0
    if channels not in (1, 2, 3, 4) or array.size == 0:
        raise UnsupportedImage(
            f"An array of shape {array.shape} is no image; give (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."
        )
    mode = ("L", "LA", "RGB", "RGBA")[channels - 1]
    if array.dtype == np.uint16:
        if not reduce_16bit:
            raise UnsupportedImage(_SIXTEEN_BIT)
        array, mode = _eight_bit(array), "I;16" if mode == "L" else f"{mode};16"
    if array.dtype != np.uint8:
        raise UnsupportedImage(f"Pixels must be uint8, not {array.dtype}; scale them to 0..255 first.")
    planes = np.array(array, dtype=np.uint8, order="C").reshape(*array.shape[:2], channels)
    return _from_planes(planes, Metadata(), mode, (), ())


def image_from_pillow(
    image: Image.Image, *, reduce_16bit: bool = False, first_frame: bool = False
) -> ImageData:
    """Convert a Pillow image of any mode, turned upright, with its metadata.

    Args:
        image: best not loaded yet: Pillow reduces 16-bit RGB silently while loading.
        reduce_16bit: allow more than 8 bits per sample to be reduced to 8.
        first_frame: allow all frames but the first to be left out.

    Raises:
        UnsupportedImage: one of these was needed and is not allowed, the samples are floats, or Pillow cannot
            read it.
    """
    notes: list[str] = []
    with pillow_errors(notes):
        bits, of_pixels = check_losses(image, reduce_16bit=reduce_16bit, first_frame=first_frame)
        image.load()
        metadata, orientation, of_metadata = read_metadata(image)
        source_mode = _source_mode(image.mode, bits)
        pixels, metadata, of_conversion = _to_eight_bit_channels(image, metadata)
        planes = np.atleast_3d(np.array(upright(pixels, orientation)))
        metadata, of_profile = _with_fitting_profile(metadata, image.mode, grey=planes.shape[2] < 3)
        of_pixels += of_conversion
        notes += (*of_pixels, *dropped_facts(image), *of_metadata, *of_profile)
    return _from_planes(planes, metadata, source_mode, tuple(notes), of_pixels)


def check_losses(image: Image.Image, *, reduce_16bit: bool, first_frame: bool) -> tuple[int, tuple[str, ...]]:
    """Check an image that is opened but not loaded for what :class:`ImageData` cannot hold.

    Returns:
        Bits per sample, and a note about frames that are left out.

    Raises:
        UnsupportedImage: several frames, or more than 8 bits per sample, are there and not allowed; or
            the samples are floats.
    """
    bits = bits_per_sample(image)
    if image.mode == "F":
        raise UnsupportedImage(_FLOATS)
    if bits > 8 and not reduce_16bit:
        raise UnsupportedImage(_SIXTEEN_BIT)
    return bits, _check_frames(getattr(image, "n_frames", 1), image.format, first_frame)


def _from_planes(
    planes: NDArray[np.uint8],
    metadata: Metadata,
    source_mode: str,
    notes: tuple[str, ...],
    pixel_notes: tuple[str, ...],
) -> ImageData:
    """Split (H, W, 1 to 4) into colour and alpha."""
    count = planes.shape[2]
    colour = planes[:, :, 0] if count < 3 else planes[:, :, :3]
    alpha = np.ascontiguousarray(planes[:, :, -1]) if count in (2, 4) else None
    return ImageData(np.ascontiguousarray(colour), alpha, metadata, source_mode, notes, pixel_notes)


def _check_frames(frames: int, kind: str | None, first_frame: bool) -> tuple[str, ...]:
    if frames == 1:
        return ()
    if kind == "MPO" or first_frame:
        return (f"Only the first of the file's {frames} images is kept.",)
    raise UnsupportedImage(
        f"The image has {frames} frames and one is kept; extract it first, or let glic encode take the "
        "first with --first-frame (first_frame=True)."
    )


def _source_mode(mode: str, bits: int) -> str:
    if mode.startswith("I;16"):
        return "I;16"
    name = f"{mode};16" if bits > 8 and f"{mode};16" in SOURCE_MODES else mode
    return name if name in SOURCE_MODES else "RGB"


def _to_eight_bit_channels(
    image: Image.Image, metadata: Metadata
) -> tuple[Image.Image, Metadata, tuple[str, ...]]:
    """Convert to L, LA, RGB or RGBA, with a note for each loss."""
    mode = image.mode
    if mode == "I" or mode.startswith("I;16"):
        return Image.fromarray(_eight_bit(np.asarray(image))), metadata, _lost_key(image)
    if mode == "CMYK":
        return _from_cmyk(image, metadata)
    alpha = mode in _ALPHA_MODES or "transparency" in image.info
    target = ("L" if mode in _GREY_MODES else "RGB") + ("A" if alpha else "")
    exact = mode in (*_GREY_MODES, *_ALPHA_MODES, "RGB", "RGBX", "P")
    notes = () if exact else (f"The colours were converted from {mode} to RGB.",)
    return image.convert(target), metadata, notes


def _lost_key(image: Image.Image) -> tuple[str, ...]:
    return ("The transparent grey level is not kept.",) if "transparency" in image.info else ()


def _eight_bit(samples: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale 0..65535 to 0..255, rounding to the nearest.

    Raises:
        UnsupportedImage: a sample lies outside 0..65535.
    """
    if samples.min() < 0 or samples.max() > 65535:
        raise UnsupportedImage("The image has samples outside 0..65535; scale it to 8 bit first.")
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _with_fitting_profile(metadata: Metadata, mode: str, *, grey: bool) -> tuple[Metadata, tuple[str, ...]]:
    """Drop an ICC profile that does not describe the pixels, which were converted from a mode.

    Profiles for RGB may stay on grey pixels, as many cameras and programs write them. What is no ICC
    profile stays as it is.
    """
    space = profile_space(metadata.icc)
    if space is None or (space == "RGB" and mode != "LAB") or (space == "GRAY" and grey):
        return metadata, ()
    note = f"The ICC profile, one for {space}, does not describe the pixels and is left out."
    return replace(metadata, icc=None), (note,)


def _from_cmyk(image: Image.Image, metadata: Metadata) -> tuple[Image.Image, Metadata, tuple[str, ...]]:
    """Convert CMYK to sRGB by the embedded profile if there is one, else to RGB by the plain formula."""
    bare = Metadata(metadata.exif, None, metadata.xmp)
    if metadata.icc is None:
        return image.convert("RGB"), bare, ("The colours were converted from CMYK to RGB.",)
    try:
        inks, screen = ImageCms.ImageCmsProfile(io.BytesIO(metadata.icc)), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, inks, screen, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        converted = None
    if converted is None:
        note = "The colours were converted from CMYK to RGB without the embedded profile, which is unusable."
        return image.convert("RGB"), bare, (note,)
    return converted, bare, ("The colours were converted from CMYK to sRGB with the embedded profile.",)
