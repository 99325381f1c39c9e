"""The rows of the RAL paper's tables 2-4 with its figures, and how much of the work each scale does."""

from __future__ import annotations

from dataclasses import dataclass

Figures = tuple[float, float, float, float, float | None]
"""Accuracy, Dice, HD mm, MAD mm, and share of right views (None where there is none)."""


@dataclass(frozen=True)
class Row:
    """One training run: RAL without some parts, or another network ("" for one that cannot be run here, `why` says)."""

    name: str
    net: str
    without: tuple[str, ...]
    paper: Figures
    why: str = ""


TABLE_2 = (
    Row("full", "ral", (), (0.987, 0.919, 5.87, 2.90, 0.933)),
    Row("w/o classification", "ral", ("classification",), (0.971, 0.910, 5.99, 3.10, None)),
    Row("w/o ConvBlock", "ral", ("conv_block",), (0.963, 0.907, 6.21, 3.27, 0.867)),
    Row("w/o temporal", "ral", ("temporal",), (0.955, 0.896, 6.64, 3.51, 0.917)),
    Row("w/o spatial", "ral", ("spatial",), (0.968, 0.911, 6.03, 3.08, 0.883)),
)
TABLE_3 = (
    Row("U-Net", "unet", (), (0.942, 0.883, 8.94, 3.72, None)),
    Row("ACNN", "", (), (0.959, 0.893, 7.70, 3.40, None), "its shape prior is not published"),
    Row("U-Net++", "unet++", (), (0.937, 0.880, 9.01, 3.86, None)),
)
TABLE_4 = {
    "full": ((0.952, -7.5, 8.8), (0.960, -3.8, 7.1), (0.839, -0.9, 5.0)),
    "U-Net": ((0.954, -6.9, 9.8), (0.964, -3.7, 6.8), (0.823, -1.0, 5.3)),
    "ACNN": ((0.945, -6.7, 10.8), (0.947, -4.0, 8.3), (0.799, -0.8, 5.7)),
    "U-Net++": ((0.946, -11.4, 13.2), (0.952, -5.7, 8.6), (0.789, -1.8, 5.6)),
}
"""Row -> (correlation, bias, MAE) of EDV in ml, ESV in ml and EF in percent, on CAMUS."""


@dataclass(frozen=True)
class Scale:
    """`net` is the width of RAL; loops are synthetic, the held-out ones give one whole beat each, the others
    `clip_frames`.
    """

    net: str
    size: int
    training_loops: int
    held_out_loops: int
    clip_frames: int
    length: int
    window: int
    epochs: int
    batch: int


SCALES = {
    "smoke": Scale("ral-small", 64, 6, 2, 4, 4, 2, 1, 2),
    "cpu": Scale("ral-small", 128, 240, 40, 12, 6, 6, 18, 4),
    "full": Scale("ral", 256, 300, 60, 30, 20, 5, 60, 4),
}
"""`full` has the paper's 300 sequences of 30 frames and its widest network; it wants a GPU. Items come four at a time,
not two as in the paper: the view branch's batch norm sees as many clips as there are items, and of two it learns no
view."""
TRAINING_SEED, VALIDATION_SEED, HELD_OUT_SEED = 0, 400_000, 500_000
VALIDATION_LOOPS = 4
"""Loops that the learning rate follows; the held-out ones are only reported on."""
