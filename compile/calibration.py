"""Calibration sets from data sets and recordings: `echoedge calib choose`, and the network inputs of a chosen set."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from calib.choose import CalibrationSet, choose_frames, write_set
from calib.feed import Feed, FrameFeed, RefineFeed, StreamFeed
from calib.frames import Candidate, Frame, describe, digest_of, input_of, read_recordings
from compile.graphs import Graphs, file_of
from edge.errors import DataError, SourceError
from edge.nets.artefacts import DENOISER, Found
from edge.options import add_data, add_patients, add_seed
from edge.preprocess import PreprocessSpec
from train.data import open_data
from train.data.camus import read_split

log = logging.getLogger(__name__)

NAME_PARTS = 3


def read_candidates(place: str, patients: Iterable[str] | None = None) -> Iterator[Candidate]:
    """Frames of `KIND:FOLDER`: a data set of `train.data`, or `frames:FOLDER` of recordings made at the bedside."""
    kind, _, folder = place.partition(":")
    if kind == "frames":
        yield from read_recordings(Path(folder))
        return
    for s in open_data(place, patients):
        source = name_within(Path(folder), s.source)
        yield Candidate(s.image, kind, source, s.patient, s.view, s.phase, spacing_mm=s.spacing_mm)


def name_within(folder: Path, source: str) -> str:
    """A frame's name without the folders of this machine: relative to its data set, or its last NAME_PARTS parts.

    Names go into list files that are shipped, and must fit on a machine that keeps the data elsewhere.
    """
    path = PurePath(source)
    if not path.is_absolute():
        return source
    if path.is_relative_to(folder.resolve()):
        return str(path.relative_to(folder.resolve()))
    return str(PurePath(*path.parts[-NAME_PARTS:]))


def feeds_of(references: Graphs, frames: Sequence[NDArray[np.uint8]]) -> dict[str, Feed]:
    """Task -> the runs that calibrate its FP32 graph, over the frames as network inputs (1 x 1 x size x size uint8)."""
    return {task: _feed_of(artefact, frames) for task, artefact in references.items()}


def _feed_of(artefact: Found, frames: Sequence[NDArray[np.uint8]]) -> Feed:
    manifest, path = artefact
    if manifest.task == DENOISER:
        return RefineFeed(path.parent, frames)
    name = manifest.inputs[0].name
    return StreamFeed(name, frames, file_of(artefact)) if manifest.states else FrameFeed(name, frames)


def choose_from(places: Sequence[str], count: int, held_out: Sequence[str], seed: int) -> CalibrationSet:
    """Choose `count` frames of the places; frames without a visible sector are left out and named in the log."""
    frames: list[Frame] = []
    for place in places:
        for candidate in read_candidates(place):
            try:
                frames.append(describe(candidate))
            except SourceError as error:
                log.warning("left out %s: %s", candidate.source, error)
    return choose_frames(frames, count, held_out, seed)


def inputs_of(chosen: CalibrationSet, places: Sequence[str], spec: PreprocessSpec) -> list[NDArray[np.uint8]]:
    """Network inputs (1 x 1 x size x size uint8) of a set's frames in the set's order.

    Raises DataError for a frame that the places lack, or whose pixels are not those that were chosen.
    """
    wanted = {(frame.data, frame.source): frame for frame in chosen.frames}
    inputs: dict[tuple[str, str], NDArray[np.uint8]] = {}
    kinds = [place.partition(":")[0] for place in places]
    for place, kind in zip(places, kinds):
        patients = sorted({f.patient for f in chosen.frames if f.data == kind})
        if not patients:
            continue
        for candidate in read_candidates(place, patients if kinds.count(kind) == 1 else None):
            key = (candidate.data, candidate.source)
            if key not in wanted:
                continue
            if digest_of(candidate.image) != wanted[key].sha256:
                raise DataError(f"{candidate.source} was changed since the calibration set was chosen; choose it again")
            inputs[key] = input_of(candidate, spec)
    lacking = [source for data, source in wanted if (data, source) not in inputs]
    if lacking:
        raise DataError(
            f"{len(lacking)} frames of the calibration set are not in {', '.join(places)}, the first is {lacking[0]}; "
            "name the --data it was chosen from"
        )
    return [inputs[key] for key in wanted]


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge calib choose",
        description="Choose calibration frames, balanced over view, phase, quality, gain, depth and patient.",
        epilog="example: echoedge calib choose --data camus:/data/camus --exclude split_valid.txt --out set.json",
    )
    add_data(p)
    add_patients(p, "--exclude", "kept for evaluation")
    p.add_argument("--count", type=int, default=128, help="frames to choose (default 128)")
    add_seed(p)
    p.add_argument("--out", type=Path, required=True, help="list file to write (JSON)")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    chosen = choose_from(args.data, args.count, read_split(args.exclude), args.seed)
    write_set(chosen, args.out)
    print(f"{args.out}: {len(chosen.frames)} of {chosen.candidates} frames; see `echoedge calib report {args.out}`")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
