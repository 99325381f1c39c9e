"""Grey-level statistics of synthetic frames beside real ones, by structure.

    python benchmarks/synth_realism.py --data camus:/data/camus --patients split_train.txt

Compares four-chamber frames at ED and ES: mean and spread of the cavity, the wall, the left atrium and the background,
the percentiles of the sector, wall contrast (gCNR), sizes, and the width of the speckle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.synth import SyntheticLoop
from train.data import open_data
from train.quality.classical import gcnr

Case = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_], float]
NAMES = {1: "LV cavity", 2: "myocardium", 3: "left atrium", 0: "background"}


def statistics(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], sector: NDArray[np.bool_], mm: float
) -> dict[str, float]:
    """One frame's figures; NaN for a structure of fewer than 50 pixels."""
    found: dict[str, float] = {}
    for label, name in NAMES.items():
        grey = image[(mask == label) & sector]
        enough = grey.size >= 50
        found[f"{name} grey"] = float(grey.mean()) if enough else np.nan
        found[f"{name} sd"] = float(grey.std()) if enough else np.nan
    for percent in (50, 95, 99):
        found[f"sector p{percent}"] = float(np.percentile(image[sector], percent))
    found["gCNR LV-myocardium"] = gcnr(image[mask == 2], image[mask == 1])
    columns = np.flatnonzero((mask == 1).any(0))
    middle = columns.mean() if columns.size else 0
    for name, side in (("left", np.arange(mask.shape[1]) < middle), ("right", np.arange(mask.shape[1]) >= middle)):
        found[f"{name} wall grey"] = float(image[(mask == 2) & side[None]].mean())
    found["LV area cm2"] = float((mask == 1).sum()) * mm**2 / 100
    found["LV height mm"] = float((mask == 1).any(1).sum()) * mm
    found["LA area cm2"] = float((mask == 3).sum()) * mm**2 / 100
    found["myocardium area cm2"] = float((mask == 2).sum()) * mm**2 / 100
    inside = cv2.erode((mask == 1).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    for name, axis in (("axial", 0), ("lateral", 1)):
        found[f"speckle {name} mm"] = _speckle_width(image, inside, axis) * mm
    return found


def _speckle_width(image: NDArray[np.uint8], inside: NDArray[np.bool_], axis: int) -> float:
    """Full width at half maximum, in pixels, of the autocorrelation inside a region after removing its local mean."""
    echo = image.astype(np.float32)
    rest = echo - cv2.GaussianBlur(echo, (0, 0), 8)
    power = (rest[inside] ** 2).mean() if inside.any() else np.nan
    previous = 1.0
    for lag in range(1, 20):
        both = inside & np.roll(inside, lag, axis)
        value = float((rest * np.roll(rest, lag, axis))[both].mean() / power) if both.any() else np.nan
        if not value >= 0.5:
            return 2 * (lag - 1 + (previous - 0.5) / (previous - value))
        previous = value
    return float("nan")


def real_cases(place: str, patients: Iterable[str] | None) -> Iterator[Case]:
    """Four-chamber frames of a data set; the sector is the hull of what is not black."""
    for sample in open_data(place, patients):
        if sample.view == "A4C":
            points = cv2.findNonZero((cv2.medianBlur(sample.image, 5) > 2).astype(np.uint8))
            sector = np.zeros(sample.image.shape, np.uint8)
            cv2.fillConvexPoly(sector, cv2.convexHull(points), 1)
            yield sample.image, sample.mask, sector > 0, sample.spacing_mm[0]


def synthetic_cases(count: int, seed: int, size_px: int) -> Iterator[Case]:
    """ED and ES of `count` four-chamber loops."""
    for k in range(count):
        loop = SyntheticLoop(seed + k, "A4C", size_px)
        for number in (loop.ed_frame, loop.es_frame):
            frame = loop.frame(number)
            yield frame.image, frame.mask, loop.sector, loop.spacing_mm[0]


def summary(cases: Iterable[Case]) -> tuple[dict[str, NDArray[np.float64]], int]:
    """(mean, p10 and p90 of every figure over the frames, number of frames)."""
    rows = [statistics(*case) for case in cases]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {
        name: np.array([np.nanmean(values), *np.nanpercentile(values, (10, 90))]) for name, values in columns.items()
    }, len(rows)


def main(argv: list[str]) -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="KIND:FOLDER of real annotated frames")
    p.add_argument("--patients", type=Path, help="file of patient names, one a line")
    p.add_argument("--every", type=int, default=4, help="take every n-th patient of the file")
    p.add_argument("--loops", type=int, default=60)
    p.add_argument("--seed", type=int, default=5000)
    p.add_argument("--size", type=int, default=512)
    args = p.parse_args(argv)
    cv2.setNumThreads(1)
    patients = args.patients.read_text().split()[:: args.every] if args.patients else None
    real, real_count = summary(real_cases(args.data, patients))
    made, made_count = summary(synthetic_cases(args.loops, args.seed, args.size))
    print(f"| mean [p10, p90] | real, {real_count} frames | synthetic, {made_count} frames |\n| --- | --- | --- |")
    for name in real:
        cells = [
            f"{mean:.2f} [{low:.2f}, {high:.2f}]" if mean < 10 else f"{mean:.0f} [{low:.0f}, {high:.0f}]"
            for mean, low, high in (real[name], made[name])
        ]
        print(f"| {name} | {cells[0]} | {cells[1]} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
