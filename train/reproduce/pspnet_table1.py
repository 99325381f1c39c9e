"""The PSPNet-MK paper's table 1 and figures 7-10: `echoedge reproduce pspnet-table1`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge.errors import DataError
from edge.screen.sector import find_sector
from train.checkpoint import load_checkpoint, weights_of
from train.data import open_data
from train.data.sample import Sample
from train.data.split import draw_patients, split_samples
from train.evaluate.metrics import dice, distances_summary, iou, mean_known, surface_distances
from train.nets import SEGMENTATION_NETS
from train.nets.pspnet_mk import upsample
from train.options import table_options
from train.recipes import RECIPES, Recipe
from train.reproduce.pspnet_report import write_report
from train.reproduce.pspnet_rows import FIGURE_ROWS, ROWS, SCALES, Row, Scale
from train.results import RESULTS, machine, store_row, stored_row, write_json
from train.segmentation import crop_to_sector, predict, read_sides, train_segmentation

PAPER_PX = 473
TIMING_ROUNDS = 15


def choose_frames(samples: Sequence[Sample], count: int | None, seed: int) -> list[Sample]:
    """The frames of whole patients, drawn by seed, up to `count` frames; all of them for None."""
    if count is None:
        return list(samples)
    names = sorted({s.patient for s in samples})
    place = {names[k]: rank for rank, k in enumerate(np.random.default_rng(seed).permutation(len(names)))}
    return sorted(samples, key=lambda s: place[s.patient])[:count]


def measure(net: torch.nn.Module, samples: Sequence[Sample], size: int, classes: int) -> dict[str, float]:
    """Mean over frames at the network's input: LV Dice (1), HD (2)(3) in mm and in px at 473, HD95 in mm, mIoU (4).

    Distances leave out frames in which no LV was found; `missed` counts those.
    """
    rows = []
    for sample in samples:
        image, mask = crop_to_sector(sample, size, classes)
        predicted = predict(net, image)
        mm_per_px = find_sector([sample.image]).box.side / size * sample.spacing_mm[0]
        px = distances_summary(surface_distances(predicted == 1, mask == 1, 1.0))
        rows.append(
            {
                "dice": dice(predicted == 1, mask == 1),
                "miou": float(np.mean([iou(predicted == c, mask == c) for c in range(classes)])),
                "hd_px": px["hd"] * PAPER_PX / size,
                "hd_mm": px["hd"] * mm_per_px,
                "hd95_mm": px["hd95"] * mm_per_px,
            }
        )
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    missed = int(np.isnan(columns["hd_px"]).sum())
    return {**{key: mean_known(values) for key, values in columns.items()}, "missed": missed}


def load_net(path: Path) -> torch.nn.Module:
    """The network of a segmentation checkpoint, in evaluation mode."""
    tensors, facts = load_checkpoint(path)
    net = SEGMENTATION_NETS[facts.net](len(facts.classes), facts.size)
    net.load_state_dict(weights_of(tensors))
    return net.eval()


def time_nets(nets: dict[str, torch.nn.Module], size: int, rounds: int = TIMING_ROUNDS) -> dict[str, float]:
    """Median seconds of one image (torch, float32, to the class map), the networks taking turns; the first round is
    left out.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    image = torch.zeros(1, 1, size, size, device=device)
    seconds: dict[str, list[float]] = {name: [] for name in nets}
    with torch.inference_mode():
        for _ in range(rounds + 1):
            for name, net in nets.items():
                started = time.perf_counter()
                upsample(net.to(device)(image), size).argmax(1).cpu()
                seconds[name].append(time.perf_counter() - started)
    return {name: float(np.median(values[1:])) for name, values in seconds.items()}


class Table:
    """One run of the table in a folder: settings, data, and rows that are stored as they finish."""

    def __init__(self, args: argparse.Namespace, scale: Scale) -> None:
        self.folder: Path = args.out or Path("runs") / "pspnet-table1" / f"{args.scale}-{args.classes}-seed{args.seed}"
        self.scale, self.classes, self.seed = scale, args.classes, args.seed
        self.weights = dict(entry.split("=", 1) for entry in args.weights)
        self.recipe = replace(
            RECIPES["paper"], fit=replace(RECIPES["paper"].fit, seed=self.seed, mixed_precision=scale.mixed_precision)
        )
        training, validation = read_sides(args.data, args.valid, None, self.seed, open_data)
        self.training = choose_frames(training, scale.training_frames, self.seed)
        self.validation = choose_frames(validation, scale.validation_frames, self.seed)
        pretraining = list(open_data(scale.pretrain_data))
        self.pretraining = split_samples(pretraining, draw_patients((s.patient for s in pretraining), self.seed))
        self.settings = {
            "scale": asdict(scale),
            "classes": self.classes,
            "seed": self.seed,
            "data": sorted({place.partition(":")[0] for place in args.data}),
            "training": sorted(s.source for s in self.training),
            "validation": sorted(s.source for s in self.validation),
        }

    def run_row(self, row: Row) -> dict[str, Any]:
        """Train and measure one row, or take it from its file; what cannot be run says why under "not_run"."""
        path = self.folder / "rows" / f"{row.name}.json"
        stored = stored_row(path, self.settings)
        if stored is not None and ("not_run" not in stored or self._missing(row)):
            return stored
        done: dict[str, Any] = {"name": row.name, "settings": self.settings, "machine": machine()}
        if reason := self._missing(row):
            done["not_run"] = reason
        else:
            started = time.monotonic()
            folder = self.folder / row.name
            epochs = self.scale.epochs(row)
            recipe = replace(self.recipe, fit=replace(self.recipe.fit, epochs=epochs))
            train_segmentation(
                row.net, self.training, self.validation, recipe, self.scale.size, self.classes, folder, self._start(row)
            )
            last = folder / "last.safetensors"
            done |= {
                "epochs": epochs,
                "seconds": time.monotonic() - started,
                "history": load_checkpoint(last)[1].history,
                **measure(load_net(last), self.validation, self.scale.size, self.classes),
            }
        return store_row(path, done)

    def _missing(self, row: Row) -> str:
        """Why a row cannot be run, or ""."""
        if row.init != "Q" or row.net in self.weights:
            return ""
        return "no published weights fit U-Net's own encoder" if row.net == "unet" else "no ImageNet weights here"

    def _start(self, row: Row) -> tuple[str, Path | None]:
        """(kind, file) to start a row from; pre-trains its network first where that is asked and not done yet."""
        if row.init == "random":
            return "random", None
        if row.init == "Q":
            return "Q", Path(self.weights[row.net])
        recipe: Recipe = replace(self.recipe, fit=replace(self.recipe.fit, epochs=self.scale.pretrain_epochs))
        folder = self.folder / f"pretrain-{row.net}"
        train_segmentation(row.net, *self.pretraining, recipe, self.scale.size, self.classes, folder)
        return "T", folder / "last.safetensors"

    def run(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The rows in the table's order, then the time an image takes, measured in turns."""
        results = []
        for row in rows:
            result = self.run_row(row)
            results.append(result)
            said = result.get("not_run") or f"Dice {result['dice']:.3f}  mIoU {result['miou']:.3f}"
            print(f"{row.name}: {said}", file=sys.stderr)
        nets = {
            r["name"]: load_net(self.folder / r["name"] / "last.safetensors") for r in results if "not_run" not in r
        }
        seconds = time_nets(nets, self.scale.size)
        write_json(self.folder / "seconds.json", {"machine": machine(), "median_s": seconds})
        return [{**r, "image_s": seconds.get(r["name"])} for r in results]


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge reproduce pspnet-table1",
        description="Train and measure the 18 rows of the PSPNet-MK paper's table 1 and write them beside its figures. "
        "Finished rows are kept; call again to go on.",
        epilog="example: echoedge reproduce pspnet-table1 --scale cpu --data camus:/data/camus --valid split_valid.txt "
        "--weights pspnet-m=mobilenet_v2.npz --weights pspnet-mk=mobilenet_v2.npz",
        parents=[table_options("pspnet-table1", SCALES, "under an hour")],
    )
    p.add_argument("--data", action="append", required=True, help="KIND:FOLDER, may be repeated")
    p.add_argument(
        "--valid", help="file of patient names kept for validation, or KIND:FOLDER (default: a tenth, seeded)"
    )
    p.add_argument("--classes", type=int, choices=(2, 4), default=2, help="2 as in the paper (default), or 4")
    p.add_argument("--pretrain-data", help="KIND:FOLDER for the _T rows (default: synthetic echo)")
    p.add_argument("--weights", action="append", default=[], metavar="NET=FILE", help="ImageNet weights for a _Q row")
    p.add_argument(
        "--leave-out", action="append", default=[], metavar="ROW", help="do not run this row, such as PSPNet_R_T"
    )
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    unknown = [entry for entry in args.weights if entry.partition("=")[0] not in SEGMENTATION_NETS or "=" not in entry]
    if unknown:
        raise DataError(f"--weights {unknown[0]} is not NET=FILE with NET one of {', '.join(SEGMENTATION_NETS)}")
    scale = SCALES[args.scale]
    if args.pretrain_data:
        scale = replace(scale, pretrain_data=args.pretrain_data)
    rows = [row for row in (*ROWS, *FIGURE_ROWS) if row.name not in args.leave_out]
    strange = set(args.leave_out) - {row.name for row in (*ROWS, *FIGURE_ROWS)}
    if strange:
        known = ", ".join(row.name for row in (*ROWS, *FIGURE_ROWS))
        raise DataError(f"--leave-out {min(strange)} is not a row; the rows are {known}")
    table = Table(args, scale)
    results = args.results or table.folder / RESULTS
    write_report(results, args.scale, table.settings, table.run(rows))
    print(results)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
