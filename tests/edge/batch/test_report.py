"""The report: one file that asks nobody for anything, escapes what it is given, and names no patient."""

from __future__ import annotations

import base64
import re
from contextlib import nullcontext
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.batch.figures import KINDS
from edge.batch.many import run_many
from edge.batch.report import NOTICE
from edge.config import RunConfig
from edge.heart.record import Figure, Heart
from edge.stages.refining import Refine
from tests.edge.batch.loops import A2C, Opened, write_dcm, write_mp4
from tests.edge.nets.doubles import refiner

VOID = {"meta", "img", "br", "hr", "link", "input", "line", "circle", "polyline"}


class Reader(HTMLParser):
    """Checks that tags close in order; keeps the words and every address."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.words = ""
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "xlink:href")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += " " + data


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text("utf-8"))
    assert not reader.open
    return reader


def made(tmp_path: Path, sources: list[Path], **settings: object) -> list[Path]:
    config = RunConfig(out=str(tmp_path / "out"), **settings)  # type: ignore[arg-type]
    return list(run_many([str(source) for source in sources], config).reports)


def test_it_is_one_file_with_everything(tmp_path: Path, opened: Opened) -> None:
    (report,) = made(tmp_path, [write_dcm(tmp_path / "1.dcm"), write_dcm(tmp_path / "2.dcm", brightness=A2C)])
    page = read(report)
    assert not page.tags & {"script", "link", "iframe", "object", "form"}
    assert len(page.addresses) == 4  # ED and ES of two clips
    for address in page.addresses:
        kind, data = address.split(",")
        assert kind == "data:image/png;base64"
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.std() > 5
    assert "url(" not in report.read_text("utf-8").split("</style>")[0]
    for words in (
        NOTICE,
        "two planes: A4C (clip 1) and A2C (clip 2)",
        "Clip 2: A2C",
        "Best ED: frame",
        "basal inferior",
        "4.0 good",
        "0.41 mm per pixel, from: DICOM region",
        f"EchoEdge {edge.__version__}",
        "<b>double</b> fp32",
        "5e9" * 21 + "0",
        "LV volume (ml)",
        "time (s)",
        "Heart rate",
        "44 of 44 frames analysed",
    ):
        assert words in page.words


def test_what_is_withheld_stands_with_its_reason(tmp_path: Path, opened: Opened) -> None:
    (report,) = made(tmp_path, [write_mp4(tmp_path / "a.mp4"), write_mp4(tmp_path / "b.mp4", A2C)])
    words = read(report).words
    assert "mm per pixel not known, nothing is in mm" in words
    assert "withheld on 44 of 44 frames: mm per pixel unknown: give" in words
    assert "LV area (pixels)" in words
    assert "The files name no study" in words
    assert re.search(r"EDV - +mm per pixel unknown: give --depth-cm", words)


def test_it_names_no_patient_but_by_the_label(tmp_path: Path, opened: Opened) -> None:
    name = "DOE_JANE_19700101"
    broken = tmp_path / f"{name}-broken.mp4"
    broken.write_text("x")
    (known, together) = made(tmp_path, [write_dcm(tmp_path / f"{name}.dcm"), broken])
    for report in (known, together):
        text = re.sub(r'src="[^"]*"', "", report.read_text("utf-8"))  # the letters of a picture spell anything
        assert not any(words in text for words in ("DOE", "JANE", "1970", "Synthetic^Loop", "SYNTH0", str(tmp_path)))
    assert "Clip 2, refused" in read(together).words
    (labelled,) = made(
        tmp_path / "again", [tmp_path / f"{name}.dcm", tmp_path / "none.dcm"][:1], label="<i>Bed</i> & 3"
    )
    page = read(labelled)
    assert "<i>Bed</i> & 3" in page.words
    assert "i" in page.tags  # the bars are drawn with it
    assert "<i>Bed" not in labelled.read_text("utf-8")


def test_a_refined_ejection_fraction_stands_with_its_interval(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    refine = Refine(refiner()[0], samples=4)
    monkeypatch.setattr("edge.opening.opened_refine", lambda *_: nullcontext(refine))
    (report,) = made(tmp_path, [write_dcm(tmp_path / "1.dcm")], refine="keyframes", view="A4C")
    words = read(report).words
    assert "EF, refined" in words
    assert "its range is 5 to 95 % of the samples" in words
    assert "refined contour" in words


def test_every_figure_of_a_heart_has_its_words() -> None:
    figures = {name for name, kind in Heart.__annotations__.items() if str(kind).startswith(Figure.__name__)}
    assert figures == set(KINDS)


@pytest.mark.parametrize("count", [1, 3])
def test_a_clip_without_a_beat_says_so(count: int, tmp_path: Path, opened: Opened) -> None:
    (report,) = made(tmp_path, [write_dcm(tmp_path / "1.dcm", count=count)], view="A4C")
    words = read(report).words
    assert "No whole beat was found." in words
    assert "No ED was rated: the largest area" in words
