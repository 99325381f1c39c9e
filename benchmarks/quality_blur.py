"""What blur does to the quality score of frames that were not trained on: `python benchmarks/quality_blur.py`.

For each Gaussian (sigma in mm): the mean score of all regions, the share of frames whose score is lower than under the
next smaller one, and the LV Dice of the default segmenter's contour.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from edge.nets.model import QualityScorer, Segmenter, open_scorer, open_segmenter
from edge.screen.sector import find_sector
from train.data import open_data
from train.data.sample import LV, Sample

SIGMAS_MM = (0.0, 0.3, 0.6, 1.2, 2.4, 4.8)


def judged(sample: Sample, segmenter: Segmenter, scorer: QualityScorer) -> list[tuple[float, float]]:
    """(mean score, LV Dice) under each blur."""
    sector, truth, out = find_sector([sample.image]), sample.mask == LV, []
    for sigma_mm in SIGMAS_MM:
        image = sample.image
        if sigma_mm:
            row_px, column_px = (sigma_mm / mm for mm in sample.spacing_mm)
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), column_px, sigmaY=row_px), np.uint8)
        found = segmenter(image, sector) == LV
        dice = 2 * (found & truth).sum() / max(1, found.sum() + truth.sum())
        out.append((float(np.mean(scorer(image, sector))), float(dice)))
    return out


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="pspnet-mk")
    p.add_argument("--quality", default="quality", help="model folder or name")
    p.add_argument("--precision", default="int8")
    p.add_argument("--data", action="append", required=True, help="KIND:FOLDER of annotated frames")
    p.add_argument("--patients", type=Path, required=True, help="file of the held-out patients' names")
    args = p.parse_args()
    patients = set(args.patients.read_text().split())
    with open_segmenter(args.model, args.precision) as segmenter, open_scorer(args.quality, args.precision) as scorer:
        rows = [judged(s, segmenter, scorer) for place in args.data for s in open_data(place, patients)]
    scores, dices = np.moveaxis(np.array(rows), 2, 0)
    print(f"{len(rows)} frames\nsigma mm   score   lower than before   LV Dice")
    for k, sigma_mm in enumerate(SIGMAS_MM):
        lower = f"{100 * (scores[:, k] < scores[:, k - 1]).mean():.0f} %" if k else "-"
        print(f"{sigma_mm:>8.1f} {scores[:, k].mean():>7.2f} {lower:>19} {dices[:, k].mean():>9.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
