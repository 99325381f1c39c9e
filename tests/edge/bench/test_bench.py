"""The commands as a user runs them, on the shipped networks and a short clip."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge.bench.clip import AtRate, Timed, write_clip
from edge.bench.command import name_of
from edge.bench.glass import main as glass
from edge.bench.interleave import YARDSTICK, Plan, measure, worker_of
from edge.bench.monitor import Monitor
from edge.bench.result import Result
from edge.bench.trace import Trace
from edge.bench.worker import Order, Spec
from edge.cli import main
from edge.errors import BackendError
from edge.sources import open_source
from edge.sources.paced import Repeated
from tests.phantom import apical_frame, on_screen


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    for number in range(12):
        frame = apical_frame(1 + 0.2 * float(np.sin(number)), number)
        cv2.imwrite(str(folder / f"{number:03d}.png"), on_screen(frame))
    path = folder / "clip.mp4"
    with open_source(str(folder)) as source:
        write_clip(source, path)
    return path


def test_a_clip_that_was_written_is_read_again(clip: Path) -> None:
    with open_source(str(clip)) as source:
        assert [frame.image.shape for frame in source] == [(720, 1280, 3)] * 12


def test_a_timed_clip_ends_and_a_rate_sets_the_times(clip: Path) -> None:
    with Timed(Repeated(open_source(str(clip))), 0.3) as timed:
        assert len(list(timed)) > 0
    with AtRate(open_source(str(clip)), 60, 100.0) as at_rate:
        assert [frame.time_s for frame in at_rate] == pytest.approx([n / 100 for n in range(12)])


def test_a_trace_cuts_off_the_warm_up() -> None:
    trace = Trace()
    trace.add("segment", 5_000_000)
    since = (trace.first_ns("segment") or 0) + 1
    trace.add("segment", 7_000_000)
    assert trace.durations_ms(since) == {"segment": [7.0]}
    assert len(trace.ends_ns("segment", 0)) == 2
    assert trace.count("segment") == 2
    assert trace.first_ns("absent") is None


@pytest.mark.parametrize(
    ("source", "backend", "precision", "refine", "name"),
    [
        ("/data/loop.mp4", "auto", "auto", "off", "loop.mp4"),
        ("loop.mp4", "openvino", "int8", "off", "loop.mp4 openvino int8"),
        ("loop.mp4", "auto", "auto", "keyframes", "loop.mp4 refine keyframes"),
        ("rtsp://user:secret@host/x", "auto", "fp32", "off", "rtsp://***@host/x fp32"),
    ],
)
def test_names_of_configurations(source: str, backend: str, precision: str, refine: str, name: str) -> None:
    assert name_of(source, backend, precision, refine) == name


def test_the_pipeline_is_measured_and_a_short_run_is_invalid(clip: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge.cli", "bench", str(clip), "--seconds", "1", "--slice", "2", "--warm", "0.1"]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stderr
    assert "INVALID" in done.stdout
    assert "at least 60" in done.stdout
    assert "p50" not in done.stdout
    assert "frames a second" not in done.stdout
    result = msgspec.json.decode((tmp_path / "result.json").read_bytes(), type=Result)
    assert not result.valid
    assert result.fps > 0
    assert {"preprocess", "segment", "quality", "measure", "overlay"} <= set(result.runs[0].stages_ms)
    assert result.runs[0].first_frame_ms is not None
    assert result.runs[0].facts["segmentation backend"].endswith("int8")
    assert [run.name for run in result.runs] == ["clip.mp4", YARDSTICK]
    assert "INVALID" in (tmp_path / "report.html").read_text()


def test_a_worker_answers_orders(clip: Path) -> None:
    with ExitStack() as stack:
        worker = stack.enter_context(worker_of(Spec("yardstick", "x")))
        worker.wait_ready()
        piece = worker.run(Order(0.1, 0.0))
        assert piece.headline == "multiply"
        assert len(piece.stages_ms["multiply"]) == len(piece.intervals_ms) + 1


def test_at_a_rate_beyond_reach_frames_are_dropped_and_counted(clip: Path, refine_folder: Path) -> None:
    nets = ("pspnet-mk", "quality")
    spec = Spec("pipeline", "x", str(clip), *nets, refine="always", refine_model=str(refine_folder))
    with ExitStack() as stack:
        worker = stack.enter_context(worker_of(spec))
        worker.wait_ready()
        piece = worker.run(Order(4.0, 0.0, 400.0))
    assert piece.dropped["late"] > 0
    assert len(piece.stages_ms["segment"]) > 0
    assert len(piece.stages_ms["refine"]) > 0


def test_what_cannot_run_says_so(clip: Path, tmp_path: Path) -> None:
    spec = Spec("net", "absent", str(clip), str(tmp_path / "no-model"))
    with (
        ExitStack() as stack,
        Monitor() as monitor,
        pytest.raises(BackendError, match=r"absent: .*neither a model folder nor"),
    ):
        measure([partial(worker_of, spec)], Plan(0.1, 0.1, 0.0), stack, monitor)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "--regression", "5"], "--compare"),
        (["bench", "--precision", "int9"], "'int9' is unknown"),
        (["bench", "--limit-ms", "50", "--at-fps", "30"], "leave --at-fps out"),
        (["bench", "glass", "--send", "window://"], "belong together"),
    ],
)
def test_bad_options_end_in_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--schema"]) == 0
    assert "latency_ms" in json.loads(capsys.readouterr().out)["$defs"]["Result"]["properties"]


@pytest.mark.slow
def test_glass_to_glass_over_a_network_loop(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A rate that even a busy machine keeps, so that frames come through whatever else runs.
    glass(["--clip", str(clip), "--fps", "8", "--seconds", "6", "--json", "--even-if-invalid"])
    result = msgspec.json.decode(capsys.readouterr().out, type=Result)
    assert result.kind == "glass"
    stages = result.runs[0].stages_ms
    assert {"send", "decode", "segment", "show", "decode of the eye", "scanner to capture"} <= set(stages)
    assert result.latency_ms.p50 > stages["scanner to capture"].p50 > stages["decode"].p50
    assert any("one frame time" in note for note in result.notes)
