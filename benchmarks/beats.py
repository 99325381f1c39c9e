"""Beats on synthetic loops whose ED, ES, rate and EF are known: marks missed or false, their timing, rate and EF.

python benchmarks/beats.py                      # the loops' exact masks: the beat detector alone, two minutes
python benchmarks/beats.py --network            # the shipped network's masks of the pictures, an hour on two cores
python benchmarks/beats.py --network --severity 0.2

EF runs from 20 to 75 %, the rate from 45 to 150 a minute, frames from 25 to 60 a second, each loop begins somewhere in
its beat. A mark counts for a true one at most 15 % of a beat away; true marks within a quarter of a beat of a loop's
ends may be missed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from edge.heart.analysis import REGION_PX
from edge.heart.beats import BeatDetector, Event
from edge.heart.record import Heart, HeartRecord
from edge.heart.regions import NotMeasurable, find_regions
from edge.heart.shape import shape_of
from edge.nets.model import Segmenter, open_model
from edge.postprocess import LV, clean_mask
from edge.preprocess import Box, resample
from edge.screen.sector import find_sector
from edge.synth import SyntheticLoop
from edge.synth.settings import draw_heart
from edge.tables import print_table

SIZE_PX = 320
SECONDS, BEATS = 3.2, 3.4
NEAR, EDGE = 0.15, 0.25


@dataclass(frozen=True, kw_only=True)
class Found:
    """One loop's marks against the true ones, in frames, and what its record came to."""

    missed: int
    false: int
    true: int
    errors: dict[str, list[float]]
    rate_percent: float
    ef_points: float


def loops(count: int, seed: int, severity: float | None) -> Iterator[tuple[SyntheticLoop, int, int]]:
    """(loop, first frame, frames): each of the three ranges is covered evenly, in an order of its own."""
    rng = np.random.default_rng(seed)
    efs, rates, fps = (rng.permutation(np.linspace(*r, count)) for r in ((0.20, 0.75), (45, 150), (25, 60)))
    starts = rng.random(count)
    for k in range(count):
        view = ("A4C", "A2C")[k % 2]
        heart = replace(draw_heart(seed + k, view), ef=float(efs[k]), hr_bpm=float(rates[k]))
        loop = SyntheticLoop(seed + k, view, SIZE_PX, float(round(fps[k])), severity, heart)
        frames = int(max(SECONDS * loop.fps, BEATS * len(loop)))
        yield loop, int(starts[k] * len(loop)), frames


def measure(loop: SyntheticLoop, first: int, frames: int, segmenter: Segmenter | None) -> tuple[list[Event], Heart]:
    """Feed the frames as the loop does."""
    detector, record = BeatDetector(), HeartRecord()
    events: list[Event] = []
    sector = None
    if segmenter is not None:
        segmenter.reset()
        sector = find_sector([loop.frame(first).image])
    box = sector.box if sector else Box(0, 0, loop.size_px)
    mm = loop.spacing_mm[0] * box.side / REGION_PX
    for number in range(frames):
        whole = loop.whole_mask(first + number)
        if segmenter is not None:
            whole = np.asarray(segmenter(loop.frame(first + number).image, sector), np.uint8)
        mask = clean_mask(resample(whole, box, REGION_PX, cv2.INTER_NEAREST_EXACT))
        regions = find_regions(mask, (mm, mm))
        shape = None if isinstance(regions, NotMeasurable) else shape_of(mask, regions, (mm, mm))
        event = detector.update(number, number / loop.fps, float(np.count_nonzero(mask == LV)))
        news = [event] if event else []
        record.update(number / loop.fps, loop.view, shape, news)
        events += news
    last = detector.finish()
    return events + last, record.close(loop.view, last)


def judge(loop: SyntheticLoop, first: int, frames: int, events: list[Event], heart: Heart) -> Found:
    """Match marks with true ones."""
    beat = len(loop)
    missed = false = count = 0
    errors: dict[str, list[float]] = {}
    for kind, at in (("ED", loop.ed_frame), ("ES", loop.es_frame)):
        true = np.arange(at - first % beat - beat, frames + beat, beat)
        used: set[int] = set()
        errors[kind] = []
        for event in (e for e in events if e.kind == kind):
            nearest = int(true[np.abs(true - event.frame).argmin()])
            if abs(nearest - event.frame) > max(2, NEAR * beat) or nearest in used:
                false += 1
                continue
            used.add(nearest)
            errors[kind].append(event.frame - nearest)
        inner = [t for t in true.tolist() if EDGE * beat <= t < frames - EDGE * beat]
        count, missed = count + len(inner), missed + sum(t not in used for t in inner)
    return Found(
        missed=missed,
        false=false,
        true=count,
        errors=errors,
        rate_percent=100 * (heart.rhythm.rate_bpm / loop.hr_bpm - 1) if heart.rhythm else np.nan,
        ef_points=heart.ef_percent.median - 100 * loop.ef if heart.ef_percent else np.nan,
    )


def report(found: list[Found]) -> list[list[str]]:
    """Name and value of each figure."""
    every = {kind: np.abs([e for f in found for e in f.errors[kind]]) for kind in ("ED", "ES")}
    ef, rate = (np.array([getattr(f, name) for f in found]) for name in ("ef_points", "rate_percent"))
    true = sum(f.true for f in found)
    return [
        ["loops, marks", f"{len(found)}, {true}"],
        ["missed", f"{sum(f.missed for f in found)} ({100 * sum(f.missed for f in found) / true:.1f} %)"],
        ["false", f"{sum(f.false for f in found)} ({100 * sum(f.false for f in found) / true:.1f} %)"],
        *([f"{kind} timing, frames", f"{errors.mean():.2f}"] for kind, errors in every.items()),
        ["rate, mean and largest error", f"{np.nanmean(np.abs(rate)):.2f} %, {np.nanmax(np.abs(rate)):.1f} %"],
        ["EF, MAE and bias", f"{np.nanmean(np.abs(ef)):.1f}, {np.nanmean(ef):+.1f} points"],
        ["loops without EF", str(int(np.isnan(ef).sum()))],
    ]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--network", action="store_true", help="masks of the shipped network instead of the exact ones")
    p.add_argument("--model", type=Path, default=Path("models/pspnet-mk"))
    p.add_argument("--severity", type=float, help="of the pictures, 0 clear to 1 hardly readable (default: drawn)")
    p.add_argument("--loops", type=int, default=48)
    p.add_argument("--seed", type=int, default=2026)
    args = p.parse_args()
    segmenter = open_model(args.model, "int8") if args.network else None
    assert segmenter is None or isinstance(segmenter, Segmenter)
    found = []
    for loop, first, frames in loops(args.loops, args.seed, args.severity):
        found.append(judge(loop, first, frames, *measure(loop, first, frames, segmenter)))
    print_table(["", "value"], report(found), "beats on synthetic loops")


if __name__ == "__main__":
    main()
