"""Calibration sets from data sets and recordings: `echoedge calib choose`, and the network inputs of a chosen set."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.choose import CalibrationSet, choose_frames, write_set
from calib.frames import Candidate, Frame, describe, digest_of, input_of, read_recordings
from edge.errors import DataError, SourceError
from edge.preprocess import PreprocessSpec
from train.data import open_data
from train.data.camus import read_split

log = logging.getLogger(__name__)


def read_candidates(place: str, patients: Iterable[str] | None = None) -> Iterator[Candidate]:
    """Frames of `KIND:FOLDER`: a data set of `train.data`, or `frames:FOLDER` of recordings made at the bedside."""
    kind, _, folder = place.partition(":")
    if kind == "frames":
        yield from read_recordings(Path(folder))
        return
    for s in open_data(place, patients):
        yield Candidate(s.image, kind, s.source, s.patient, s.view, s.phase, spacing_mm=s.spacing_mm)


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
    p.add_argument(
        "--data", action="append", required=True,
        help="camus:FOLDER, folder:FOLDER or frames:FOLDER (recordings, a sub-folder a patient); may be repeated",
    )  # fmt: skip
    p.add_argument("--exclude", type=Path, required=True, help="file of patients kept for evaluation, one a line")
    p.add_argument("--count", type=int, default=128, help="frames to choose (default 128)")
    p.add_argument("--seed", type=int, default=0)
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
