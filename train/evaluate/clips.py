"""`echoedge evaluate clips`: models on whole clips, frame after frame as at run time: accuracy, unrest, view."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.progress import track

from edge.errors import DataError
from edge.heart.view import VIEWS
from edge.nets.model import Segmenter, open_segmenter
from edge.options import add_allow_failed_gate
from edge.screen.sector import find_sector
from edge.tables import markdown_table, print_table
from edge.terminal import terminal
from train.data.camus import read_split
from train.data.clips import Clip, open_clips
from train.data.sample import LV
from train.evaluate.ef import agreement, compare_ef
from train.evaluate.metrics import bootstrap_interval, dice, flicker, mean_known
from train.evaluate.segmentation import CLASSES, EF_HEADINGS, EF_TITLE, cell, ef_rows
from train.options import artefact_options, evaluation_options
from train.results import machine, replace_section

INTERVALS = (("lv", 1, 3), ("flicker", 100, 2))
"""Figures whose interval is shown: name, factor, digits."""
HEADINGS = ("model", "LV Dice (95 %)", "myocardium", "LA", "flicker % (95 %)", "view")


class Shown(NamedTuple):
    """What a network made of a clip: a mask a frame, and the share of frames whose view is right, NaN where it knows
    none."""

    masks: list[NDArray[np.uint8]]
    view: float


def show_clip(segmenter: Segmenter, clip: Clip, hold: int = 1, forget: bool = False) -> Shown:
    """Run a network on a clip. The sector is found once, the network starts afresh. Each frame is shown `hold` times
    and judged the last time: what a pair of frames cannot tell of a network in the midst of a stream. With `forget` the
    network starts afresh at every showing: what its memory is worth."""
    sector = find_sector([frame.image for frame in clip.frames])
    segmenter.reset()
    masks, right = [], []
    for frame in clip.frames:
        for _ in range(hold):
            if forget:
                segmenter.reset()
            mask = segmenter(frame.image, sector)
        masks.append(mask)
        probabilities = segmenter.view_probabilities
        right.append(np.nan if probabilities is None else float(VIEWS[int(probabilities.argmax())] == clip.view))
    return Shown(masks, float(np.mean(right)))


def judge_clip(clip: Clip, shown: Shown) -> dict[str, float]:
    """Mean Dice of each class over the clip's frames (NaN for one that they do not annotate), "flicker" of the LV's
    area, and "view"."""
    pairs = list(zip(shown.masks, clip.frames))
    dices = [
        [dice(mask == k, frame.mask == k) if k in frame.known else np.nan for k in CLASSES.values()]
        for mask, frame in pairs
    ]
    areas = [[np.count_nonzero(m == LV) for m in (mask, frame.mask)] for mask, frame in pairs]
    found, true = np.array(areas, np.float64).T
    means = {name: mean_known(column) for name, column in zip(CLASSES, np.array(dices).T)}
    return {**means, "flicker": flicker(found, true), "view": shown.view}


def evaluate_clips(
    segmenter: Segmenter, clips: Sequence[Clip], hold: int = 1, forget: bool = False, with_ef: bool = False
) -> dict[str, Any]:
    """Means over clips with bootstrap 95 % intervals over patients; see `judge_clip`. `with_ef` adds "ef": agreement of
    EF, from the clips' ED and ES frames, with that of the experts' masks, as `compare_ef` gives it."""
    rows, marked = [], []
    for clip in track(clips, escape(segmenter.manifest.name), console=terminal(stderr=True), transient=True):
        shown = show_clip(segmenter, clip, hold, forget)
        rows.append(judge_clip(clip, shown))
        marked += [(frame, mask) for frame, mask in zip(clip.frames, shown.masks) if frame.phase]
    patients = np.array([clip.patient for clip in clips])
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    result: dict[str, Any] = {
        "model": segmenter.manifest.name,
        "precision": segmenter.manifest.precision,
        "backend": f"{segmenter.backend.name} {segmenter.backend.version}",
        "sha256": segmenter.manifest.sha256,
        **{name: _known(mean_known(values)) for name, values in columns.items()},
        "ci95": {name: [_known(v) for v in bootstrap_interval(values, patients)] for name, values in columns.items()},
    }
    if with_ef:
        pairs = compare_ef(marked)
        result["ef"] = {name: {"against": pair.against, **asdict(agreement(*pair[:2]))} for name, pair in pairs.items()}
    return result


def _known(value: float) -> float | None:
    """None for NaN, which JSON has not."""
    return None if np.isnan(value) else value


def cells(result: dict[str, Any]) -> list[str]:
    """One model's line of the table."""
    dices, unrest = ("-".join(f"{k * v:.{digits}f}" for v in result["ci95"][name]) for name, k, digits in INTERVALS)
    return [
        f"{result['model']} {result['precision']}",
        f"{result['lv']:.3f} ({dices})",
        cell(result["myo"], ".3f"),
        cell(result["la"], ".3f"),
        f"{100 * result['flicker']:.2f} ({unrest})",
        cell(result["view"], ".3f"),
    ]


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge evaluate clips",
        description="Dice, flicker (mean |change of the LV's area - true change| from frame to frame, as a share of "
        "the mean true area) and view accuracy of models on annotated clips.",
        epilog="example: echoedge evaluate clips --model models/ral --model models/pspnet-mk --data synth:20@9000",
        parents=[evaluation_options(), artefact_options()],
    )
    p.add_argument("--model", type=Path, action="append", required=True, help="model folder, may be repeated")
    p.add_argument("--data", required=True, help="KIND:FOLDER: synth:COUNT@SEED gives one whole beat a loop")
    p.add_argument(
        "--hold", type=int, default=1, metavar="N", help="show each frame N times, as a stream would (default 1)"
    )
    p.add_argument("--forget", action="store_true", help="zero the memory before every frame: what it is worth")
    p.add_argument("--ef", action="store_true", help="also EF of the clips' ED and ES, against the experts' masks")
    add_allow_failed_gate(p)
    p.add_argument("--results", type=Path, metavar="FILE.md", help="also write the table as a section of this file")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    if args.hold < 1:
        raise DataError(f"--hold {args.hold} shows no frame; give 1 or more")
    clips = list(open_clips(args.data, patients=set(read_split(args.split)) if args.split else None))
    results = []
    for folder in args.model:
        with open_segmenter(
            folder, args.precision, args.backend, allow_failed_gate=args.allow_failed_gate
        ) as segmenter:
            results.append(evaluate_clips(segmenter, clips, args.hold, args.forget, args.ef))
    title = f"{len(clips)} clips, {sum(len(clip.frames) for clip in clips)} frames of {args.data.partition(':')[0]}"
    title += f", each shown {args.hold} times" if args.hold > 1 else ""
    title += ", nothing remembered" if args.forget else ""
    if args.results:
        command = f"echoedge evaluate clips {' '.join(f'--model {f}' for f in args.model)} --data {args.data}"
        command += f" --hold {args.hold}" if args.hold > 1 else ""
        command += " --forget" if args.forget else ""
        command += " --ef" if args.ef else ""
        text = [f"## Clips: accuracy and unrest\n\n`{command}`: {title}. {machine()}.\n"]
        text.append(markdown_table(HEADINGS, map(cells, results)))
        if args.ef:
            text += ["", f"{EF_TITLE[0].upper() + EF_TITLE[1:]}:", "", markdown_table(*_ef_table(results))]
        replace_section(args.results, "clips", "\n".join(text))
    if args.json:
        found = {
            "data": args.data,
            "clips": len(clips),
            "hold": args.hold,
            "forget": args.forget,
            "machine": machine(),
            "models": results,
        }
        print(json.dumps(found, indent=2))
        return 0
    print_table(HEADINGS, map(cells, results), title)
    if args.ef:
        print_table(*_ef_table(results), EF_TITLE)
    return 0


def _ef_table(results: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Headings, and a row a model and formula."""
    rows = [[f"{r['model']} {r['precision']}", *row] for r in results for row in ef_rows(r)]
    return ["model", *EF_HEADINGS], rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
