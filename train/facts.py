"""What a checkpoint says of itself: the network, how it was trained, and how it did after every epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from edge.errors import ModelError
from train.nets.echo_dnd import EchoDNDConfig
from train.nets.quality_net import Variant


@dataclass(frozen=True)
class FitConfig:
    """What a run needs besides network and data.

    `batch` is what one optimiser step sees, over all processes and `accumulate` parts; batch norm sees a part.
    `optimizer` is "adamw" or "sgd" with momentum 0.9. `clip_norm` 0 clips nothing, `ema_decay` 0 averages nothing,
    `patience` is the number of epochs without a better score after which a run ends (0: never). With `plateau` the rate
    follows no cosine: it falls to a fifth after so many epochs without a better score.
    """

    epochs: int
    batch: int = 8
    optimizer: str = "adamw"
    lr: float = 2e-3
    lr_end: float = 1e-5
    weight_decay: float = 1e-2
    warmup_steps: int = 200
    ema_decay: float = 0.998
    clip_norm: float = 5.0
    seed: int = 0
    workers: int = 1
    mixed_precision: bool = True
    accumulate: int = 1
    patience: int = 0
    plateau: int = 0


Epoch = dict[str, float]
""""epoch", "loss", "seconds" and the validation's figures."""


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The metadata of a checkpoint.

    net, size: a network's name and its input side in px. classes: of a segmentation, background first. architecture,
    variant: the shape of Echo-DND and of a quality net. without: the parts RAL lacks. validation_patients: never
    trained on. data, recipe, augment, loss, init, length, window, steady, labels: what it was trained with.
    distillation, teacher_sha256, labelled_patients, consensus: a student's. config, history, steps: the run; None and
    empty before it. averaged: the checkpoints whose mean this is.
    """

    net: str
    size: int
    classes: tuple[str, ...] = ()
    architecture: EchoDNDConfig | None = None
    variant: Variant | None = None
    without: tuple[str, ...] = ()
    training_frames: int = 0
    validation_patients: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    recipe: str = ""
    augment: str = ""
    loss: dict[str, float | str] | None = None
    init: str = ""
    length: int = 0
    window: int = 0
    steady: float = 0.0
    labels: dict[str, int] | None = None
    distillation: dict[str, float] | None = None
    teacher_sha256: str = ""
    labelled_patients: int = 0
    consensus: dict[str, int] | None = None
    config: FitConfig | None = None
    history: tuple[Epoch, ...] = ()
    steps: int = 0
    averaged: tuple[str, ...] = ()

    @property
    def run(self) -> FitConfig:
        """How it was trained. Raises ModelError for facts of a network that was not."""
        if self.config is None:
            raise ModelError(f"the checkpoint of '{self.net}' has no `config`: train it with `echoedge train`")
        return self.config


def facts_from(plain: Any) -> Facts:
    """Facts of what JSON gave. Raises ValueError (msgspec.ValidationError) naming the first field that is wrong."""
    return msgspec.convert(plain, Facts)


def plain_from(facts: Facts) -> Any:
    """The facts as JSON can hold them; what was never said is left out."""
    return msgspec.to_builtins(facts)
