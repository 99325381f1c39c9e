"""What the view head and its gate make of pictures they were not trained on: `python benchmarks/view_confusion.py`.

Own loops of every plane as they are and mirrored, real apical frames of held-out patients likewise (`--data`), and
public recordings by a list of what they are (`--real LIST --files FOLDER`: the list's n-th row names the file that
begins with its number, as 07_). Pictures that are no echo come from the generator (`--others`) and from folders
(`--pictures`, with all that is below them); they go the whole way from the search for a sector on. "shown" is a contour
with wall colours or any number, by the frame loop's own analysis.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import EchoEdgeError
from edge.heart.analysis import Analyser
from edge.heart.plane import APICAL
from edge.nets.model import QualityScorer, Segmenter, open_model
from edge.preprocess import Box
from edge.screen.calibration import Calibration
from edge.screen.sector import Sector, find_sector
from edge.screen.tracker import SectorTracker
from edge.sources import Captured, open_source
from edge.synth import SyntheticLoop
from edge.synth.no_heart import NO_HEART, no_heart_picture
from edge.threads.clock import StageClock
from train.data import open_data
from train.view.data import SHARES, SIDED

Picture = NDArray[np.uint8]
UNSEEN_SEED = 900_000
SIZE_PX = 320
MM = Calibration((0.4, 0.4), "assumed")


@dataclass(frozen=True)
class Case:
    """Frames of one scene, its sector, what it is, and whether it stands mirrored (None where no one can tell)."""

    what: str
    frames: list[Picture]
    sector: Sector
    mirrored: bool | None


def whole(mask: NDArray[np.bool_]) -> Sector:
    return Sector(Box(0, 0, len(mask)), mask)


def own(loops: int, count: int) -> Iterator[Case]:
    """Loops of each plane with seeds that training does not draw, as they are and mirrored; pictures of no heart."""
    for k in range(loops):
        for view in SHARES:
            seed = UNSEEN_SEED + k
            if view == "no heart":
                picture = no_heart_picture(seed, NO_HEART[k % len(NO_HEART)], SIZE_PX)
                yield Case("own no heart", [picture], whole(np.ones(picture.shape, bool)), None)
                continue
            for mirrored in (False, True):
                loop = SyntheticLoop(seed, view, SIZE_PX, mirrored=mirrored)
                numbers = np.linspace(0, loop.frames_per_beat, count, endpoint=False).astype(int)
                frames = [loop.frame(int(number)).image for number in numbers]
                yield Case(f"own {view}", frames, whole(loop.sector), mirrored if view in SIDED else None)


def held_out(places: list[str], patients: set[str]) -> Iterator[Case]:
    for place in places:
        for sample in open_data(place):
            if sample.patient in patients:
                for mirrored in (False, True):
                    image = np.ascontiguousarray(sample.image[:, :: -1 if mirrored else 1])
                    yield Case(f"real {sample.view}", [image], find_sector([image]), mirrored)


def listed(path: Path, files: Path) -> Iterator[tuple[str, str, Case | str]]:
    """(name, what it is, its case or why its sector was refused) of each listed recording that is there."""
    rows = [line.split("\t") for line in path.read_text().splitlines() if line and not line.startswith("#")]
    for number, row in enumerate(rows):
        found = sorted(files.glob(f"{number:02d}_*"))
        if not found:
            continue
        try:
            with open_source(str(found[0])) as source:
                frames = [np.asarray(frame.image) for frame, _ in zip(source, range(6))]
            if row[2].startswith("left half"):
                frames = [np.ascontiguousarray(frame[:, : frame.shape[1] // 2]) for frame in frames]
            sector = SectorTracker(None, None).find(frames)
        except EchoEdgeError as error:
            yield found[0].name, row[3], str(error)
            continue
        yield found[0].name, row[3], Case(row[3], frames, sector, None)


def grey_picture(path: Path) -> list[Picture]:
    """The picture of a file; none of one that OpenCV cannot read."""
    try:
        found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        return []
    return [] if found is None else [np.asarray(found, np.uint8)]


def no_echo(count: int, folders: list[Path]) -> Iterator[Case | str]:
    """Each picture's case, or why no sector was found in it."""
    paths = sorted(
        p
        for folder in folders
        for p in folder.rglob("*")
        if p.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".ppm")
    )
    read = (picture for path in paths for picture in grey_picture(path) if min(picture.shape) >= 64)
    made = (no_heart_picture(UNSEEN_SEED + k, NO_HEART[k % len(NO_HEART)], SIZE_PX) for k in range(count))
    for what, pictures in (("generated", made), ("from files", read)):
        for picture in pictures:
            try:
                sector = SectorTracker(None, None).find([picture])
            except EchoEdgeError as error:
                yield str(error)
                continue
            yield Case(f"{what}, no echo", [picture], sector, None)


def judge(case: Case, segmenter: Segmenter, scorer: QualityScorer) -> tuple[bool, str, bool, str]:
    """(whether anything is shown, the plane, whether it was taken as mirrored, why nothing is) after the last frame."""
    analyser = Analyser(segmenter, scorer, case.sector, MM, StageClock(), "")
    for number, image in enumerate(case.frames):
        analysis = analyser.analyse(Captured(number, image, 0, number / 30))
    plane = analyser.plane
    shown = not analysis.invalid and (analysis.regions is not None or analysis.ventricle.area_cm2 is not None)
    name = plane.name if plane else ""
    return shown, name, bool(plane and plane.turn.mirrored), analysis.invalid or analysis.withheld.volume


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="models/pspnet-mk")
    p.add_argument("--quality", default="models/quality")
    p.add_argument("--precision", default="int8")
    p.add_argument("--loops", type=int, default=50, help="of each plane")
    p.add_argument("--frames", type=int, default=3, help="of each loop")
    p.add_argument("--data", action="append", default=[], help="KIND:FOLDER of real apical frames")
    p.add_argument("--patients", type=Path, help="file of the held-out patients' names")
    p.add_argument("--real", type=Path)
    p.add_argument("--files", type=Path)
    p.add_argument("--others", type=int, default=0, help="generated pictures that are no echo")
    p.add_argument("--pictures", type=Path, action="append", default=[], help="folder of pictures that are no echo")
    args = p.parse_args()
    segmenter, scorer = (open_model(folder, args.precision) for folder in (args.model, args.quality))
    assert isinstance(segmenter, Segmenter)
    assert isinstance(scorer, QualityScorer)
    rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    patients = set(args.patients.read_text().split()) if args.patients else set()
    for cases in (own(args.loops, args.frames), held_out(args.data, patients)):
        for case in cases:
            shown, plane, mirrored, _ = judge(case, segmenter, scorer)
            row = rows[case.what]
            row["cases"] += 1
            row["shown"] += shown
            row[f"> {plane}"] += 1
            if case.mirrored is not None:
                row["sided"] += 1
                row["side right"] += mirrored == case.mirrored
    print(f"{'what':<16} {'cases':>5} {'shown':>6} {'side right':>10}   taken as")
    for what, row in rows.items():
        side = f"{100 * row['side right'] / row['sided']:.1f} %" if row["sided"] else "-"
        taken = ", ".join(f"{name[2:]} {count}" for name, count in row.most_common() if name.startswith("> "))
        print(f"{what:<16} {row['cases']:>5} {100 * row['shown'] / row['cases']:>5.1f}% {side:>10}   {taken}")
    others: Counter[str] = Counter()
    for found in no_echo(args.others, args.pictures):
        shown = isinstance(found, Case) and judge(found, segmenter, scorer)[0]
        others["shown" if shown else "no sector" if isinstance(found, str) else "no heart"] += 1
    if others:
        print(
            f"no echo: {others.total()} pictures, {others['shown']} with a contour or a number, "
            f"{others['no sector']} refused for want of a sector"
        )
    if args.real and args.files:
        right: Counter[bool] = Counter()
        for name, what, case in listed(args.real, args.files):
            shown, plane, why = False, "", case
            if isinstance(case, Case):
                shown, plane, _, why = judge(case, segmenter, scorer)
            wanted = what.startswith((*APICAL, "apical")) and "off axis" not in what
            right[shown == wanted] += 1
            verdict, said = "ok " if shown == wanted else "BAD", "shown" if shown else str(why)[:60]
            print(f"{verdict} {what:<24} {plane:<12} {said:<60} {name}")
        print(f"real recordings: {right[True]} of {right.total()} shown or not as they should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
