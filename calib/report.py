"""`echoedge calib report`: what a calibration set covers, and whether live frames still look like it."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from calib.choose import THIRDS, CalibrationSet, read_set, strata_of
from calib.drift import drift_of
from calib.frames import Candidate, describe
from edge.nets.drift import Drift
from edge.picture import svg
from edge.preprocess import grey
from edge.sources import open_source
from edge.terminal import terminal

LIVE_FRAMES = 64


def coverage_of(chosen: CalibrationSet) -> dict[str, dict[str, int]]:
    """factor -> level -> frames; a third that no frame is in is listed with 0."""
    counts = {name: Counter(dict.fromkeys(THIRDS, 0)) for name in chosen.thirds}
    for frame in chosen.frames:
        for name, level in strata_of(frame, chosen.thirds).items():
            counts.setdefault(name, Counter())[level] += 1
    return {name: dict(counter) for name, counter in counts.items()}


def html_of(chosen: CalibrationSet, drift: Drift | None = None) -> str:
    """The coverage report as one HTML document."""
    patients = {frame.patient for frame in chosen.frames}
    parts = [
        f"<p>{len(chosen.frames)} frames of {len(patients)} patients, drawn with seed {chosen.seed} from "
        f"{chosen.candidates} candidates; {chosen.held_out} patients were kept out for evaluation. "
        f"Set {chosen.sha256}.</p>"
    ]
    if drift is not None:
        kind, words = ("bad", "has moved away from") if drift.has_drifted else ("good", "looks like")
        parts.append(
            f'<p class="{kind}">The live picture {words} the set: distance '
            f"{drift.distance:.1f} grey levels, warning above {drift.threshold:.1f}.</p>"
        )
    for name, levels in coverage_of(chosen).items():
        bounds = chosen.thirds.get(name)
        words = f" (low below {bounds[0]:g}, high above {bounds[1]:g})" if bounds else ""
        parts.append(f"<h2>{name.replace('_', ' ')}{words}</h2>{svg.bars(list(levels), list(levels.values()))}")
    mean = np.mean([frame.histogram for frame in chosen.frames], axis=0)
    live = drift.histogram if drift is not None else ()
    heading = "Grey levels inside the sector" + (": the set, and the live picture in red" if live else "")
    parts.append(f"<h2>{heading}</h2>{svg.histogram(mean.tolist(), 0, 255, outline=live)}")
    rows = [(f.source, f.patient, f.view, f.phase, f.gain, f.contrast, f.depth_mm or "") for f in chosen.frames]
    headings = ("frame", "patient", "view", "phase", "gain", "contrast", "depth mm")
    return svg.page(
        "Calibration set",
        "".join(parts) + f"<h2>Frames</h2><details><summary>all</summary>{svg.table(headings, rows)}</details>",
    )


def drift_from(chosen: CalibrationSet, uri: str) -> Drift:
    """Compare up to LIVE_FRAMES frames of a recording or folder with a set."""
    with open_source(uri) as source:
        images = [grey(captured.image) for captured, _ in zip(source, range(LIVE_FRAMES))]
    return drift_of(chosen, [describe(Candidate(image, "live", str(i), "")) for i, image in enumerate(images)])


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge calib report",
        description="Coverage of a calibration set, and the distance of live frames from it.",
        epilog="example: echoedge calib report set.json --out coverage.html --live loop.dcm",
    )
    p.add_argument("set", type=Path, help="list file that `echoedge calib choose` wrote")
    p.add_argument("--out", type=Path, help="HTML file with figures")
    p.add_argument("--live", help="recording or folder to compare with the set")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    chosen = read_set(args.set)
    drift = drift_from(chosen, args.live) if args.live else None
    console = terminal()
    table = Table(title=f"{len(chosen.frames)} frames of {len({f.patient for f in chosen.frames})} patients")
    for heading in ("factor", "frames at each level"):
        table.add_column(heading)
    for name, levels in coverage_of(chosen).items():
        table.add_row(name, ", ".join(f"{level} {count}" for level, count in sorted(levels.items())))
    console.print(table)
    if drift is not None:
        verdict = "drifted: choose a new set from frames like these" if drift.has_drifted else "no drift"
        console.print(f"live frames: distance {drift.distance:.1f}, warning above {drift.threshold:.1f}: {verdict}")
    if args.out:
        args.out.write_text(html_of(chosen, drift))
        console.print(str(args.out))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
