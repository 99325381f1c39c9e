"""Of a scanner's screen nothing but the sector leaves: names on twenty layouts, in every file, stream, message and log.

What stands outside the sector must not matter at all: two runs whose screens differ only in the name on them give the
same pictures, lines and recordings, bit by bit.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.loop import LoopOptions, run_loop
from edge.picture.layout import FOOT_Y, WIDTH, part
from edge.sinks import Shown, open_sink
from edge.sources import open_source
from edge.sources.paced import Paced
from edge.sources.sidecar import read_sidecar
from edge.stages.safety import Limits
from edge.synth.screen_kinds import KindScreen
from tests.edge.nets.doubles import nets
from tests.peers.processes import need
from tests.screens import NAMES, OTHERS, Clip, layouts, loop_of, named, screens_of

UNTIMED = (0, 0, WIDTH, FOOT_Y)
"""Of the picture: below stand rate and age, which no two runs have alike."""
PATIENT = Limits(signal_ms=60_000, freeze_ms=60_000, stuck_ms=60_000, age_ms=60_000)


class Spy:
    """An output that keeps all that it is given, as any output may."""

    name = "spy"

    def __init__(self) -> None:
        self.shown: list[Shown] = []

    def write(self, shown: Shown) -> None:
        self.shown.append(replace(shown, picture=shown.picture.copy()))


def run(clip: Clip | Paced, folder: Path, records: bool = True, **options: object) -> Spy:
    segmenter, scorer, *_ = nets()
    spy = Spy()
    with clip, open_sink(folder / "x.jsonl", 30) as lines, open_sink(folder / "x.png", 30) as still:
        record = str(folder / "x.mkv") if records else ""
        given = LoopOptions(limits=PATIENT, deadline_ms=60_000, record=record, **options)  # type: ignore[arg-type]
        run_loop(clip, segmenter, scorer, [spy, lines, still], given)  # type: ignore[list-item]
    return spy


def recorded(folder: Path) -> tuple[list[NDArray[np.uint8]], NDArray[np.bool_]]:
    """(the pictures in a recording, the sector that its sidecar tells)."""
    with av.open(str(folder / "x.mkv")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    sidecar = read_sidecar(folder / "x.mkv")
    assert sidecar is not None
    settings = [row.setting for row in sidecar.frames if row.setting is not None]
    assert len(settings) == 1
    return pictures, settings[0].sector(pictures[0].shape[:2]).mask


@pytest.mark.parametrize("layout", layouts())
def test_a_name_on_the_screen_is_in_nothing_that_leaves(
    layout: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clips = {"one": named(layout, NAMES), "other": named(layout, OTHERS)}
    assert any((one != other).any() for one, other in zip(*clips.values()))
    # The scale is given: letters that stand in a column with the ticks may keep them from being read.
    spies = {
        name: run(Clip(clip, spacing_mm=(0.3, 0.3)), tmp_path / name, name == "one") for name, clip in clips.items()
    }
    pictures, sector = recorded(tmp_path / "one")
    truth = screens_of(layout)[1]
    assert (sector & truth).sum() / (sector | truth).sum() > 0.93
    for number, picture in enumerate(pictures):  # lossless inside, nothing outside
        seen = clips["one"][number % len(clips["one"])]
        assert (picture[sector] == seen[sector]).all()
        assert not picture[~sector].any()
    for shown in spies["one"].shown:
        assert shown.screen is None
        assert shown.frame is not None
        assert not np.asarray(shown.frame.image)[~sector].any()
        assert shown.analysis is not None
        assert shown.analysis.frame is shown.frame
    for one, other in zip(spies["one"].shown, spies["other"].shown, strict=True):
        assert (one.frame.image == other.frame.image).all()  # type: ignore[union-attr]
        assert (part(one.picture, UNTIMED) == part(other.picture, UNTIMED)).all()
    lines = [(tmp_path / name / "x.jsonl").read_text().splitlines() for name in clips]
    without_age = [[{**json.loads(line), "age_ms": 0} for line in some] for some in lines]
    assert without_age[0] == without_age[1]
    written = b"".join(path.read_bytes() for path in (tmp_path / "one").iterdir()) + caplog.text.encode()
    for word in re.findall(r"[A-Z]{3,}|\d{8}", " ".join(NAMES)):  # four digits stand in a nanosecond by chance
        assert word.encode() not in written


@pytest.mark.parametrize("layout", list(layouts())[:6])
def test_no_character_can_be_read_from_what_leaves(layout: str, tmp_path: Path) -> None:
    tesseract = need("tesseract", "tesseract-ocr")

    def read(picture: NDArray[np.uint8], name: str) -> str:
        """What tesseract reads in a picture, twice as large, black on white."""
        path = tmp_path / f"{name}.png"
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        cv2.imwrite(str(path), 255 - cv2.resize(grey, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
        done = subprocess.run(
            [tesseract, str(path), "-", "--psm", "11"], capture_output=True, text=True, check=True, timeout=300
        )
        return done.stdout.upper()

    pictures = named(layout, NAMES)
    spy = run(Clip(pictures), tmp_path / "run")
    words = ("MUSTERMANN", "ERIKA", "19700131", "4711")
    assert sum(word in read(pictures[0], "screen") for word in words) >= 2  # it can be read on the screen itself
    for picture, name in ((spy.shown[-1].picture, "shown"), (recorded(tmp_path / "run")[0][-1], "recorded")):
        text = read(picture, name)
        assert not any(word in text for word in words)


@pytest.mark.parametrize("layout", ["screen1", "screen4"])
def test_before_the_sector_is_known_nothing_of_the_screen_is_shown(layout: str, tmp_path: Path) -> None:
    spies = [
        run(Paced(Clip(named(layout, words), 80)), tmp_path / str(k))  # type: ignore[arg-type]
        for k, words in enumerate((NAMES, OTHERS))
    ]
    for spy in spies:
        searching = [shown for shown in spy.shown if shown.withheld.startswith("LOOKING")]
        assert searching
        assert not any(np.asarray(shown.frame.image).any() for shown in searching if shown.frame is not None)
        assert any(shown.analysis is not None for shown in spy.shown)
    panels = [part(next(s for s in spy.shown if s.withheld).picture, UNTIMED) for spy in spies]
    assert (panels[0] == panels[1]).all()


@pytest.mark.parametrize("live", [True, False])
def test_a_page_that_opens_over_the_sector_is_not_shown_for_a_single_frame(live: bool, tmp_path: Path) -> None:
    layout = layouts()["screen4"]
    pictures, sector = screens_of("screen4")
    loop = loop_of(layout.echo[2])
    page = KindScreen(layout, loop, "page").compose(loop.frame(0))
    assert page[sector].any()
    order = [*range(len(pictures))] * 12
    clip = Clip([*(pictures[k] for k in order), *[page] * 12], len(order) + 12)
    spy = run(Paced(clip) if live else clip, tmp_path)  # type: ignore[arg-type]
    kept, _ = recorded(tmp_path)
    shown = [np.asarray(s.frame.image) for s in spy.shown if s.frame is not None]
    for picture in (*kept, *shown):
        seen = picture[sector].astype(int)
        assert not seen.any() or any(np.abs(seen - known[sector]).mean() < 3 for known in pictures)


def test_a_recording_of_the_sector_replays_to_the_same_figures(tmp_path: Path) -> None:
    """Scale from ticks that are not in the recording, view and all."""
    clip = Paced(Clip(named("screen1", NAMES), 90))  # type: ignore[arg-type]
    run(clip, tmp_path, view="A4C")
    segmenter, scorer, *_ = nets()
    with open_source(str(tmp_path / "x.mkv")) as source, open_sink(tmp_path / "again.jsonl", 30) as sink:
        report = run_loop(source, segmenter, scorer, [sink])
    lines = [
        {line["frame"]: {k: v for k, v in line.items() if k != "age_ms"} for line in map(json.loads, text.splitlines())}
        for text in ((tmp_path / name).read_text() for name in ("x.jsonl", "again.jsonl"))
    ]
    live, again = lines
    assert {number: again[number] for number in live} == live
    measured = [line for line in live.values() if line.get("lv_area_cm2")]
    assert measured
    assert {line["mm_per_px_from"] for line in measured} == {"ticks"} == {report.sector["mm_per_px_from"]}
    assert {line["view"] for line in measured} == {"A4C"}


def test_the_whole_screen_goes_to_windows_alone_and_only_when_asked_for(tmp_path: Path) -> None:
    class Window(Spy):
        def __init__(self) -> None:
            super().__init__()
            self.keys: dict[str, object] = {}

    pictures = named("screen4", NAMES)
    segmenter, scorer, *_ = nets()
    for asked in (True, False):
        window, other = Window(), Spy()
        run_loop(Clip(pictures), segmenter, scorer, [window, other], LoopOptions(shows_screen=asked))  # type: ignore[list-item]
        assert all((shown.screen is not None) == asked for shown in window.shown)
        assert not any(shown.screen is not None for shown in other.shown)
        for one, two in zip(window.shown, other.shown, strict=True):
            assert (one.picture == two.picture).all()


def test_no_patient_field_of_a_dicom_file_reaches_an_output_or_a_log(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    from pydicom.examples import get_path

    data = pydicom.dcmread(get_path("ybr_color"))
    fields = {
        "PatientName": "Mustermann^Erika",
        "PatientID": "ID471147114711",
        "PatientBirthDate": "19700131",
        "OtherPatientIDs": "ZZ99881122",
        "PatientAddress": "Feldweg 77 Hintertupfing",
        "ReferringPhysicianName": "Quacksalber^Kunibert",
        "InstitutionName": "Klinikum Hintertupfing",
        "AccessionNumber": "ACC7654321",
        "PatientComments": "Geheimniskraemerei",
    }
    for keyword, value in fields.items():
        setattr(data, keyword, value)
    data.save_as(tmp_path / "loop.dcm")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edge.cli", "--debug", "run", str(tmp_path / "loop.dcm")),
            *("--out", str(tmp_path / "out"), "--record", str(tmp_path / "out/x.mkv"), "--json"),
        ],
        capture_output=True,
        timeout=600,
        check=True,
    )
    written = done.stdout + done.stderr + b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert b"frames_in" in written
    for value in fields.values():
        for word in value.replace("^", " ").split():
            assert word.encode() not in written or len(word) < 4
