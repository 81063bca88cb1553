"""Figures of the study: gains at equal rate as bars, and crops at matched rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median_low

from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.evaluation.baselines.base import Baseline
from glic_pyg.evaluation.measure import quality_of
from glic_pyg.evaluation.rate_matching import nearest
from glic_pyg.evaluation.summary import BDSummary
from glic_pyg.inspection.figures import crop_figure, detailed_corner
from glic_pyg.plotting import encode_figure, styled_figure
from glic_pyg.types import Pixels

__all__ = ["crop_sheet", "gain_bars", "median_image", "worst_image"]


COLOURS = {"JPEG": "#888888", "WebP": "#0072B2", "AVIF": "#CC79A7"}
CROP, ROW, COLUMNS = 160, 5, 4  # up to five stand in one row, more in rows of four


def gain_bars(found: Mapping[str, Sequence[BDSummary]], ours: str, kind: str) -> bytes:
    """Gains of our codec at equal rate: a group of bars per set, a bar per codec, a dot per image.

    Args:
        found: summaries by the name of the set, all of the same codecs.
        ours: name of our codec.
        kind: ``"png"`` or ``"svg"``.
    """
    names = [summary.other for summary in next(iter(found.values()))]
    width = 0.8 / len(names)
    with styled_figure(7.2, 3.6) as figure:
        axes = figure.add_subplot()
        for number, name in enumerate(names):
            places = [group + (number - (len(names) - 1) / 2) * width for group in range(len(found))]
            gains = [summaries[number].gains for summaries in found.values()]
            colour = COLOURS.get(name)
            heights = [fmean(of_set) if of_set else 0 for of_set in gains]
            axes.bar(places, heights, 0.9 * width, color=colour, alpha=0.75, label=f"over {name}")
            for place, of_set in zip(places, gains, strict=True):
                axes.plot([place] * len(of_set), of_set, "o", color=colour, mec="white", ms=4)
        axes.axhline(0, color="#444444", lw=0.8)
        axes.set_yscale("symlog", linthresh=2)  # photographs differ by tenths, screens by tens
        axes.set_yticks(
            (-30, -10, -3, -1, 0, 1, 3, 10), labels=("−30", "−10", "−3", "−1", "0", "1", "3", "10")
        )
        axes.set(
            xticks=range(len(found)), xticklabels=list(found), ylabel="gain at equal bytes, dB",
            title=f"PSNR of {ours} above that of other codecs",
        )  # fmt: skip
        axes.legend(frameon=False, ncols=len(names), loc="upper center", bbox_to_anchor=(0.5, -0.1))
        return encode_figure(figure, kind)


def crop_sheet(
    original: Pixels, codec: ImageCodec, target: RateTarget | None, baselines: Sequence[Baseline]
) -> bytes:
    """A detail of one image: original, ours, and every baseline at the bytes nearest to ours.

    Args:
        original: uint8 (H, W, 3) or (H, W).
        codec: ours.
        target: requested of our file.
        baselines: fast ones, since their setting is searched.
    """
    ours = codec.encode(original, target=target).data
    coded = {codec.name: (len(ours), codec.decode(ours).array)}
    for baseline in baselines:
        data = nearest(baseline, original, len(ours)).data
        coded[baseline.title] = (len(data), baseline.decode(data, original.shape))
    panels = {"Original": (original, f"{original.nbytes:,} bytes")}
    for title, (size, decoded) in coded.items():
        panels[title] = (decoded, f"{size:,} bytes · {quality_of(decoded, original).psnr:.2f} dB")
    columns = ROW if len(panels) <= ROW else COLUMNS
    return crop_figure(panels, detailed_corner(original, CROP), CROP, columns=columns)


def median_image(summary: BDSummary) -> str:
    """The image of median gain: a choice that favours no codec."""
    known = {image: gain for image, gain in summary.gain_by_image.items() if gain is not None}
    middle = median_low(known.values()) if known else None
    return next(image for image, gain in summary.gain_by_image.items() if gain == middle)


def worst_image(found: Sequence[BDSummary]) -> tuple[int, str]:
    """Number of the set, and the image in it, where ours loses most; the first image if no gain is known."""
    known = [
        (gain, number, image)
        for number, summary in enumerate(found)
        for image, gain in summary.gain_by_image.items()
        if gain is not None
    ]
    return min(known)[1:] if known else (0, next(iter(found[0].gain_by_image)))
