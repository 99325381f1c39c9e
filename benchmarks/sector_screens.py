"""Sector, scale and kind of screen on synthetic screens, against their truth: `python benchmarks/sector_screens.py`.

Layouts, views, hearts, scanner settings, kinds of ticks and compression differ from screen to screen; every table says
how often what was found is right. The last line is what looking costs a frame.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.screen.kind import COLOUR, EchoWatch
from edge.screen.tracker import SectorTracker
from edge.synth import VIEWS, SyntheticLoop
from edge.synth.compression import h264, jpeg
from edge.synth.screen import LAYOUTS
from edge.synth.screen_kinds import KINDS, KindScreen

TICKS = {
    "1 cm, every fifth longer": {"tick_mm": 10.0, "long_every": 5},
    "0.5 cm, every second longer": {"tick_mm": 5.0, "long_every": 2},
    "1 cm, all alike": {"tick_mm": 10.0, "long_every": 0},
    "none": {"ticks": ""},
}
ARTEFACTS = ("none", "JPEG", "H.264")
TOLERANCE = 0.03
GOOD_IOU = 0.95


@dataclass(frozen=True)
class Shown:
    """Pictures of one screen and what is true of it."""

    layout: str
    kind: str
    ticks: str
    fps: float
    step: int
    pictures: list[NDArray[np.uint8]]
    sector: NDArray[np.bool_]
    mm_per_px: float


def show(seed: int, kind: str, frames: int) -> Shown:
    """The screen of a seed: everything but the kind is drawn from it."""
    rng = np.random.default_rng([seed, 99])
    name = list(LAYOUTS)[seed % len(LAYOUTS)]
    layout, ticks = LAYOUTS[name], "none"
    if layout.ticks:
        ticks = list(TICKS)[rng.choice(len(TICKS), p=(0.5, 0.2, 0.15, 0.15))]
        layout = replace(layout, **TICKS[ticks])
    loop = SyntheticLoop(seed, str(rng.choice(VIEWS[:4])), layout.echo[2])
    screen = KindScreen(layout, loop, kind)
    step = max(1, loop.frames_per_beat // frames)
    pictures = [screen.compose(loop.frame(number * step)) for number in range(frames)]
    artefact = str(rng.choice(ARTEFACTS))
    if artefact == "JPEG":
        quality = int(rng.integers(50, 96))
        pictures = [jpeg(picture, quality) for picture in pictures]
    elif artefact == "H.264":
        pictures = h264(pictures, loop.fps, int(rng.integers(18, 32)))
    return Shown(name, kind, ticks, loop.fps, step, pictures, screen.screen.sector, loop.spacing_mm[0])


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks."""
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))


def verdict(shown: Shown) -> tuple[str, SectorTracker]:
    """("" where the screen would be measured, else the reason before its colon; the tracker)."""
    tracker = SectorTracker()
    try:
        sector = tracker.find(shown.pictures)
    except SourceError as error:
        return str(error).split(":")[0], tracker
    watch = EchoWatch(sector, np.inf)
    seen = {watch.flow(image, k * shown.step / shown.fps) for k, image in enumerate(shown.pictures)}
    return (COLOUR.split(":")[0] if COLOUR in seen else ""), tracker


def main(argv: list[str]) -> int:
    p = argparse.ArgumentParser(description=__doc__, epilog="example: python benchmarks/sector_screens.py --screens 50")
    p.add_argument("--screens", type=int, default=200, help="B-mode screens")
    p.add_argument("--others", type=int, default=100, help="screens of other kinds")
    p.add_argument("--frames", type=int, default=8, help="frames a screen, over one beat")
    p.add_argument("--seed", type=int, default=20000)
    args = p.parse_args(argv)
    cv2.setNumThreads(1)
    overlaps, scales, refused = defaultdict(list), defaultdict(list), Counter()
    for seed in range(args.seed, args.seed + args.screens):
        shown = show(seed, KINDS[0], args.frames)
        problem, tracker = verdict(shown)
        refused[problem] += 1
        found = tracker.sector
        overlaps[shown.layout].append(iou(found.mask, shown.sector) if found is not None else 0.0)
        read = tracker.scale
        scales[shown.ticks].append(read.mm_per_px / shown.mm_per_px - 1 if read.sure and read.mm_per_px else None)
        if overlaps[shown.layout][-1] < GOOD_IOU:
            print(f"seed {seed}, {shown.layout}: IoU {overlaps[shown.layout][-1]:.3f}", file=sys.stderr)
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; seeds from {args.seed}, {args.frames} frames a "
        "screen\n"
    )
    print(f"| layout | screens | IoU least | median | at least {GOOD_IOU} |\n|---|---|---|---|---|")
    for name, values in sorted(overlaps.items()):
        good = sum(value >= GOOD_IOU for value in values)
        print(f"| {name} | {len(values)} | {min(values):.3f} | {np.median(values):.3f} | {good} |")
    print("\n| ticks | screens | mm a pixel read | largest error | wrong by more than 3 % |\n|---|---|---|---|---|")
    for name, errors in scales.items():
        known = [abs(error) for error in errors if error is not None]
        wrong = sum(error > TOLERANCE for error in known)
        worst = f"{100 * max(known):.2f} %" if known else "-"
        print(f"| {name} | {len(errors)} | {len(known)} | {worst} | {wrong} |")
    kinds: dict[str, Counter[str]] = {KINDS[0]: refused}
    for number in range(args.others):
        kind = KINDS[1 + number % (len(KINDS) - 1)]
        problem, _ = verdict(show(args.seed + args.screens + number, kind, args.frames))
        kinds.setdefault(kind, Counter())[problem] += 1
    print("\n| screen | taken for |\n|---|---|")
    for kind, counts in kinds.items():
        print(f"| {kind} | {', '.join(f'{name or MEASURED} {count}' for name, count in counts.most_common())} |")
    print_cost(args.seed)
    return 0


MEASURED = "B-mode (measured)"


def print_cost(seed: int, rounds: int = 200) -> None:
    """CPU ms of what every frame of a live 1280x720 signal passes, and of one search."""
    layout = LAYOUTS["screen1"]
    loop = SyntheticLoop(seed, "A4C", layout.echo[2])
    screen = KindScreen(layout, loop, KINDS[0])
    pictures = [screen.compose(loop.frame(number)) for number in range(32)]
    tracker = SectorTracker()
    started = time.process_time()
    sector = tracker.find(pictures)
    search_ms = 1000 * (time.process_time() - started)
    watch = EchoWatch(sector, 0.4)
    started = time.process_time()
    for number in range(rounds):
        tracker.update(pictures[number % 32])
        watch.look(pictures[number % 32], number / 30)
    each_ms = 1000 * (time.process_time() - started) / rounds
    print(f"\n1280x720: {each_ms:.2f} ms CPU a frame; a search over 32 frames {search_ms:.0f} ms CPU in all")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
