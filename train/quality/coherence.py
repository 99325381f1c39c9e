"""Train the coherence U-Net: `echoedge train coherence`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge.errors import ModelError
from train.checkpoint import load_checkpoint, weights_of
from train.data.split import check_sides, patients_of
from train.facts import Facts, FitConfig
from train.fit import fit
from train.losses import ssim_map
from train.nets.coherence_net import CoherenceNet
from train.options import given, training_options
from train.quality.coherence_data import SIZE, CoherenceData, CoherenceFrame, open_coherence
from train.segmentation import normalised, read_sides

RECIPES = {
    "paper": FitConfig(
        epochs=500,
        batch=32,
        lr=1e-2,
        lr_end=1e-2,
        weight_decay=0.0,
        warmup_steps=0,
        ema_decay=0.0,
        clip_norm=0.0,
        mixed_precision=False,
    ),
    "modern": FitConfig(epochs=12, batch=8, lr=4e-3, weight_decay=1e-4, warmup_steps=50, ema_decay=0.99),
}
"""The paper's table 2 (AdamW without decay is Adam), and one for hours rather than days."""
PREDICT_BATCH = 8
EPSILON = 1e-4


def coherence_loss(net: torch.nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
    """Negative SSIM."""
    image, target = batch
    predicted = net(image.contiguous(memory_format=torch.channels_last))
    with torch.autocast(image.device.type, enabled=False):
        return -ssim_map(predicted.float().contiguous(), target).mean()


def predict_coherence(net: torch.nn.Module, images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """N x SIZE x SIZE coherence 0-1 (gamma applied) of SIZE x SIZE uint8 pictures."""
    device = next(net.parameters()).device
    tensors = [normalised(image) for image in images]
    with torch.inference_mode():
        parts = [
            net(torch.stack(tensors[k : k + PREDICT_BATCH]).to(device)).float().cpu()
            for k in range(0, len(tensors), PREDICT_BATCH)
        ]
    return torch.cat(parts)[:, 0].numpy()


def relative_pixel_error(target: NDArray[np.floating], predicted: NDArray[np.floating]) -> float:
    """Mean of |t - p| / max(t, 1e-4) (paper, 3.1)."""
    return float((np.abs(target - predicted) / np.maximum(target, EPSILON)).mean())


def psnr_db(target: NDArray[np.floating], predicted: NDArray[np.floating]) -> float:
    """Peak signal-to-noise ratio of images in 0-1, in dB; infinite for equal ones."""
    error = float(((target - predicted) ** 2).mean())
    return -10 * float(np.log10(error)) if error else float("inf")


def similarity(net: torch.nn.Module, frames: Sequence[CoherenceFrame]) -> dict[str, float]:
    """Means over frames: "ssim" of the whole picture, "ssim_sector", "rpe" and "psnr" inside the sector only.

    Outside it the target is 0, where a relative error says nothing and a perfect prediction costs nothing.
    """
    predicted = predict_coherence(net, [f.image for f in frames])
    rows = []
    for frame, found in zip(frames, predicted):
        target = frame.target.astype(np.float32) / 255
        alike = ssim_map(*(torch.from_numpy(v)[None, None] for v in (found, target)))[0, 0].numpy()
        inside = frame.sector
        rows.append(
            (
                alike.mean(),
                alike[inside[5:-5, 5:-5]].mean(),
                relative_pixel_error(target[inside], found[inside]),
                psnr_db(target[inside], found[inside]),
            )
        )
    return dict(zip(("ssim", "ssim_sector", "rpe", "psnr"), np.mean(rows, axis=0).tolist()))


def train_coherence(
    training: Sequence[CoherenceFrame],
    validation: Sequence[CoherenceFrame],
    config: FitConfig,
    folder: Path,
    places: Sequence[str],
) -> Path:
    """Train into `folder`, resuming what is there; return the best checkpoint's path. DataError when sides share a
    patient.
    """
    check_sides(training, validation)
    torch.manual_seed(config.seed)
    facts = Facts(
        net="coherence",
        size=SIZE,
        training_frames=len(training),
        data=tuple(places),
        validation_patients=patients_of(validation),
    )
    data = CoherenceData(training, config.seed)
    return fit(
        CoherenceNet(), data, coherence_loss, lambda net: similarity(net, validation), config, folder, "ssim", facts
    )


def load_coherence(path: Path) -> CoherenceNet:
    """The averaged network of a checkpoint, in evaluation mode. Raises ModelError for a checkpoint of another kind."""
    tensors, facts = load_checkpoint(path)
    if facts.net != "coherence":
        raise ModelError(f"{path} holds the net '{facts.net}'; give one that `echoedge train coherence` wrote")
    net = CoherenceNet()
    net.load_state_dict(weights_of(tensors))
    return net.eval()


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge train coherence",
        description="Train the U-Net that predicts coherence from a B-mode picture, on synthetic echo or channel data.",
        epilog="example: echoedge train coherence --data synth:800@5000 --out runs/coherence",
        parents=[training_options("synth:COUNT@SEED or uff:FOLDER")],
    )
    p.add_argument(
        "--recipe", choices=tuple(RECIPES), default="modern", help="a present-day one (default), or the paper's"
    )
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    training, validation = read_sides(args.data, args.valid, None, args.seed, open_coherence)
    print(f"{len(training)} training and {len(validation)} validation frames", file=sys.stderr)
    config = given(args, RECIPES[args.recipe])
    print(train_coherence(training, validation, config, args.out, [*args.data, *([args.valid] if args.valid else [])]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
