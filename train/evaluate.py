"""`echoedge evaluate`: accuracy of a model folder, run as the runtime runs it, on annotated data."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge.backends import BACKENDS
from edge.errors import DataError, ModelError
from edge.model import PREFERRED, Segmenter, open_model
from train.data import open_data
from train.data.camus import read_ef, read_split
from train.data.sample import Sample
from train.ef import agreement, ejection_fractions, matched
from train.figures import bland_altman
from train.metrics import bootstrap_interval, dice, distances_summary, iou, mean_known, surface_distances

CLASSES = {"lv": 1, "myo": 2, "la": 3}
METRICS = {"dice": "", "iou": "", "hd": "mm", "hd95": "mm", "mad": "mm"}


def evaluate_frame(
    predicted: NDArray[np.uint8], sample: Sample, classes: Mapping[str, int] = CLASSES
) -> dict[str, dict[str, float]]:
    """metric -> class -> value of one frame at its own resolution; distances in mm, NaN where a class is absent."""
    row: dict[str, dict[str, float]] = {metric: {} for metric in METRICS}
    for name, label in classes.items():
        found, true = predicted == label, sample.mask == label
        distances = surface_distances(found, true, sample.spacing_mm[0])
        values = {"dice": dice(found, true), "iou": iou(found, true), **distances_summary(distances)}
        for metric, value in values.items():
            row[metric][name] = value
    return row


def summarise(rows: Sequence[dict[str, dict[str, float]]], samples: Sequence[Sample]) -> dict[str, Any]:
    """Means with bootstrap 95 % intervals over patients, for all frames and per view and phase."""
    patients = np.array([s.patient for s in samples])
    classes = tuple(rows[0]["dice"])

    def table(keep: np.ndarray) -> dict[str, Any]:
        out: dict[str, Any] = {"n": int(keep.sum())}
        intervals: dict[str, dict[str, list[float]]] = {}
        for metric in METRICS:
            values = {c: np.array([row[metric][c] for row in rows])[keep] for c in classes}
            out[metric] = {c: round(mean_known(v), 4) for c, v in values.items()}
            intervals[metric] = {
                c: [round(x, 4) for x in bootstrap_interval(v, patients[keep])] for c, v in values.items()
            }
        out["miou"] = round(float(np.mean(list(out["iou"].values()))), 4)
        out["ci95"] = intervals
        return out

    result = table(np.ones(len(rows), bool))
    groups = sorted({(s.view, s.phase) for s in samples})
    result["groups"] = {
        f"{view} {phase}": table(np.array([(s.view, s.phase) == (view, phase) for s in samples]))
        for view, phase in groups
    }
    return result


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge evaluate",
        description="Dice, HD, HD95, MAD and mIoU of a segmentation model with bootstrap 95 %% intervals.",
        epilog="example: echoedge evaluate --model models/pspnet-mk --data camus:/data/camus --split split_valid.txt --json",
    )
    p.add_argument("--model", type=Path, required=True, help="model folder")
    p.add_argument("--data", required=True, help="KIND:FOLDER, such as camus:/data/camus or folder:/data/frames")
    p.add_argument("--split", type=Path, help="file of patient names, one a line (default: all in the folder)")
    p.add_argument("--precision", choices=("auto", *PREFERRED), default="auto")
    p.add_argument("--backend", choices=("auto", *BACKENDS), default="auto")
    p.add_argument("--ef", action="store_true", help="also compare single-plane EF with CAMUS's reference EF")
    p.add_argument("--figure", type=Path, help="with --ef: Bland-Altman plot, a PNG")
    p.add_argument("--allow-failed-gate", action="store_true", help="load a file that lost accuracy or gained no speed")
    p.add_argument("--json", action="store_true", help="print the result as JSON")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    if args.figure and not args.ef:
        raise DataError("--figure draws the comparison of EF; add --ef")
    patients = read_split(args.split) if args.split else None
    with open_model(args.model, args.precision, args.backend, allow_failed_gate=args.allow_failed_gate) as segmenter:
        if not isinstance(segmenter, Segmenter):
            raise ModelError(f"{args.model} is a {segmenter.manifest.task} model; evaluate needs segmentation")
        samples = list(open_data(args.data, patients))
        if not samples:
            raise DataError(f"{args.data} has no frames of the patients asked for")
        classes = {name: label for name, label in CLASSES.items() if label < len(segmenter.manifest.classes)}
        masks = [
            segmenter(sample.image)
            for sample in track(samples, "evaluating", console=Console(stderr=True), transient=True)
        ]
        rows = [evaluate_frame(mask, sample, classes) for mask, sample in zip(masks, samples)]
        result = {
            "model": segmenter.manifest.name,
            "precision": segmenter.manifest.precision,
            "backend": f"{segmenter.backend.name} {segmenter.backend.version}",
            "sha256": segmenter.manifest.sha256,
            **summarise(rows, samples),
        }
    if args.ef:
        pairs = compare_ef(samples, masks, args.data)
        result["ef"] = {name: asdict(agreement(*pair)) for name, pair in pairs.items()}
        if args.figure:
            bland_altman(
                args.figure, pairs, f"{result['model']} {result['precision']}: single-plane EF against the reference"
            )
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        print_table(result)
    return 0


def compare_ef(
    samples: Sequence[Sample], masks: Sequence[NDArray[np.uint8]], place: str
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """(found, reference) EF in percent, by view, of the model and of the experts' own masks.

    The reference is the patient's EF, from both views; how far the experts' single-plane EF is from it bounds what a model
    can reach. DataError for data other than CAMUS.
    """
    kind, _, folder = place.partition(":")
    if kind != "camus":
        raise DataError(f"{kind} has no reference EF here; --ef needs camus:FOLDER")
    reference = read_ef(Path(folder))
    by_source = {
        "model": ejection_fractions(zip(samples, masks)),
        "experts": ejection_fractions((s, s.mask) for s in samples),
    }
    views = sorted({s.view for s in samples})
    return {f"{name} {view}": matched(found, reference, view) for view in views for name, found in by_source.items()}


def print_table(result: dict[str, Any]) -> None:
    """The result as a table: a row a group and class."""
    table = Table(title=f"{result['model']} {result['precision']} ({result['backend']}), {result['n']} frames")
    for heading in ("group", "n", "class", "Dice (95 %)", "HD mm", "HD95 mm", "MAD mm", "IoU"):
        table.add_column(heading)
    for group, part in (("all", result), *result["groups"].items()):
        for name in part["dice"]:
            low, high = part["ci95"]["dice"][name]
            table.add_row(
                group, str(part["n"]), name, f"{part['dice'][name]:.4f} ({low:.4f}-{high:.4f})",
                f"{part['hd'][name]:.2f}", f"{part['hd95'][name]:.2f}", f"{part['mad'][name]:.2f}", f"{part['iou'][name]:.4f}",
            )  # fmt: skip
    Console().print(table)
    if "ef" not in result:
        return
    table = Table(title="single-plane EF against the patient's reference EF, in percent")
    for heading in ("masks", "n", "r", "MAE", "bias", "limits of agreement"):
        table.add_column(heading)
    for name, fit in result["ef"].items():
        limits = f"{fit['low']:.1f} to {fit['high']:.1f}"
        table.add_row(name, str(fit["n"]), f"{fit['r']:.3f}", f"{fit['mae']:.2f}", f"{fit['bias']:+.2f}", limits)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
