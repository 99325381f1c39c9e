"""One analysed frame, as Python sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echoedge.rows import median_of, row_of
from edge.heart.analysis import NO_SCORES, Analysis
from edge.heart.regions import region_names
from edge.picture.panel import frame_panel
from edge.postprocess import mask_on_frame
from edge.preprocess import Frame
from edge.sinks.base import Shown
from edge.sinks.jsonl import shown_record
from edge.sinks.still import still_png


@dataclass(frozen=True, kw_only=True, eq=False)
class AnalysedFrame:
    """What one frame shows. Nothing of the scanner's screen but the sector is in it.

    `number` and `time_s` are its own in the source; `record` is the line that `echoedge run` writes for it into a
    .jsonl; `picture` is the screen that a viewer sees, 720x1280x3 uint8 RGB. The arrays are the caller's.
    """

    number: int
    time_s: float
    image: Frame
    """The frame: HxW grey or HxWx3 RGB uint8, black outside the sector."""
    picture: NDArray[np.uint8]
    record: dict[str, Any]
    analysis: Analysis | None

    @property
    def mask(self) -> NDArray[np.uint8]:
        """HxW uint8 on the frame: 0 background, 1 left ventricle, 2 myocardium, 3 left atrium. All 0 where nothing was
        analysed."""
        shape = self.image.shape[:2]
        if self.analysis is None:
            return np.zeros(shape, np.uint8)
        return mask_on_frame(self.analysis.mask, self.analysis.box, shape)

    @property
    def scores(self) -> NDArray[np.float32]:
        """8 float32 in the order of `echoedge.REGIONS`: 1 not visible, 2 poor, 3 ok, 4 good, 5 excellent; NaN where
        there are none."""
        return np.array(NO_SCORES if self.analysis is None else self.analysis.scores, np.float32)

    @property
    def view(self) -> str:
        """A4C, A2C, A3C or A5C; "" while it is not known."""
        return self.analysis.view if self.analysis is not None else ""

    @property
    def ef(self) -> float | None:
        """Ejection fraction in percent, the median of the beats so far; None before the first one."""
        return median_of(self.record.get("heart") or {}, "ef_percent")

    @property
    def area_cm2(self) -> float | None:
        """Area of the left ventricle; None where it is withheld."""
        return self.record.get("lv_area_cm2")

    @property
    def length_mm(self) -> float | None:
        """Long axis of the left ventricle; None where it is withheld."""
        return self.record.get("lv_length_mm")

    @property
    def volume_ml(self) -> float | None:
        """Volume of the left ventricle by discs of this plane; None where it is withheld."""
        return self.record.get("lv_volume_ml")

    @property
    def withheld(self) -> dict[str, str]:
        """Why something is not there: "frame", "area" or "volume" -> the reason in words. Empty where all is."""
        return withheld_in(self.record)

    def to_row(self) -> dict[str, Any]:
        """One flat dict of plain values, the same keys for every frame."""
        return row_of(self.record)

    def plot(self) -> NDArray[np.uint8]:
        """The frame with contour and coloured regions above a caption, 580x640x3 uint8 RGB; where nothing was analysed,
        `picture`, which says why."""
        if self.analysis is None:
            return self.picture
        return frame_panel(self.analysis, f"Frame {self.number}", scores_in_words(self.scores))

    def _repr_png_(self) -> bytes:
        return still_png(self.plot(), "")


def frame_of(shown: Shown, view: str) -> AnalysedFrame | None:
    """What an output of the loop is shown, with copies of what the loop uses again; None for a banner that no frame
    belongs to. `view` is the operator's."""
    if shown.frame is None:
        return None
    return AnalysedFrame(
        number=shown.frame.number,
        time_s=shown.frame.time_s,
        image=shown.frame.image,
        picture=shown.picture.copy(),
        record=shown_record(shown, region_names(view)),
        analysis=shown.analysis,
    )


def withheld_in(record: dict[str, Any]) -> dict[str, str]:
    """The reasons of one line of a .jsonl."""
    if "withheld" in record:
        return {"frame": record["withheld"]}
    return dict(record["withheld_measurements"] or {})


def scores_in_words(scores: NDArray[np.float32]) -> str:
    """For a caption."""
    if not np.isfinite(scores).all():
        return "quality not scored"
    return f"quality: mean {scores.mean():.1f}, lowest {scores.min():.1f}"
