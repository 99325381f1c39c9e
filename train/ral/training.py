"""RAL's training on clips: the network of a checkpoint, and a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from torch import nn

from edge.errors import DataError, ModelError
from train.augment import MILD, AugmentSpec
from train.checkpoint import load_checkpoint, weights_of
from train.data.clips import Clip
from train.data.split import check_sides, patients_of
from train.facts import Facts, FitConfig
from train.fit import fit
from train.nets.ral import RECURRENT_NETS, parts_without
from train.ral.data import ClipData, CroppedClip
from train.ral.loss import aggregation_loss
from train.ral.score import score_clips
from train.segmentation import check_annotated

SIZE_PX = 256
AUGMENT = {"wide": AugmentSpec(), "mild": MILD}
LENGTH, WINDOW = 20, 5
"""Frames of a training item, and of the pieces that gradients are carried through."""
PAPER = FitConfig(
    epochs=60, batch=2, optimizer="adamw", lr=1e-3, lr_end=1e-5, weight_decay=1e-4, warmup_steps=100, plateau=4
)
"""Adam at 1e-3, decayed where validation Dice stands still (section 3)."""


def build_net(facts: Facts) -> nn.Module:
    """The untrained network that a checkpoint's facts describe. Raises DataError for a size or part it cannot have."""
    try:
        return RECURRENT_NETS[facts.net](len(facts.classes), facts.size, parts=parts_without(facts.without))
    except ValueError as error:
        raise DataError(str(error)) from error


def load_net(path: Path) -> nn.Module:
    """The averaged network of a checkpoint, in evaluation mode. Raises ModelError for a checkpoint of another kind."""
    tensors, facts = load_checkpoint(path)
    if facts.net not in RECURRENT_NETS:
        raise ModelError(f"{path} holds the net '{facts.net}'; give one that `echoedge train ral` wrote")
    net = build_net(facts)
    net.load_state_dict(weights_of(tensors))
    return net.eval()


def train_clips(
    facts: Facts,
    training: Sequence[Clip],
    validation: Sequence[Clip],
    config: FitConfig,
    folder: Path,
    net: nn.Module,
    spec: AugmentSpec | None,
    length: int = LENGTH,
    window: int = WINDOW,
    steady: float = 0.0,
) -> Path:
    """Train a network with RAL's forward on clips, resuming what `folder` holds; return the best checkpoint's path.

    facts: of the network and its data. spec: None augments nothing. steady: weight of `unrest` in the loss. Raises
    DataError when a patient is on both sides, or when a class is asked for that no data annotate.
    """
    check_sides(training, validation)
    size, classes = facts.size, len(facts.classes)
    check_annotated((frame for clip in training for frame in clip.frames), classes)
    data = ClipData(training, size, length, config.seed, spec, classes)
    held_out = [CroppedClip(clip, size, classes) for clip in validation]
    trained = msgspec.structs.replace(
        facts,
        training_frames=sum(len(clip.frames) for clip in training),
        length=length,
        window=window,
        steady=steady,
        validation_patients=patients_of(validation),
    )
    return fit(
        net,
        data,
        aggregation_loss(window, steady_weight=steady),
        lambda model: score_clips(model, held_out, classes),
        config,
        folder,
        "mean",
        trained,
    )
