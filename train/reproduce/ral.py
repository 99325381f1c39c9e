"""The RAL paper's tables 2, 3 and 4 and figure 5 on synthetic clips: `echoedge reproduce ral`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge.heart.analysis import REGION_PX
from edge.heart.measure import ejection_fraction
from edge.postprocess import clean_mask
from train.augment import AugmentSpec
from train.checkpoint import load_checkpoint, weights_of
from train.data.clips import Clip, open_clips
from train.evaluate.ef import agreement, volume_ml
from train.evaluate.metrics import dice, distances_summary, flicker, mean_known, surface_distances
from train.facts import Facts
from train.nets.ral import FrameWise
from train.nets.unet import UNet
from train.nets.unet_plus_plus import UNetPlusPlus
from train.options import table_options
from train.ral.data import CroppedClip
from train.ral.score import run_clip
from train.ral.training import PAPER, build_net, train_clips
from train.reproduce.ral_report import write_report
from train.reproduce.ral_rows import (
    HELD_OUT_SEED,
    SCALES,
    TABLE_2,
    TABLE_3,
    TRAINING_SEED,
    VALIDATION_LOOPS,
    VALIDATION_SEED,
    Row,
    Scale,
)
from train.results import RESULTS, machine, store_row, stored_row
from train.segmentation import CLASSES

PHASES = 10
"""Parts of the cardiac cycle that figure 5 averages over."""
OTHERS = {"unet": UNet, "unet++": UNetPlusPlus}
METRICS = ("accuracy", "dice", "hd", "mad")


def facts_of(row: Row, scale: Scale) -> Facts:
    """What a row's checkpoints say of their network."""
    net = row.net if row.net in OTHERS else scale.net
    return Facts(net=net, without=row.without, size=scale.size, classes=CLASSES)


def build(row: Row, scale: Scale) -> nn.Module:
    """The untrained network of a row."""
    if row.net in OTHERS:
        return FrameWise(OTHERS[row.net](len(CLASSES), scale.size))
    return build_net(facts_of(row, scale))


def measure(net: nn.Module, clips: Sequence[CroppedClip]) -> dict[str, Any]:
    """A row's figures over all frames of whole beats, and what figure 5 and table 4 are made of.

    Means and standard deviations of pixel accuracy, LV Dice, HD and MAD in mm; share of right views; mean flicker; by
    PHASES of the cycle; EDV, ESV (ml, single plane) and EF (percent) as found and as true, of the clips that have both.
    """
    frames: list[dict[str, float]] = []
    unrest, volumes = [], []
    for clip in clips:
        masks, views = run_clip(net, clip.images)
        for t, (found, true) in enumerate(zip(masks == 1, clip.masks == 1)):
            distances = distances_summary(surface_distances(found, true, clip.spacing_mm))
            frames.append(
                {
                    "accuracy": float((found == true).mean()),
                    "dice": dice(found, true),
                    "hd": distances["hd"],
                    "mad": distances["mad"],
                    "phase": t / len(masks),
                    "view": np.nan if views is None else float(views[t].argmax() == clip.view),
                }
            )
        areas = [(stack == 1).sum((1, 2)).astype(np.float64) for stack in (masks, clip.masks)]
        unrest.append(flicker(*areas))
        volumes.append(_volumes(masks, clip))
    columns = {name: np.array([frame[name] for frame in frames]) for name in frames[0]}
    bins = np.minimum((columns["phase"] * PHASES).astype(int), PHASES - 1)
    return {
        **{name: [mean_known(columns[name]), spread_known(columns[name])] for name in METRICS},
        "view": mean_known(columns["view"]),
        "flicker": mean_known(np.array(unrest)),
        "cycle": {name: [mean_known(columns[name][bins == k]) for k in range(PHASES)] for name in METRICS},
        "volumes": [v for v in volumes if v is not None],
    }


def spread_known(values: NDArray[np.float64]) -> float:
    """Standard deviation without NaN; NaN where nothing else is there."""
    known = values[~np.isnan(values)]
    return float(known.std()) if len(known) else float("nan")


def _volumes(masks: np.ndarray, clip: CroppedClip) -> list[float] | None:
    """EDV, ESV and EF as found and as true, six numbers; None where a plane cannot be measured at ED or ES."""
    if clip.volumes_ml is None or not {"ED", "ES"} <= set(clip.phases):
        return None
    found = [mask_volume_ml(masks[clip.phases.index(phase)], clip.spacing_mm) for phase in ("ED", "ES")]
    if not found[0] or found[1] is None:
        return None
    edv, esv = clip.volumes_ml
    return [found[0], found[1], ejection_fraction(found[0], found[1]), edv, esv, ejection_fraction(edv, esv)]


def mask_volume_ml(mask: NDArray[np.uint8], spacing_mm: float) -> float | None:
    """Single-plane volume of a square mask, measured on the runtime's grid; None where it cannot be."""
    grid = cv2.resize(mask, (REGION_PX, REGION_PX), interpolation=cv2.INTER_NEAREST_EXACT)
    spacing = (spacing_mm * len(mask) / REGION_PX,) * 2
    return volume_ml(clean_mask(np.asarray(grid, np.uint8)), spacing)


def table_4(volumes: Sequence[Sequence[float]]) -> dict[str, dict[str, float]]:
    """Agreement (n, r, bias, limits, MAE) of EDV and ESV in ml and EF in percent."""
    pairs = np.array(volumes, np.float64).reshape(-1, 6)
    return {
        name: asdict(agreement(pairs[:, k], pairs[:, k + 3]))
        for k, name in enumerate(("EDV", "ESV", "EF"))
        if len(pairs)
    }


class Tables:
    """One run of the tables in a folder: data, and rows that are stored as they finish."""

    def __init__(self, folder: Path, scale: Scale, seed: int) -> None:
        self.folder, self.scale, self.seed = folder, scale, seed
        self.settings = {"scale": asdict(scale), "seed": seed}
        self._clips: tuple[list[Clip], list[Clip]] | None = None

    @property
    def clips(self) -> tuple[list[Clip], list[Clip]]:
        """(training, held-out) clips, made when a row needs them."""
        if self._clips is None:
            training = f"synth:{self.scale.training_loops}@{TRAINING_SEED}"
            held_out = f"synth:{self.scale.held_out_loops}@{HELD_OUT_SEED}"
            self._clips = list(open_clips(training, self.scale.clip_frames)), list(open_clips(held_out))
        return self._clips

    def run_row(self, row: Row) -> dict[str, Any]:
        """Train and measure one row, or take it from its file; what cannot be run says why under "not_run"."""
        path = self.folder / "rows" / f"{_file_name(row)}.json"
        stored = stored_row(path, self.settings)
        if stored is not None:
            return stored
        done: dict[str, Any] = {"name": row.name, "settings": self.settings, "machine": machine()}
        if row.why:
            done["not_run"] = row.why
        else:
            started = time.monotonic()
            torch.manual_seed(self.seed)
            net = build(row, self.scale)
            folder = self.folder / _file_name(row)
            training, held_out = self.clips
            config = replace(PAPER, epochs=self.scale.epochs, batch=self.scale.batch, seed=self.seed)
            validation = list(open_clips(f"synth:{VALIDATION_LOOPS}@{VALIDATION_SEED}", self.scale.clip_frames))
            train_clips(
                facts_of(row, self.scale),
                training,
                validation,
                config,
                folder,
                net,
                AugmentSpec(),
                self.scale.length,
                self.scale.window,
            )
            tensors, saved = load_checkpoint(folder / "last.safetensors")
            net.load_state_dict(weights_of(tensors))
            cropped = [CroppedClip(clip, self.scale.size) for clip in held_out]
            done |= {
                "parameters": sum(p.numel() for p in net.parameters()),
                "seconds": time.monotonic() - started,
                "losses": [epoch["loss"] for epoch in saved.history],
                **measure(net.eval(), cropped),
            }
        return store_row(path, done)

    def run(self, rows: Sequence[Row] = (*TABLE_2, *TABLE_3)) -> dict[str, dict[str, Any]]:
        """Every row by name."""
        results = {}
        for row in rows:
            results[row.name] = result = self.run_row(row)
            said = result.get("not_run") or f"Dice {result['dice'][0]:.3f}  flicker {100 * result['flicker']:.2f} %"
            print(f"{row.name}: {said}", file=sys.stderr)
        return results


def _file_name(row: Row) -> str:
    return row.name.replace("w/o ", "without-").replace("+", "p").lower()


def parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="echoedge reproduce ral",
        description="Train and measure the rows of the RAL paper's tables 2, 3 and 4 on synthetic clips. "
        "Finished rows are kept; call again to go on.",
        epilog="example: echoedge reproduce ral --scale cpu",
        parents=[table_options("ral", SCALES, "an hour or more on two cores")],
    )


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    tables = Tables(args.out or Path("runs") / "ral" / f"{args.scale}-seed{args.seed}", SCALES[args.scale], args.seed)
    results = tables.run()
    volumes = {name: table_4(result["volumes"]) for name, result in results.items() if "volumes" in result}
    written = args.results or tables.folder / RESULTS
    write_report(written, args.scale, tables.settings, results, volumes)
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
