"""`echoedge evaluate quality`: a quality model against labels, against several observers, and against errors of
measurements.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.nets.model import QualityScorer, Segmenter, open_scorer, open_segmenter
from edge.tables import print_table
from edge.terminal import terminal
from train.data import open_data
from train.data.camus import read_split
from train.data.regional_quality import QualitySample, read_quality
from train.evaluate.observers import common_frames, error_steps, observer_p, variability
from train.evaluate.relation import judge, relation
from train.figures import error_steps_bars, quality_boxes
from train.options import evaluation_options
from train.quality.coherence import load_coherence
from train.quality.crops import EXPERTS, Crop, Scored, crop_of_expert, open_crops, with_masks
from train.quality.methods import (
    END_TO_END,
    LabelledFrames,
    agreement,
    interval,
    label_maps,
    make_test_set,
    mapped,
    mean_shift,
    measure,
    regraded,
)

GAMMAS = (0.9, 1.1)
"""Brightness and darkening of the paper's figure 3."""


def scores_of(scorer: QualityScorer, frames: Sequence[Scored]) -> NDArray[np.float32]:
    """N x 8 scores of sector crops, by a loaded model folder."""
    name, output = scorer.manifest.inputs[0].name, scorer.manifest.outputs[0].name
    return np.array(
        [np.array(scorer.backend.infer({name: f.image[None, None]})[output][0]) for f in frames], np.float32
    )


def against_labels(scorer: QualityScorer, crops: Sequence[Crop], seed: int) -> dict[str, Any]:
    """View (and "all") -> agreement of the scores with the labels, and how far gamma moves the scores."""
    test = make_test_set(crops, seed)
    found, labels = np.clip(scores_of(scorer, test.frames), 1, 5).astype(np.float64), test.labels
    views = np.array([c.view for c in test.crops])
    result = {}
    for view in ("all", *np.unique(views)):
        keep = np.full(len(views), True) if view == "all" else views == view
        low, high = interval(found[keep], labels[keep], test.patients[keep])
        result[str(view)] = {"frames": int(keep.sum()), **agreement(found[keep], labels[keep]), "ci95": [low, high]}
    for gamma in GAMMAS:
        moved = np.clip(scores_of(scorer, regraded(test, gamma).frames), 1, 5)
        result["all"][f"shift at gamma {gamma}"] = mean_shift(np.where(np.isnan(labels), np.nan, moved), found)
    return result


def against_observers(
    scorer: QualityScorer, segmenter: Segmenter, folders: Sequence[Path], fit: str | None, coherence: Path | None
) -> dict[str, Any]:
    """The inter-observer protocol: "table" by method, "steps" by method, "p" by method.

    The classical metrics and coherence need `fit`, experts:FOLDER of the training and validation annotations, for their
    lines.
    """
    annotators: list[list[QualitySample]] = [list(read_quality(folder)) for folder in folders]
    shared, scores = common_frames(annotators)
    net = load_coherence(coherence) if coherence else None

    def measured(crops: Sequence[Crop]) -> tuple[LabelledFrames, dict[str, NDArray[np.float64]]]:
        test = make_test_set(with_masks(crops, segmenter), seed=0)
        return test, measure(test, net, lambda frames: scores_of(scorer, frames))

    _, found = measured([crop_of_expert(s) for s in shared])
    if fit:
        training, values = measured(list(open_crops(fit)))
        methods = mapped(found, label_maps(values, training.labels))
    else:
        methods = {END_TO_END: found[END_TO_END]}
    return {
        "frames": len(shared),
        "annotators": len(folders),
        "table": variability(scores, methods),
        "steps": error_steps(scores, methods),
        "p": {name: observer_p(scores, values) for name, values in methods.items()},
    }


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge evaluate quality",
        description="A regional quality model against labels (--data), against two or more annotators of the same "
        "frames (--annotator), or against the errors of segmentation and EF (--relation).",
        epilog="example: echoedge evaluate quality --model models/quality --relation camus:/data/camus --split "
        "split_valid.txt",
        parents=[evaluation_options()],
    )
    p.add_argument("--model", type=Path, required=True, help="folder of the quality model")
    p.add_argument("--segmentation", type=Path, help="folder of a segmentation model (with --annotator and --relation)")
    task = p.add_mutually_exclusive_group(required=True)
    task.add_argument("--data", help="KIND:FOLDER: synth (exact), experts, or camus and folder (injected degradation)")
    task.add_argument("--annotator", type=Path, action="append", help="folder of one observer's scores, repeated")
    task.add_argument("--relation", metavar="KIND:FOLDER", help="frames with experts' masks, such as camus:FOLDER")
    p.add_argument("--fit", help="experts:FOLDER to fit the metrics' lines on, with --annotator")
    p.add_argument("--coherence", type=Path, help="checkpoint of `echoedge train coherence`, with --annotator")
    p.add_argument("--seed", type=int, default=0, help="of the injected degradation")
    p.add_argument(
        "--figure", type=Path, help="PNG of the relation (figure 7) or of the observers' differences (figure 6)"
    )
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    patients = read_split(args.split) if args.split else None
    if not args.data and not args.segmentation:
        raise DataError("regions and masks come from a segmentation model; add --segmentation models/pspnet-mk")
    if args.fit and not args.fit.startswith(f"{EXPERTS}:"):
        raise DataError(f"--fit {args.fit} has no expert's scores; write experts:FOLDER")
    with open_scorer(args.model) as scorer:
        if args.data:
            result = against_labels(scorer, list(open_crops(args.data, patients)), args.seed)
        else:
            with open_segmenter(args.segmentation) as segmenter:
                if args.annotator:
                    result = against_observers(scorer, segmenter, args.annotator, args.fit, args.coherence)
                else:
                    result = relation(judge(list(open_data(args.relation, patients)), segmenter, scorer))
    if args.figure and args.annotator:
        error_steps_bars(args.figure, result["steps"], "Score differences, methods against observers")
    elif args.figure and args.relation:
        quality_boxes(args.figure, result, "EF difference by predicted quality")
    print(json.dumps(result, indent=2)) if args.json else print_result(result)
    return 0


def print_result(result: dict[str, Any]) -> None:
    """Whatever was measured as tables."""
    console = terminal()
    if "table" in result:
        rows = []
        for name, row in result["table"].items():
            p = f"{result['p'][name]:.3g}" if name in result["p"] else ""
            rows.append([name, str(row["n"]), *(f"{row[k]:.3f}" for k in ("spearman", "mae", "accuracy")), p])
        headings = ["", "n", "Spearman", "MAE", "accuracy", "p against observers"]
        print_table(headings, rows, f"{result['frames']} shared frames")
        return
    for name, part in result.items():
        if "dice" not in part:
            low, high = part["ci95"]
            shifts = "".join(f", {k} {v:.3f}" for k, v in part.items() if k.startswith("shift"))
            console.print(
                f"{name}: {part['frames']} frames, Spearman {part['spearman']:.3f} (95 % {low:.3f}-{high:.3f}), "
                f"MAE {part['mae']:.3f}, accuracy {part['accuracy']:.3f}{shifts}"
            )
            continue
        for key, fit in part["dice"].items():
            console.print(
                f"{name}: quality and {key}, {part['n']} frames: Spearman {fit['spearman']:.3f}, p {fit['p']:.3g}"
            )
        if "ef" in part:
            groups = [
                [
                    f"{group} ({row['from']:.2f}-{row['to']:.2f})",
                    str(row["n"]),
                    f"{row['bias']:+.1f}",
                    f"{row['low']:.1f} to {row['high']:.1f}",
                    f"{row['mae']:.1f}",
                ]
                for group, row in part["ef"]["groups"].items()
            ]
            title = f"{name}: EF against the experts' masks, percent"
            print_table(["quality", "n", "bias", "limits of agreement", "MAE"], groups, title)
            console.print(
                f"quality and absolute EF error: Spearman {part['ef']['spearman']:.3f}, p {part['ef']['p']:.3g}"
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
