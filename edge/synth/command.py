"""`echoedge synth`: write synthetic loops with their ground truth."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.errors import EchoEdgeError
from edge.heart.regions import REGIONS
from edge.preprocess import grey
from edge.synth.cine import SyntheticFrame, SyntheticLoop
from edge.synth.compression import jpeg
from edge.synth.export import write_dicom, write_json, write_nifti, write_video
from edge.synth.screen import LAYOUTS, Screen, layout_of
from edge.synth.settings import VIEWS
from edge.synth.truth import quality_label

FORMATS = ("mp4", "nifti", "dicom")
NO_LAYOUT = "none"
MAX_BEATS = 20
"""DICOM and NIfTI hold the whole loop in memory, up to 4 MB a frame."""
MIXED = ("A4C", "A2C", "A3C")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge synth",
        description="Write synthetic echo loops and their ground truth. Computer-generated, no patient; for research.",
        epilog="example: echoedge synth --out loops --view A4C --count 3 --seed 1 --layout screen1 --format dicom",
    )
    p.add_argument("--out", type=Path, required=True, help="folder for synthNNNNN_VIEW.mp4, .dcm or .nii.gz and .json")
    p.add_argument("--count", type=int, default=1, help="number of loops; their seeds count up from --seed")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--view", choices=(*VIEWS, "mixed"), default="A4C")
    p.add_argument(
        "--layout", choices=(NO_LAYOUT, *LAYOUTS, "mixed"), default=NO_LAYOUT, help="scanner screen around it"
    )
    p.add_argument("--format", choices=FORMATS, default="mp4", dest="kind")
    p.add_argument("--size", type=int, default=473, help="side of the picture in pixels without a layout")
    p.add_argument("--fps", type=float, help="frames a second (default: random, 35-70)")
    p.add_argument("--beats", type=int, default=1, help="heart beats per loop")
    p.add_argument("--severity", type=float, help="0 clear to 1 barely readable (default: random)")
    p.add_argument("--jpeg", type=int, help="compress each frame first, quality 1-100")
    p.add_argument("--json", action="store_true", help="print the facts of all loops as JSON")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    _check(args)
    facts = []
    for seed in range(args.seed, args.seed + args.count):
        fact = _write_loop(args, seed)
        facts.append(fact)
        if not args.json:
            shown = f"EF {100 * fact['ef']:.0f} %, {fact['frames']} frames at {fact['fps']:g} fps"
            print(f"{fact['file']}: {fact['view']}, {shown}", flush=True)
    if args.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(facts)).decode() + "\n")
    return 0


def _check(args: argparse.Namespace) -> None:
    if not 1 <= args.count <= 100_000:
        raise EchoEdgeError(f"--count is {args.count}; give 1 to 100000")
    if not 1 <= args.beats <= MAX_BEATS:
        raise EchoEdgeError(f"--beats is {args.beats}; give 1 to {MAX_BEATS}")
    if args.jpeg is not None and not 1 <= args.jpeg <= 100:
        raise EchoEdgeError(f"--jpeg is {args.jpeg}; give a quality of 1 to 100")
    if args.out.exists() and not args.out.is_dir():
        raise EchoEdgeError(f"{args.out} is a file; --out names a folder")


def _write_loop(args: argparse.Namespace, seed: int) -> dict[str, Any]:
    view = MIXED[seed % len(MIXED)] if args.view == "mixed" else args.view
    layout = list(LAYOUTS)[seed % len(LAYOUTS)] if args.layout == "mixed" else args.layout
    chosen = None if layout == NO_LAYOUT else layout_of(layout)
    loop = SyntheticLoop(seed, view, chosen.echo[2] if chosen else args.size, args.fps, args.severity)
    screen = Screen(chosen, loop) if chosen else None
    count = loop.frames_per_beat * args.beats
    at_ed, at_es = (loop.frame(number, quality=True) for number in (loop.ed_frame, loop.es_frame))

    def picture_of(number: int) -> NDArray[np.uint8]:
        frame = loop.frame(number)
        picture = screen.compose(frame) if screen else frame.image
        return jpeg(picture, args.jpeg) if args.jpeg else picture

    def mask_of(number: int) -> NDArray[np.uint8]:
        frame = loop.frame(number)
        return screen.mask(frame) if screen else frame.mask

    pictures = map(picture_of, range(count))
    sector = screen.sector if screen else loop.sector
    region = screen.echo if screen else (0, 0, loop.size_px, loop.size_px)
    stem = args.out / f"synth{seed:05d}_{view}"
    if args.kind == "mp4":
        path = stem.with_suffix(".mp4")
        write_video(path, pictures, loop.fps)
    elif args.kind == "dicom":
        path = stem.with_suffix(".dcm")
        write_dicom(path, list(pictures), loop.fps, loop.spacing_mm, region, seed, loop.hr_bpm)
    else:
        path = stem.with_suffix(".nii.gz")
        write_nifti(path, np.stack([grey(picture) for picture in pictures]), loop.spacing_mm, loop.fps)
        masks = np.stack([mask_of(number) for number in range(count)])
        write_nifti(args.out / f"{stem.name}_gt.nii.gz", masks, loop.spacing_mm, loop.fps)
    rows, columns = np.flatnonzero(sector.any(1)), np.flatnonzero(sector.any(0))
    facts = {
        "file": str(path),
        "seed": seed,
        "view": view,
        "layout": layout,
        "frames": count,
        "fps": loop.fps,
        "hr_bpm": round(loop.hr_bpm, 2),
        "ed_frame": loop.ed_frame,
        "es_frame": loop.es_frame,
        "frames_per_beat": loop.frames_per_beat,
        "ef": round(loop.ef, 4),
        "edv_ml": round(loop.edv_ml, 2),
        "esv_ml": round(loop.esv_ml, 2),
        "spacing_mm": list(loop.spacing_mm),
        "severity": round(loop.scan.severity, 3),
        "sector_box": [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1],
        "quality": {"ED": _quality(at_ed), "ES": _quality(at_es)},
    }
    write_json(stem.with_suffix(".json"), facts)
    return facts


def _quality(frame: SyntheticFrame) -> dict[str, dict[str, float | None]] | None:
    """Signal-to-clutter ratio (dB, null outside the sector), visible share and 1-5 label of each region."""
    if frame.scr_db is None or frame.visible is None:
        return None
    labels = quality_label(np.nan_to_num(frame.scr_db, nan=-99), frame.visible)
    return {
        name: {
            "scr_db": None if np.isnan(scr) else round(float(scr), 2),
            "visible": round(float(seen), 3),
            "label": round(float(label), 2),
        }
        for name, scr, seen, label in zip(REGIONS, frame.scr_db, frame.visible, labels)
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
