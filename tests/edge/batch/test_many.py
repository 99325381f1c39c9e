"""Many recordings in one call: each has its row and its files, whatever becomes of the others."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
from pathlib import Path

import pytest

from edge.batch.many import Outcome, run_many
from edge.batch.row import exit_code
from edge.batch.say import say_many
from edge.config import RunConfig
from edge.errors import EchoEdgeError
from edge.run import main
from tests.edge.batch.loops import A2C, FRAMES, Opened, write_dcm, write_mp4


def config_of(folder: Path, **settings: object) -> RunConfig:
    return RunConfig(out=str(folder / "out"), depth_cm=16.0, **settings)  # type: ignore[arg-type]


def states(outcome: Outcome) -> list[tuple[str, str]]:
    return [(row.name, row.status) for row in outcome.rows]


def test_every_clip_has_its_row_and_its_files(tmp_path: Path, opened: Opened) -> None:
    loops = [write_mp4(tmp_path / "a" / "loop.mp4"), write_mp4(tmp_path / "b" / "loop.mp4", A2C)]
    outcome = run_many([str(loop) for loop in loops], config_of(tmp_path))
    assert states(outcome) == [("loop", "done"), ("loop-2", "done")]
    assert [row.frames for row in outcome.rows] == [FRAMES, FRAMES]
    assert [row.view for row in outcome.rows] == ["A4C", "A2C"]
    out = tmp_path / "out"
    for row in outcome.rows:
        assert row.ef is not None
        assert row.edv is not None
        assert {Path(path).name for path in row.outputs} == {
            f"{row.name}{suffix}" for suffix in (".mp4", ".jsonl", ".png", "_best.png")
        }
        assert len((out / f"{row.name}.jsonl").read_text().splitlines()) == FRAMES
    assert opened.times == {"segmenter": 1, "scorer": 1}
    lines = [json.loads(line) for line in (out / "clips.jsonl").read_text().splitlines()]
    assert [line["name"] for line in lines] == ["loop", "loop-2"]
    assert lines[0]["report"]["frames_processed"] == FRAMES
    assert outcome.reports == (out / "report.html",)
    assert exit_code(outcome.rows, outcome.ended) == 0


def test_planes_of_one_study_give_a_biplane_measurement(tmp_path: Path, opened: Opened) -> None:
    write_dcm(tmp_path / "in" / "1.dcm")
    write_dcm(tmp_path / "in" / "2.dcm", brightness=A2C)
    write_dcm(tmp_path / "in" / "other.dcm", patient=2)
    outcome = run_many([str(tmp_path / "in")], config_of(tmp_path))
    together, alone = outcome.studies
    assert together.planes == {"A4C": 1, "A2C": 2}
    assert together.is_known
    assert together.biplane is not None
    planes = [row.ef.median for row in outcome.rows[:2] if row.ef]
    assert min(planes) - 3 < together.biplane.ef_percent < max(planes) + 3
    assert (alone.planes, alone.biplane) == ({"A4C": 3}, None)
    out = tmp_path / "out"
    assert outcome.reports == (out / "study-1" / "report.html", out / "study-2" / "report.html")
    assert sorted(path.name for path in (out / "study-2").glob("*.mp4")) == ["other.mp4"]


def test_beats_of_one_clip_are_not_the_next_ones(tmp_path: Path, opened: Opened) -> None:
    loop, short = write_mp4(tmp_path / "loop.mp4"), write_mp4(tmp_path / "short.mp4", count=4)
    outcome = run_many([str(loop), str(short)], config_of(tmp_path))
    assert outcome.rows[0].ef is not None
    assert outcome.rows[1].ef is None
    assert outcome.rows[1].report is not None
    assert outcome.rows[1].report.events == []


def test_what_is_refused_or_broken_has_its_reason(tmp_path: Path, opened: Opened) -> None:
    whole, cut = write_mp4(tmp_path / "whole.mp4"), tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:2000])
    (tmp_path / "empty.dcm").write_bytes(b"")
    names = ("cut.mp4", "none.mp4", "empty.dcm", "whole.mp4")
    outcome = run_many([str(tmp_path / name) for name in names], config_of(tmp_path))
    assert [row.status for row in outcome.rows] == ["refused", "refused", "refused", "done"]
    reasons = [row.reason for row in outcome.rows]
    assert "no video that FFmpeg can read" in reasons[0]
    assert "does not exist" in reasons[1]
    assert "empty" in reasons[2]
    assert not any(str(tmp_path) in reason for reason in reasons)
    assert exit_code(outcome.rows, outcome.ended) == 3
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Clip 1, refused: is no video" in page


def test_a_network_that_fails_costs_its_clip_alone(tmp_path: Path, opened: Opened) -> None:
    def fail() -> None:
        raise RuntimeError("the driver is gone")

    opened.segment.at_call[1 + FRAMES // 2] = fail
    loops = [write_mp4(tmp_path / name) for name in ("a.mp4", "b.mp4")]
    outcome = run_many([str(loop) for loop in loops], config_of(tmp_path))
    assert states(outcome) == [("a", "failed"), ("b", "done")]
    assert "the driver is gone" in outcome.rows[0].reason
    assert exit_code(outcome.rows, outcome.ended) == 1


def test_a_signal_ends_it_after_the_frame_at_work(tmp_path: Path, opened: Opened) -> None:
    number = signal.SIGINT
    loops = [write_mp4(tmp_path / name) for name in ("a.mp4", "b.mp4", "c.mp4")]
    opened.segment.at_call[1 + FRAMES + 30] = lambda: os.kill(os.getpid(), number)
    before = signal.getsignal(number)
    outcome = run_many([str(loop) for loop in loops], config_of(tmp_path))
    assert states(outcome) == [("a", "done"), ("b", "ended"), ("c", "not begun")]
    assert outcome.ended == number.name
    assert exit_code(outcome.rows, outcome.ended) == 128 + number
    assert 0 < outcome.rows[1].frames < FRAMES
    out = tmp_path / "out"
    assert len((out / "b.jsonl").read_text().splitlines()) == outcome.rows[1].frames
    assert not (out / "c.mp4").exists()
    assert outcome.reports == (out / "report.html",)
    assert len((out / "clips.jsonl").read_text().splitlines()) == 3
    assert signal.getsignal(number) == before


class Gone(io.TextIOBase):
    """What is left of a terminal that hung up."""

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_where_nobody_reads_the_clips_go_on(tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    loops = [write_mp4(tmp_path / name, count=2) for name in ("a.mp4", "b.mp4")]
    monkeypatch.setattr("sys.stderr", Gone())
    assert states(run_many([str(loop) for loop in loops], config_of(tmp_path))) == [("a", "done"), ("b", "done")]


def test_nothing_that_was_there_is_lost(tmp_path: Path, opened: Opened) -> None:
    loop = write_mp4(tmp_path / "loop.mp4")
    config = config_of(tmp_path)
    run_many([str(loop), str(loop)], config)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    with pytest.raises(EchoEdgeError, match="is not empty; give --out a new folder"):
        run_many([str(loop)], config)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert opened.times["segmenter"] == 1


def test_without_a_folder_each_call_has_its_own(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loop = write_mp4(tmp_path / "loop.mp4", count=3)
    outs = {run_many([str(loop)], RunConfig()).out for _ in range(2)}
    assert len(outs) == 2
    assert all(out.parent == Path("runs") and (out / "loop.mp4").exists() for out in outs)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sinks": ("x.mp4",)}, "--sink is of one source"),
        ({"record": "x.mkv"}, "--record is of one source"),
        ({"name": "x"}, "--name is of one source"),
        ({"pace": "native"}, "--pace native is of one source"),
        ({"encoder": "h264_none"}, "h264_none"),
    ],
)
def test_what_is_of_one_source_is_refused_before_anything_begins(
    settings: dict[str, object], says: str, tmp_path: Path, opened: Opened
) -> None:
    with pytest.raises(EchoEdgeError, match=says):
        run_many([str(write_mp4(tmp_path / "loop.mp4", count=2))], config_of(tmp_path, **settings))
    assert opened.times["segmenter"] == 0
    assert not (tmp_path / "out").exists()


def test_the_command_prints_a_row_a_clip(tmp_path: Path, opened: Opened, capsys: pytest.CaptureFixture[str]) -> None:
    loops = [str(write_mp4(tmp_path / name)) for name in ("a.mp4", "[b].mp4")]
    out = str(tmp_path / "out")
    assert main([loops[0], "--out", out, loops[1], str(tmp_path / "none.mp4")]) == 3
    said = capsys.readouterr()
    assert "2 of 3 clips done" in said.out
    assert sum(" done; volumes" in line for line in said.out.splitlines() if line.startswith("│")) == 2
    assert "volumes withheld: mm per pixel unknown: give --depth-cm" in said.out
    assert "not a medical device" in said.out
    assert [line.split(":")[0] for line in said.err.splitlines()] == ["1/3 a", "2/3 b", "3/3 none"]


def test_json_is_one_document(tmp_path: Path, opened: Opened, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    write_mp4(tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "notes.txt").write_text("x")
    say_many(run_many([str(tmp_path / "in")], config_of(tmp_path)), as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [(clip["name"], clip["status"]) for clip in told["clips"]] == [("a", "done")]
    assert told["clips"][0]["ejection_fraction_percent"]["n"] >= 2
    assert told["left_out"][0]["reason"] == "not a video, a DICOM file or a picture"
    assert told["reports"] == [str(tmp_path / "out" / "report.html")]


def test_one_recording_stays_one_run_unless_a_report_is_asked_for(
    tmp_path: Path, opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    loop, out = str(write_mp4(tmp_path / "loop.mp4")), tmp_path / "out"
    assert main([loop, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames_processed"] == FRAMES
    assert not (out / "report.html").exists()
    assert main([loop, "--out", str(tmp_path / "with"), "--report", "--json"]) == 0
    assert (tmp_path / "with" / "report.html").exists()
    assert len(json.loads(capsys.readouterr().out)["clips"]) == 1


@pytest.mark.slow
def test_a_clip_comes_out_as_it_does_alone(
    tmp_path: Path, sonosite: str, model_folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The networks of the repository: nothing of the clip before is in the next one."""
    models = ["--model", str(model_folders["pspnet-mk"]), "--quality", str(model_folders["quality"]), "--view", "A4C"]
    many, alone = tmp_path / "many", tmp_path / "alone"
    synthetic = "synth://a4c?seed=3&fps=30&severity=0&frames=60"
    assert main([synthetic, sonosite, "--out", str(many), *models]) == 0
    assert main([sonosite, "--out", str(alone), "--name", "x", *models]) == 0

    def figures(path: Path) -> list[dict[str, object]]:
        return [json.loads(line) | {"age_ms": 0} for line in path.read_text().splitlines()]

    name = f"{Path(sonosite).stem}.jsonl"
    assert figures(next(many.rglob(name))) == figures(alone / "x.jsonl")
    assert (next(many.rglob(name)).parent / "report.html").exists()
    capsys.readouterr()
