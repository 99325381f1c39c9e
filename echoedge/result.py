"""What a recording shows: every frame's contour, scores and measurements, and what they come to."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from echoedge.again import analyse_again
from echoedge.frame import withheld_in
from echoedge.request import Input, Settings, is_file, shown
from echoedge.rows import median_of, row_of, write_csv, write_whole
from echoedge.streaming import Stream
from edge.errors import EchoEdgeError
from edge.heart.analysis import REGION_PX
from edge.postprocess import mask_on_frame
from edge.preprocess import Box
from edge.report import Report, problems_of
from edge.sinks import SUFFIXES


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptMask:
    """A mask as the loop has it, REGION_PX square in the coordinates of a box, packed; b"" for none."""

    box: Box
    packed: bytes

    def on_frame(self, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """HxW uint8 on a frame of `shape`."""
        if not self.packed:
            return np.zeros(shape, np.uint8)
        mask = np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(REGION_PX, REGION_PX)
        return mask_on_frame(mask, self.box, shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """One recording, analysed. `len` is N, the number of its frames.

    A result takes a few kilobytes a frame: it keeps what was found, not the pictures. `mask` unpacks all masks at once
    (N x H x W bytes), `mask_at` one; `plot(frame)` and `save` of a video or still go through the source again.
    `report` is what `echoedge run --json` prints. `error` says what ended the analysis early, "" for nothing.
    """

    source: Input
    settings: Settings
    shape: tuple[int, int]
    """(H, W) of the frames."""
    lines: tuple[bytes, ...]
    """Each frame's line of a .jsonl."""
    masks: tuple[KeptMask, ...]
    scores: NDArray[np.float32]
    """N x 8 float32 in the order of `echoedge.REGIONS`: 1 not visible … 5 excellent; NaN where there are none."""
    picture: bytes
    """The best ED and ES as PNG; where none was found, the last analysed frame; b"" where nothing was analysed."""
    report: Report | None
    error: str = ""

    def __len__(self) -> int:
        return len(self.lines)

    def __repr__(self) -> str:
        ef = "no EF" if self.ef is None else f"EF {self.ef:.0f} %"
        why = f", {self.error}" if self.error else ""
        return f"<Result of {shown(self.source)}: {len(self)} frames, {self.view or 'view unknown'}, {ef}{why}>"

    @property
    def mask(self) -> NDArray[np.uint8]:
        """N x H x W uint8 on the frames: 0 background, 1 left ventricle, 2 myocardium, 3 left atrium. Made anew at each
        call; all 0 in a frame that was not analysed."""
        return (
            np.stack([self.mask_at(index) for index in range(len(self))]) if self.lines else np.zeros((0, 0, 0), "u1")
        )

    def mask_at(self, index: int) -> NDArray[np.uint8]:
        """H x W uint8 of the frame at a place of the result (which is its number, but where frames were damaged)."""
        return self.masks[index].on_frame(self.shape)

    @cached_property
    def records(self) -> tuple[dict[str, Any], ...]:
        """Each frame's line of a .jsonl as a dict; `edge.sinks.jsonl.record_of` says what stands there."""
        return tuple(msgspec.json.decode(line) for line in self.lines)

    @property
    def frame_numbers(self) -> NDArray[np.int64]:
        """N numbers of the frames in the source."""
        return np.array([record["frame"] for record in self.records], np.int64)

    @property
    def times_s(self) -> NDArray[np.float64]:
        """N times of the frames in the source, in seconds."""
        return np.array([record["time_s"] for record in self.records], np.float64)

    @property
    def volumes_ml(self) -> NDArray[np.float64]:
        """N volumes of the left ventricle by discs of this plane; NaN where withheld."""
        return np.array([record.get("lv_volume_ml") for record in self.records], np.float64)

    @property
    def view(self) -> str:
        """A4C, A2C, A3C or A5C; "" where it is not known."""
        return self.report.view if self.report is not None else ""

    @property
    def ef(self) -> float | None:
        """Ejection fraction in percent, the median of the last beats, single plane; None where no beat has one."""
        return median_of(self.heart, "ef_percent")

    @property
    def beats(self) -> list[dict[str, Any]]:
        """Every end-diastole and end-systole in order: {"kind": "ED" or "ES", "frame", "volume_ml" or None}."""
        return self.report.events if self.report is not None else []

    @property
    def heart(self) -> dict[str, Any]:
        """The last beats' figures that are known, such as "ef_percent", "edv_ml": median, low, high and n
        each, as a line of a .jsonl has them."""
        return self.report.heart if self.report is not None else {}

    @property
    def withheld(self) -> dict[str, int]:
        """Why something is not there -> on how many frames."""
        counts: dict[str, int] = {}
        for record in self.records:
            for reason in set(withheld_in(record).values()):
                counts[reason] = counts.get(reason, 0) + 1
        return counts

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat dict a frame, of numbers, words and None; all with the same keys: `pandas.DataFrame(rows)`."""
        return [row_of(record) for record in self.records]

    def save(self, path: str | Path) -> Path:
        """Write .csv, .jsonl, _best.png (what `plot` shows), .mp4 or .png (the last picture); returns the path.

        The last two go through the source again, so an array or file must still be there. Raises EchoEdgeError for
        another suffix, for a folder that cannot be written, for the source itself as the file, and for a picture where
        nothing was analysed.
        """
        path = Path(path)
        if is_file(self.source, path):
            raise EchoEdgeError(f"{path} is the source itself; give another name")
        if not path.name.endswith((".csv", *SUFFIXES)):
            raise EchoEdgeError(f"{path} has no known suffix; use a name ending in {', '.join((*SUFFIXES, '.csv'))}")
        if path.suffix == ".jsonl":
            write_whole(path, b"".join(line + b"\n" for line in self.lines))
        elif path.suffix == ".csv":
            write_csv(path, self.to_rows())
        elif path.name.endswith("_best.png"):
            write_whole(path, self._drawn())
        else:
            analyse_again(self.source, self.settings, path)
        return path

    def plot(self, frame: int | None = None) -> NDArray[np.uint8]:
        """The best ED and ES side by side, or the frame of that number: contour, coloured regions, caption, uint8 RGB.

        A frame is looked for in the source, up to it. Raises EchoEdgeError where there is no such frame, or nothing was
        analysed.
        """
        if frame is not None:
            with Stream(self.source, self.settings) as frames:
                for each in frames:
                    if each.number == frame:
                        return each.plot()
            last = int(self.frame_numbers.max(initial=-1))
            raise EchoEdgeError(f"there is no frame {frame}; {shown(self.source)} has 0 to {last}")
        decoded = cv2.imdecode(np.frombuffer(self._drawn(), np.uint8), cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(np.asarray(decoded), cv2.COLOR_BGR2RGB), np.uint8)

    def _drawn(self) -> bytes:
        if not self.picture:
            raise EchoEdgeError(f"nothing was analysed of {shown(self.source)}: {self.error}")
        return self.picture

    def _repr_png_(self) -> bytes | None:
        return self.picture or None


def error_of(report: Report) -> str:
    """What ended a run early, or why nothing was analysed."""
    return "; ".join(problems_of(report))
