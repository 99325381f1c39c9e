"""How good a probability map of the LV is: accuracy, honesty and use of its uncertainty. `echoedge evaluate refine`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.markup import escape
from rich.progress import track

from edge.errors import DataError
from edge.postprocess import clean_mask, map_on_frame
from edge.preprocess import Frame, PreprocessSpec, preprocess
from edge.refine.refiner import breadth, entropy_bits, open_refiner
from edge.screen.sector import find_sector
from edge.tables import print_table
from edge.terminal import terminal
from train.data import open_data
from train.data.camus import read_split
from train.data.sample import LV, Sample
from train.diffusion.sample import draw_noise, repeat, sample
from train.diffusion.schedule import student_grid, trailing_grid
from train.diffusion.staple import FEWEST_RATERS, staple_of
from train.diffusion.uncertainty import boundary_band, brier, energy_distance, error_auroc, expected_calibration_error
from train.echo_dnd import load_echo_dnd
from train.evaluate.metrics import (
    bootstrap_interval,
    dice,
    distances_summary,
    iou,
    mean_known,
    spearman,
    surface_distances,
)
from train.nets.echo_dnd import EchoDND
from train.options import artefact_options, evaluation_options
from train.segmentation import normalised

Estimator = Callable[[Frame], NDArray[np.float32]]
"""Network input 1 x 1 x size x size uint8 -> probabilities raters x size x size float32."""
COLUMNS = {
    "dice": "Dice",
    "iou": "IoU",
    "hd95": "HD95 mm",
    "mad": "ASD mm",
    "ece": "ECE",
    "ece_band": "ECE band",
    "brier": "Brier",
    "auroc": "AUROC",
    "auroc_band": "AUROC band",
    "ged": "GED",
    "worst_decile_dice": "Dice, most unsure tenth",
    "unsure_vs_dice": "rank correlation",
    "seconds": "s an image",
}
"""Column of the result -> its heading."""


def torch_estimator(net: EchoDND, steps: int, samples: int, fusion: str = "mean", seed: int = 0) -> Estimator:
    """The network as trained, `steps` DDIM steps and `samples` draws: the student on its own grid, a teacher on a
    trailing one.

    fusion: "mean" gives one map a draw, the branches' mean; "staple" gives STAPLE over every branch of every draw and
    the SCC head; "scc" that head alone, without a step.
    """
    grid = student_grid(steps) if net.config.prediction == "x0" else trailing_grid(steps)
    generator = torch.Generator().manual_seed(seed)

    def estimate(image: Frame) -> NDArray[np.float32]:
        with torch.inference_mode():
            encoded = net.encode(normalised(image[0, 0])[None])
            calibrated = encoded.calibrated[:, 0].clamp(0, 1)
            if fusion == "scc":
                return calibrated.numpy()
            found = sample(net, repeat(encoded, samples), grid, draw_noise(net.config, samples, steps, generator))
            if fusion == "staple":
                raters = torch.cat([*(p[:, 0] for p in found if p is not None), calibrated]).numpy()
                return staple_of(list(raters))[None]
            return found.mean()[:, 0].numpy()

    return estimate


def measure_frame(found: NDArray[np.float32], reference: Sample, size: int) -> dict[str, float]:
    """Metrics of one frame at its own resolution. found: raters x size x size, their mean is the answer.

    The uncertainty is the mean's entropy; pixels are wrong where the cleaned mask differs from the expert's. AUROC and
    ECE of the band are of pixels near the expert's border. NaN where a metric has nothing to measure.
    """
    box = find_sector([reference.image]).box
    shape = reference.image.shape
    mean = found.mean(0)
    probability = map_on_frame(mean, box, shape)
    true = reference.mask == LV
    predicted = clean_mask((probability > 0.5).astype(np.uint8)) == LV
    uncertainty = map_on_frame(entropy_bits(mean), box, shape)
    band, wrong = boundary_band(true), predicted != true
    distances = distances_summary(surface_distances(predicted, true, reference.spacing_mm[0]))
    among = np.stack([map_on_frame(f, box, shape) > 0.5 for f in found])
    return {
        "dice": dice(predicted, true),
        "iou": iou(predicted, true),
        "hd95": distances["hd95"],
        "mad": distances["mad"],
        "ece": expected_calibration_error(probability, true),
        "ece_band": expected_calibration_error(probability[band], true[band]),
        "brier": brier(probability, true),
        "auroc": error_auroc(uncertainty, wrong),
        "auroc_band": error_auroc(uncertainty[band], wrong[band]),
        "ged": energy_distance(among, true),
        "uncertainty": breadth(probability, uncertainty),
    }


def measure(estimator: Estimator, samples: Sequence[Sample], size: int, title: str = "evaluating") -> dict[str, Any]:
    """Means over frames, with bootstrap 95 % intervals of Dice over patients, and Dice at ED and ES.

    "worst_decile_dice" is of the tenth of frames with the most uncertainty, "unsure_vs_dice" the rank correlation of
    the two.
    """
    spec, rows, seconds = PreprocessSpec(size_px=size), [], []
    for reference in track(samples, escape(title), console=terminal(stderr=True), transient=True):
        image = preprocess(reference.image, find_sector([reference.image]).box, spec)
        started = time.perf_counter()
        found = estimator(image)
        seconds.append(time.perf_counter() - started)
        rows.append(measure_frame(found, reference, size))
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    uncertainty, dices = columns.pop("uncertainty"), columns["dice"]
    worst = np.argsort(uncertainty)[-max(1, len(rows) // 10) :]
    phases = np.array([s.phase for s in samples])
    patients = np.array([s.patient for s in samples])
    return {
        "n": len(rows),
        **{key: mean_known(values) for key, values in columns.items()},
        "dice_ci95": list(bootstrap_interval(dices, patients)),
        **{f"dice_{p.lower()}": mean_known(dices[phases == p]) for p in ("ED", "ES") if (phases == p).any()},
        "worst_decile_dice": float(dices[worst].mean()),
        "unsure_vs_dice": spearman(uncertainty, dices) if min(np.ptp(uncertainty), np.ptp(dices)) > 0 else float("nan"),
        "seconds": float(np.median(seconds)),
    }


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge evaluate refine",
        description="Dice, HD95, calibration error and what the uncertainty is worth, for one or several numbers of "
        "steps: of a checkpoint, or of a model folder as the runtime runs it.",
        epilog="example: echoedge evaluate refine runs/teacher/best.safetensors --data camus:/data/camus --split "
        "split_valid.txt --steps 1 2 4 10 25",
        parents=[evaluation_options(), artefact_options()],
    )
    p.add_argument("model", type=Path, help="checkpoint (.safetensors) or model folder")
    p.add_argument("--data", required=True, help="KIND:FOLDER")
    p.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4], help="of a checkpoint; a folder's are fixed")
    p.add_argument("--samples", type=int, default=1, help="draws a frame (default 1)")
    p.add_argument("--fusion", choices=("mean", "staple", "scc"), default="mean", help="of a checkpoint's answers")
    p.add_argument("--frames", type=int, help="only so many frames, the first of the data")
    p.add_argument("--seed", type=int, default=0)
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    samples = list(open_data(args.data, read_split(args.split) if args.split else None))[: args.frames]
    if not samples:
        raise DataError(f"{args.data} has no frames of the patients asked for")
    results: dict[str, dict[str, Any]] = {}
    if not args.model.is_file():
        with open_refiner(args.model, args.precision, args.backend) as refiner:
            results["folder"] = measure(
                lambda image: refiner.infer(image, args.samples, args.seed), samples, refiner.size_px
            )
    else:
        if args.fusion == "staple" and 2 * args.samples + 1 < FEWEST_RATERS:
            raise DataError("STAPLE needs --samples of at least 1")
        net = load_echo_dnd(args.model)
        for steps in [0] if args.fusion == "scc" else args.steps:
            estimator = torch_estimator(net, max(1, steps), args.samples, args.fusion, args.seed)
            results[f"{steps} steps"] = measure(estimator, samples, net.config.size, f"{steps} steps")
    if args.json:
        print(json.dumps(results, indent=2))
    else:
        print_results(results)
    return 0


def print_results(results: dict[str, dict[str, Any]]) -> None:
    """One column an estimator."""
    # a line a figure: fourteen columns fit on no terminal
    rows = [[title, *(f"{row[key]:.4f}" for row in results.values())] for key, title in COLUMNS.items()]
    print_table(["", *results], rows, f"{next(iter(results.values()))['n']} frames")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
