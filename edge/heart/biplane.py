"""Biplane volumes: the discs of ED and ES in A4C and in A2C, put together once both views have been seen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edge.heart.beats import WINDOW, Event
from edge.heart.measure import Ventricle, biplane_volume, ejection_fraction
from edge.heart.withhold import DISC_VIEWS


@dataclass(frozen=True)
class Biplane:
    """LV volumes in ml at ED and ES and the EF in percent, from the newest beat of each of the two planes."""

    edv_ml: float
    esv_ml: float
    ef_percent: float


class BiplaneMeasure:
    """Feed it each frame's ventricle with its view; `value` is the biplane measurement, None until both views had ED
    and ES.

    Keep one a patient: planes of different hearts make no volume. `forget_frames` where the frames' numbering or the
    view changes: what was measured stays.
    """

    def __init__(self) -> None:
        self.value: Biplane | None = None
        self._recent: deque[tuple[int, Ventricle]] = deque(maxlen=WINDOW)
        self._planes: dict[tuple[str, str], Ventricle] = {}

    def forget_frames(self) -> None:
        """No event to come belongs to a frame seen so far."""
        self._recent.clear()

    def update(self, frame: int, view: str, ventricle: Ventricle, event: Event | None) -> None:
        """Take one frame: `event` is an ED or ES that it confirms, at this frame or an earlier one."""
        if view not in DISC_VIEWS:
            return
        self._recent.append((frame, ventricle))
        if event is None:
            return
        found = next((v for number, v in self._recent if number == event.frame), None)
        if found is None or found.diameters_mm is None:
            return
        self._planes[view, event.kind] = found
        volumes = [self._volume_ml(kind) for kind in ("ED", "ES")]
        if volumes[0] and volumes[1] is not None:
            self.value = Biplane(volumes[0], volumes[1], ejection_fraction(volumes[0], volumes[1]))

    def _volume_ml(self, kind: str) -> float | None:
        planes = [self._planes[view, kind] for view in DISC_VIEWS if (view, kind) in self._planes]
        if len(planes) < len(DISC_VIEWS):
            return None
        one, other = planes
        assert one.diameters_mm is not None
        assert other.diameters_mm is not None
        return biplane_volume(max(one.length_mm or 0.0, other.length_mm or 0.0), one.diameters_mm, other.diameters_mm)
