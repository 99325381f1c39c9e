"""How close the shipped INT8 files are to their FP32 twins on annotated frames.

Usage: python benchmarks/int8_agreement.py --data camus:FOLDER --split split_valid.txt
Prints the rank correlation (Spearman) of all regional scores and the mean Dice of the LV masks of the two.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from edge.nets.model import open_scorer, open_segmenter
from edge.postprocess import LV
from edge.screen.sector import find_sector
from train.data import open_data
from train.data.camus import read_split
from train.evaluate.metrics import dice, spearman


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="KIND:FOLDER")
    parser.add_argument("--split", type=Path, required=True, help="file of patient names, one a line")
    args = parser.parse_args()
    frames = [s.image for s in open_data(args.data, read_split(args.split))]
    sectors = [find_sector([frame]) for frame in frames]
    results = {}
    for precision in ("fp32", "int8"):
        with (
            open_segmenter("pspnet-mk", precision) as segment,
            open_scorer("quality", precision) as score,
        ):
            masks = [segment(f, s) == LV for f, s in zip(frames, sectors)]
            scores = np.array([score(f, s) for f, s in zip(frames, sectors)])
        results[precision] = (masks, scores)
    masks, scores = zip(results["fp32"], results["int8"])
    print(f"{len(frames)} frames")
    print(f"quality: Spearman {spearman(scores[0].ravel(), scores[1].ravel()):.4f}")
    print(f"pspnet-mk: mean LV Dice of INT8 and FP32 masks {np.mean([dice(a, b) for a, b in zip(*masks)]):.4f}")


if __name__ == "__main__":
    main()
