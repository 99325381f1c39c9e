"""Choose calibration frames: seeded, balanced over what changes a network's activations, from patients kept out of
tests.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from calib.frames import Frame
from edge.errors import DataError

SCHEMA = 1
MEASURED = ("contrast", "gain", "depth_mm")
"""Numbers that are cut into thirds (low, middle, high) over all frames to choose from."""
NAMED = ("view", "phase", "vendor")
THIRDS = ("low", "middle", "high")


class CalibrationSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A list of frames, drawn with `seed` from `candidates` frames while `held_out` patients were kept out."""

    schema: int
    seed: int
    candidates: int
    held_out: int
    thirds: dict[str, tuple[float, float]]
    frames: tuple[Frame, ...]

    @property
    def sha256(self) -> str:
        """Names the set: over its frames' digests in order."""
        return hashlib.sha256("".join(frame.sha256 for frame in self.frames).encode()).hexdigest()


def strata_of(frame: Frame, thirds: dict[str, tuple[float, float]]) -> dict[str, str]:
    """factor -> level of a frame; factors that are unknown are left out."""
    levels = {name: value for name in NAMED if (value := getattr(frame, name))}
    for name, bounds in thirds.items():
        value = getattr(frame, name)
        if value is not None:
            levels[name] = THIRDS[int(np.searchsorted(bounds, value, side="right"))]
    return levels


def choose_frames(frames: Sequence[Frame], count: int, held_out: Iterable[str], seed: int = 0) -> CalibrationSet:
    """Up to `count` frames whose views, phases, vendors, contrasts, gains, depths and patients are evenly present.

    Greedy: each draw takes the frame whose levels have been drawn least, ties broken by the seed. The full cross
    product of the factors would have more strata than frames. Raises DataError where every patient is held out for
    evaluation.
    """
    held_out = set(held_out)
    free = [frame for frame in frames if frame.patient not in held_out]
    if not free:
        raise DataError(
            f"no frame is left to calibrate on: the patients of all {len(frames)} are kept for evaluation; add --data"
        )
    thirds = {}
    for name in MEASURED:
        values = [value for frame in free if (value := getattr(frame, name)) is not None]
        if values:
            low, high = np.quantile(values, (1 / 3, 2 / 3))
            thirds[name] = (round(float(low), 4), round(float(high), 4))
    order = np.random.default_rng(seed).permutation(len(free))
    rest = [(free[i], [*strata_of(free[i], thirds).items(), ("patient", free[i].patient)]) for i in order]
    drawn: Counter[tuple[str, str]] = Counter()
    chosen: list[Frame] = []
    while rest and len(chosen) < count:
        place = min(range(len(rest)), key=lambda i: sum(drawn[level] for level in rest[i][1]))
        frame, levels = rest.pop(place)
        drawn.update(levels)
        chosen.append(frame)
    return CalibrationSet(
        schema=SCHEMA, seed=seed, candidates=len(free), held_out=len(held_out), thirds=thirds, frames=tuple(chosen)
    )


def check_disjoint(chosen: CalibrationSet, held_out: Iterable[str]) -> None:
    """Raise DataError, naming the patients, where a set holds frames of patients kept for evaluation."""
    shared = sorted({frame.patient for frame in chosen.frames} & set(held_out))
    if shared:
        raise DataError(
            f"the calibration set holds frames of {len(shared)} evaluation patients: {', '.join(shared[:5])}; "
            "choose it again with `echoedge calib choose --exclude` and the same split file"
        )


def write_set(chosen: CalibrationSet, path: Path) -> None:
    """Write indented JSON under a temporary name, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(chosen), indent=1) + b"\n")
    os.replace(temporary, path)


def read_set(path: Path) -> CalibrationSet:
    """Read a set. Raises DataError for a file that is not one."""
    try:
        chosen = msgspec.json.decode(Path(path).read_bytes(), type=CalibrationSet)
    except OSError as error:
        raise DataError(f"cannot read the calibration set {path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise DataError(f"{path} is not a calibration set ({error}); make one with `echoedge calib choose`") from error
    if chosen.schema != SCHEMA or not chosen.frames:
        raise DataError(f"{path} is empty or of another version; make it again with `echoedge calib choose`")
    return chosen
