"""Refined key frames: what was asked, what came of it, and how long it may be shown."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.beats import MAX_EVENTS
from edge.preprocess import Box
from edge.refine.refiner import Refinement, breadth
from edge.refine.volumes import MIN_SAMPLES, Spread, ejection_spread, sample_volumes, spread_of
from edge.sources import Captured

FROZEN_FRAME, ASKED, PLAIN = "frozen", "asked", "frame"
"""Kinds of frames besides ED and ES: of a frozen screen, on demand, and any other."""
HOLD_S = 3.0
"""A refined frame is shown for this long after its own time at most: two beats at 40 a minute."""
KEEP_EVENTS = 2
"""It goes before that with the third ED or ES after it, when the beat that follows its own has been seen."""


@dataclass(frozen=True)
class KeyFrame:
    """A frame to refine within `box`. kind: "ED", "ES" or one of those above.

    `analysis` is the frame loop's, None for a frozen screen. `order` counts the ED and ES confirmed so far, `scene` the
    scenes: results of an earlier scene are void.
    """

    kind: str
    frame: Captured
    box: Box
    analysis: Analysis | None
    order: int
    scene: int


@dataclass(frozen=True)
class Refined:
    """What came of it. `volumes_ml` are the samples', () where `withheld` says why not."""

    key: KeyFrame
    refinement: Refinement
    volumes_ml: tuple[float, ...]
    withheld: str
    ejection_fraction: Spread | None = None
    """In percent, with the neighbouring ED or ES."""


@dataclass(frozen=True)
class Held:
    """What may be shown beside one frame: the newest refined frame, its age, the EF in percent of the newest ED-ES
    pair.
    """

    refined: Refined
    age_s: float
    ejection_fraction: Spread | None


class RefinedFrames:
    """Takes results from one thread and tells another what may be shown. Everything is void after `forget`."""

    def __init__(self) -> None:
        self.scene = 0
        self.rows: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        """What the report says of the newest ones."""
        self._lock = threading.Lock()
        self._newest: Refined | None = None
        self._pair: Refined | None = None
        self._event: Refined | None = None

    def forget(self) -> None:
        """Another scene begins: nothing so far may be shown with it, nor what is still being computed."""
        with self._lock:
            self.scene += 1
            self._newest = self._pair = self._event = None

    def put(self, key: KeyFrame, refinement: Refinement) -> None:
        """Take a result; one that comes too late for its scene is left out."""
        volumes, withheld = _volumes(key, refinement)
        with self._lock:
            if key.scene != self.scene:
                return
            refined = Refined(key, refinement, volumes, withheld, self._ejection_fraction(key, volumes))
            self._newest = refined
            if key.kind in ("ED", "ES"):
                self._event = refined
                self._pair = refined if refined.ejection_fraction is not None else self._pair
            self.rows.append({**row_of(refined), "time_s": round(key.frame.time_s, 6)})

    def at(self, frame: Captured, order: int) -> Held | None:
        """What may be shown beside a frame, `order` events having been confirmed by then."""
        with self._lock:
            newest, pair = self._newest, self._pair
        if newest is None or not _is_current(newest.key, frame, order):
            return None
        fraction = pair.ejection_fraction if pair is not None and _is_current(pair.key, frame, order) else None
        return Held(newest, frame.time_s - newest.key.frame.time_s, fraction)

    def _ejection_fraction(self, key: KeyFrame, volumes_ml: tuple[float, ...]) -> Spread | None:
        other = self._event
        if other is None or {key.kind, other.key.kind} != {"ED", "ES"} or key.order - other.key.order != 1:
            return None
        if not volumes_ml or not other.volumes_ml:
            return None
        ed, es = (volumes_ml, other.volumes_ml) if key.kind == "ED" else (other.volumes_ml, volumes_ml)
        return ejection_spread(ed, es)


def row_of(refined: Refined) -> dict[str, Any]:
    """Figures of a refined frame for report and outputs; maps and masks are not among them."""
    found = refined.refinement
    return {
        "kind": refined.key.kind,
        "frame": refined.key.frame.number,
        "samples": len(found.samples),
        "lv_area_px": int(np.count_nonzero(found.mask)),
        "border_breadth_px": round(breadth(found.probability, found.uncertainty), 2),
        "volume_ml": rounded(spread_of(refined.volumes_ml)) if refined.volumes_ml else None,
        "ejection_fraction_percent": rounded(refined.ejection_fraction),
        "withheld": refined.withheld or None,
    }


def held_record(held: Held, withheld: str) -> dict[str, Any]:
    """What an output says of it beside a frame on which volumes are `withheld` for a reason, "" where they are not."""
    record = row_of(held.refined) | {
        "age_s": round(held.age_s, 3),
        "ejection_fraction_percent": rounded(held.ejection_fraction),
    }
    return record | {"volume_ml": None, "ejection_fraction_percent": None, "withheld": withheld} if withheld else record


def rounded(spread: Spread | None) -> dict[str, float] | None:
    """To 0.1, by name."""
    return None if spread is None else {name: round(value, 1) for name, value in asdict(spread).items()}


def _is_current(key: KeyFrame, frame: Captured, order: int) -> bool:
    """A frozen screen's frame stays what the screen shows; others grow old."""
    age_s = frame.time_s - key.frame.time_s
    return key.kind == FROZEN_FRAME or (0 <= age_s <= HOLD_S and order - key.order <= KEEP_EVENTS)


def _volumes(key: KeyFrame, refinement: Refinement) -> tuple[tuple[float, ...], str]:
    """(volumes in ml of the samples, why there are none). What the frame loop withholds is withheld here as well."""
    if key.analysis is None:
        return (), "nothing is measured on a frozen picture"
    regions, spacing_mm = key.analysis.regions, key.analysis.calibration.spacing_mm
    reason = key.analysis.withheld.volume or key.analysis.reason or ("" if refinement.mask.any() else "no LV is found")
    if reason or regions is None or spacing_mm is None:
        return (), reason
    if len(refinement.samples) < MIN_SAMPLES:
        return (), f"fewer than {MIN_SAMPLES} samples in time"
    volumes = sample_volumes(refinement.samples, key.box, regions, spacing_mm)
    return volumes, "" if volumes else "a sample's border does not meet the mitral annulus"
