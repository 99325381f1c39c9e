"""CPU time of cleaning a mask, dividing its wall and measuring it, one thread: `python benchmarks/regions_speed.py`.

Masks are those of synthetic beats, whole and as a network might leave them (`--noise` share of the pixels' labels
moved).
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.heart.analysis import REGION_PX
from edge.heart.measure import measure_ventricle
from edge.heart.regions import Regions, find_regions
from edge.postprocess import clean_mask
from edge.synth import VIEWS, SyntheticLoop


def ragged(mask: NDArray[np.uint8], share: float, seed: int) -> NDArray[np.uint8]:
    """A mask whose borders are torn: this share of its pixels takes a neighbour's label."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(mask.shape)
    moved = rng.random(mask.shape) < share
    rows = np.clip(rows + moved * rng.integers(-6, 7, mask.shape), 0, mask.shape[0] - 1)
    columns = np.clip(columns + moved * rng.integers(-6, 7, mask.shape), 0, mask.shape[1] - 1)
    return mask[rows, columns]


def cpu_ms(repeats: int, call: Callable[..., object], *arguments: object) -> float:
    """CPU time of one call in ms, the best of `repeats`: what others do on the machine only makes it longer."""
    best = np.inf
    for _ in range(repeats):
        started = time.thread_time_ns()
        call(*arguments)
        best = min(best, time.thread_time_ns() - started)
    return best / 1e6


def main(argv: list[str]) -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--frames", type=int, default=20, help="frames a view")
    p.add_argument("--repeats", type=int, default=7, help="runs a frame, of which the best counts")
    p.add_argument("--noise", type=float, default=0.05)
    args = p.parse_args(argv)
    cv2.setNumThreads(1)
    load = os.getloadavg()[0]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load:.1f} when started")
    print(
        f"| view | clean, median ms | regions at {REGION_PX} px, median ms | longest | measure, median ms | regions "
        "found |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for view in VIEWS[:4]:
        loop = SyntheticLoop(1, view, REGION_PX)
        clean, regions, measure, found = [], [], [], 0
        for number in range(args.frames):
            raw = ragged(loop.whole_mask(number), args.noise * (number % 2), number)
            mask = clean_mask(raw)
            divided = find_regions(mask, loop.spacing_mm, loop.sector)
            whole = divided if isinstance(divided, Regions) else None
            found += whole is not None
            clean.append(cpu_ms(args.repeats, clean_mask, raw))
            regions.append(cpu_ms(args.repeats, find_regions, mask, loop.spacing_mm, loop.sector))
            measure.append(cpu_ms(args.repeats, measure_ventricle, mask, whole, loop.spacing_mm))
        row = (np.median(clean), np.median(regions), max(regions), np.median(measure))
        print(f"| {view} | " + " | ".join(f"{value:.2f}" for value in row) + f" | {found}/{args.frames} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
