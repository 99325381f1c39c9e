"""The 18 rows of the PSPNet-MK paper's table 1, its figures' two further runs, and at which scales they are run
here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One training run. `init` is "random", "T" or "Q"; `schedule` is "short" (the paper's 30 epochs) or "long" (50).

    paper: the printed Dice, HD (no unit given), mIoU and processing time in s; None for a run that only a figure shows.
    """

    name: str
    net: str
    init: str
    schedule: str
    paper: tuple[float, float, float, float] | None


ROWS = (
    Row("VGG", "vgg", "random", "short", (0.77, 4.65, 0.76, 34.6)),
    Row("VGG_T", "vgg", "T", "short", (0.79, 4.61, 0.79, 33.2)),
    Row("VGG_Q", "vgg", "Q", "short", (0.79, 4.63, 0.78, 33.7)),
    Row("Unet", "unet", "random", "short", (0.78, 4.69, 0.76, 27.4)),
    Row("Unet_T", "unet", "T", "short", (0.80, 4.65, 0.80, 26.5)),
    Row("Unet_Q", "unet", "Q", "short", (0.79, 4.67, 0.78, 26.8)),
    Row("Res_U", "res-u", "random", "short", (0.81, 4.62, 0.82, 30.2)),
    Row("Res_U_T", "res-u", "T", "short", (0.83, 4.59, 0.84, 28.6)),
    Row("Res_U_Q", "res-u", "Q", "short", (0.82, 4.60, 0.83, 29.4)),
    Row("PSPNet_R", "pspnet-r", "random", "long", (0.79, 4.61, 0.82, 27.8)),
    Row("PSPNet_R_T", "pspnet-r", "T", "long", (0.82, 4.59, 0.85, 28.5)),
    Row("PSPNet_R_Q", "pspnet-r", "Q", "long", (0.81, 4.58, 0.84, 29.1)),
    Row("PSPNet_M", "pspnet-m", "random", "short", (0.77, 4.55, 0.81, 19.6)),
    Row("PSPNet_M_T", "pspnet-m", "T", "short", (0.80, 4.60, 0.82, 19.8)),
    Row("PSPNet_M_Q", "pspnet-m", "Q", "short", (0.81, 4.59, 0.82, 21.3)),
    Row("PSPNet_MK", "pspnet-mk", "random", "short", (0.82, 4.52, 0.85, 18.5)),
    Row("PSPNet_MK_T", "pspnet-mk", "T", "short", (0.84, 4.51, 0.86, 19.4)),
    Row("PSPNet_MK_Q", "pspnet-mk", "Q", "short", (0.83, 4.50, 0.85, 20.2)),
)
FIGURE_ROWS = (
    Row("PSPNet_R_short", "pspnet-r", "random", "short", None),
    Row("PSPNet_MK_long", "pspnet-mk", "random", "long", None),
)
FIGURES = {
    "figure 7: ResNet50": ("PSPNet_R_short", "PSPNet_R"),
    "figure 8: improved MobileNetV2": ("PSPNet_MK", "PSPNet_MK_long"),
    "figure 9: ResNet50, initialisation": ("PSPNet_R", "PSPNet_R_T", "PSPNet_R_Q"),
    "figure 10: improved MobileNetV2, initialisation": ("PSPNet_MK", "PSPNet_MK_T", "PSPNet_MK_Q"),
}
"""Figure -> the rows whose curves it compares."""


@dataclass(frozen=True)
class Scale:
    """How much of the paper's work is done: input px, frames (None: all), epochs of both schedules, and pre-
    training.
    """

    size: int
    training_frames: int | None
    validation_frames: int | None
    short: int
    long: int
    pretrain_data: str
    pretrain_epochs: int
    mixed_precision: bool

    def epochs(self, row: Row) -> int:
        return self.long if row.schedule == "long" else self.short


SCALES = {
    "smoke": Scale(89, 16, 4, 1, 1, "synth:16@0", 1, True),
    "cpu": Scale(185, 128, 50, 10, 17, "synth:80@0", 8, True),
    "full": Scale(473, None, None, 30, 50, "synth:2000@0", 30, False),
}
"""`cpu` keeps the ratio 30 : 50 and the 16-stride map's divisibility by 6; `full` is the paper's own amount of work."""
