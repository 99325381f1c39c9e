from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import pytest

from edge.sinks import open_sink
from tests.edge.sinks.test_network import shown


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([10.0, 10.02, 10.04], [0, 0.02, 0.04]),
        ([10.0, 10.02, 11.5, 11.52], [0, 0.02, 1.5, 1.52]),  # frames were dropped: the gap stays
        ([5.0, 5.5, 5.1, 6.0], [0, 0.5, 0.5, 1.0]),  # never backwards
        ([0, 1001 / 30000, 2002 / 30000], [0, 1001 / 30000, 2002 / 30000]),
    ],
)
def test_a_video_keeps_the_times_of_its_pictures(tmp_path: Path, times: list[float], expected: list[float]) -> None:
    with open_sink(tmp_path / "x.mp4", 50) as sink:
        for number, at_s in enumerate(times):
            sink.write(replace(shown(number), at_s=at_s))
    with av.open(str(tmp_path / "x.mp4")) as container:
        found = [float(frame.time) for frame in container.decode(video=0)]
    assert found == pytest.approx(expected, abs=1e-4)
