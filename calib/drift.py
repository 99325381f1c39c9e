"""The grey levels of a calibration set, and how far live frames are from them; `edge.nets.drift` is the measure."""

from __future__ import annotations

from collections.abc import Sequence

import edge.nets.drift
from calib.choose import CalibrationSet
from calib.frames import Frame
from edge.nets.drift import Drift
from edge.nets.manifest import GreyLevels


def grey_levels_of(chosen: CalibrationSet) -> GreyLevels:
    """What a manifest tells the runtime of its calibration set."""
    return edge.nets.drift.grey_levels_of([f.histogram for f in chosen.frames], [f.patient for f in chosen.frames])


def drift_of(chosen: CalibrationSet, live: Sequence[Frame]) -> Drift:
    """Distance of live frames from a set."""
    return edge.nets.drift.drift_of(grey_levels_of(chosen), [frame.histogram for frame in live])
