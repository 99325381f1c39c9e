"""A recording that is mirrored or upside down, and says so by a flag, is measured as the upright one."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from edge.config import load_config
from edge.heart.plane import UPRIGHT, Turn
from edge.report import Report
from edge.run import run


def analysed(folder: Path, frames: list[np.ndarray], turn: Turn, nets: dict[str, Path]) -> Report:
    path = folder / f"{turn.mirrored}{turn.upside_down}.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            turned = np.dstack([turn.of(np.ascontiguousarray(channel)) for channel in np.moveaxis(frame, 2, 0)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(turned), format="rgb24")))
        container.mux(stream.encode())
    flags = {
        "source": str(path),
        "view": "A4C",
        "depth_cm": 16.0,
        "mirrored": turn.mirrored,
        "upside_down": turn.upside_down,
        "model": str(nets["pspnet-mk"]),
        "quality": str(nets["quality"]),
    }
    return run(load_config(None, {}, flags))[0]


@pytest.mark.parametrize("turn", [Turn(mirrored=True), Turn(mirrored=True, upside_down=True)])
def test_it_is_measured_as_the_upright_one(
    turn: Turn, sonosite: str, model_folders: dict[str, Path], tmp_path: Path
) -> None:
    from pydicom.pixels import pixel_array

    frames = list(pixel_array(sonosite))
    plain, turned = (analysed(tmp_path, frames, one, model_folders) for one in (UPRIGHT, turn))
    of_plain, of_turned = (report.heart["ef_percent"]["median"] for report in (plain, turned))
    assert of_turned == pytest.approx(of_plain, abs=3)
