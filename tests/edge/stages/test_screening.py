from __future__ import annotations

import numpy as np
import pytest

from edge.screen.known import KnownScreen
from edge.screen.tracker import LOCATE_FRAMES
from edge.sources import Captured
from edge.sources.synth import SynthSource
from edge.stages.ending import Ending
from edge.stages.safety import Guard, Limits
from edge.stages.screening import Screening
from edge.stages.shared import Shared
from edge.stated import Stated
from edge.threads.clock import StageClock
from edge.threads.realtime import Realtime
from tests.phantom import apical_frame


def test_a_frame_that_brings_another_scale_is_measured_by_it() -> None:
    source = SynthSource("synth://a4c?frames=1")
    source.stated = Stated()
    shared = Shared(
        source=source, guard=Guard(Limits(), True), clock=StageClock(), realtime=Realtime(), ending=Ending()
    )
    screening = Screening(shared, KnownScreen())
    scales = [(0.4, 0.4)] * (LOCATE_FRAMES + 2) + [(0.3, 0.3)] * 2 + [None] * 2
    seen = []
    for number, spacing_mm in enumerate(scales):
        image = np.ascontiguousarray(apical_frame(seed=number))
        frame = Captured(number, image, number * 20_000_000, number / 50, stated=Stated(spacing_mm, "OpenIGTLink"))
        look = screening.look(frame)
        seen.append((screening.calibration.spacing_mm, look.is_new))
    assert seen[LOCATE_FRAMES + 1] == ((0.4, 0.4), False)
    assert seen[LOCATE_FRAMES + 2] == (pytest.approx((0.3, 0.3)), True)
    assert seen[LOCATE_FRAMES + 3] == ((0.3, 0.3), False)
    assert seen[LOCATE_FRAMES + 4] == (None, True)
