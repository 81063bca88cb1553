"""Tables of a ladder's measurements: means, and every image, as cells and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.markdown_table import NOTHING, markdown_table, mean_cell, number_cell
from glic_pyg.evaluation.measure import Measurement
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.standing import standings
from glic_pyg.evaluation.standing_tables import rate_table, standing_table
from glic_pyg.evaluation.summary import Mean, means

__all__ = ["HEADER", "PEAK", "as_markdown", "mean_rows"]

Row = tuple[str, ...]
HEADER = (
    "codec", "setting", "bytes", "bpp", "PSNR, dB", "MS-SSIM", "MS-SSIM, dB",
    "encode, s", "decode, s", "peak, MiB",
)  # fmt: skip

PEAK = "peak: of the whole process, Python and torch included; of a tool its own process"


def mean_rows(comparisons: Sequence[Comparison]) -> list[Row]:
    """Cells of the means, one row a codec and setting; headed by :data:`HEADER`."""
    return [
        _row(
            mean,
            mean_cell(mean.psnr, ".3f", mean.psnr_images, mean.images),
            mean_cell(mean.ms_ssim, ".5f", mean.ms_ssim_images, mean.images),
            mean_cell(mean.ms_ssim_db, ".3f", mean.ms_ssim_db_images, mean.images),
        )
        for mean in means(comparisons)
    ]


def as_markdown(comparisons: Sequence[Comparison], how: Provenance) -> str:
    """The means, how the first codec stands against the others, every image's table, how it was measured."""
    parts = [f"# Mean of {len(comparisons)} images\n", markdown_table(HEADER, mean_rows(comparisons), left=2)]
    if found := standings(comparisons):
        ours = comparisons[0].codecs[0].codec
        parts += [f"\n## {ours} against the others\n", standing_table(found, {})]
        parts += [f"\n## {ours} at each step\n", rate_table(comparisons)]
    for c in comparisons:
        rows = [
            _row(
                m,
                number_cell(m.quality.psnr, ".3f"),
                number_cell(m.quality.ms_ssim, ".5f"),
                number_cell(m.quality.ms_ssim_db, ".3f"),
            )
            for m in c.codecs
        ]
        parts += [f"\n## {c.image}, {c.width}×{c.height}\n", markdown_table(HEADER, rows, left=2)]
    return "\n".join([*parts, f"\n{PEAK}\n\n```\n{how}\n```\n"])


def _row(measured: Measurement | Mean, psnr: str, ms_ssim: str, ms_ssim_db: str) -> Row:
    memory = measured.peak_memory
    return (
        measured.codec,
        measured.setting or "various",
        f"{measured.size:,.0f}",
        f"{measured.bpp:.4f}",
        psnr,
        ms_ssim,
        ms_ssim_db,
        f"{measured.encode_seconds:.2f}",
        f"{measured.decode_seconds:.2f}",
        NOTHING if memory is None else f"{memory / 2**20:,.0f}",
    )
