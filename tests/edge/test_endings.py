"""However a run ends: its code, its report, and what is on disk."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from edge.config import RunConfig, load_config
from edge.errors import EchoEdgeError
from edge.opening import outputs_of
from edge.report import CLOSED
from edge.stages.ending import Ending
from tests.edge.endings import (
    BEFORE_OPENING,
    KEY,
    OPENING,
    SOURCE,
    START_S,
    ended,
    has_come,
    lines_of,
    pictures_of,
    replayed,
)
from tests.peers.processes import need, virtual_screen, wait_until

CODES = {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "after"),
    [
        ("SIGTERM", BEFORE_OPENING),
        ("SIGINT", OPENING),
        ("SIGKILL", OPENING),
        *((how, after) for how in CODES for after in (3, 45)),
    ],
)
def test_a_run_that_is_ended_leaves_everything_whole(how: str, after: int, tmp_path: Path) -> None:
    left = ended(tmp_path / "out", how, after)
    if after == BEFORE_OPENING:  # Python itself is still starting
        assert left.code in (CODES[how], -signal.SIGTERM)
        return
    assert left.code == CODES[how], left.err
    assert left.lines >= left.seen
    assert "Traceback" not in left.err
    assert left.differs == 0
    if how == "SIGKILL":
        assert left.missing_s <= 1.0
        return
    assert left.recorded >= left.lines
    assert left.missing_s == 0
    if after > 0:
        assert f"ended: {how}" in left.out
        assert left.pictures >= left.lines
        assert set(left.files) - {"x_best.png"} == {"rec.mkv", "rec.mkv.json", "x.jsonl", "x.mp4", "x.png"}


@pytest.mark.slow
def test_the_key_q_ends_a_run_like_its_source(tmp_path: Path) -> None:
    pytest.importorskip("tkinter", reason="no Tk (apt-get install python3-tk)")
    need("xdotool", "xdotool")
    with virtual_screen() as environment:
        left = ended(tmp_path / "out", KEY, 10, environment)
    assert left.code == 0, left.err
    assert "ended: window closed" in left.out
    assert left.pictures >= left.lines >= left.seen >= 10
    assert (left.differs, left.missing_s) == (0, 0)


@pytest.mark.slow
def test_a_terminal_that_goes_away_ends_a_run_whole(tmp_path: Path) -> None:
    """The kernel sends SIGHUP, and nothing can be printed any more."""
    controller, terminal = os.openpty()
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.cli", "run", SOURCE, "--pace", "native", "--out", out, "--name", "x"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(terminal)
    try:
        wait_until(lambda: process.poll() is not None or has_come(out, 5), "five lines", START_S)
        os.close(controller)
        assert process.wait(START_S) == 129
    finally:
        process.kill()
        process.wait()
    assert pictures_of(out / "x.mp4") >= len(lines_of(out / "x.jsonl")) >= 5
    assert (out / "x.png").exists()


@pytest.mark.slow
def test_a_full_disk_stops_what_it_holds_and_nothing_else(tmp_path: Path) -> None:
    """A limit on the size of each file stands for the disk: the video and the recording reach it, the lines do not."""
    folder, limit = tmp_path / "out", 400_000
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edge.cli", "run", SOURCE.replace("frames=0", "frames=60"), "--depth-cm", "16"),
            *("--out", str(folder), "--name", "x", "--record", str(folder / "rec.mkv"), "--view", "A4C", "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert set(report["stopped"]) >= {"output video", "recording"}  # the still, at the end, may not fit either
    assert f"output video stopped: {report['stopped']['output video']}" in done.stderr
    lines = lines_of(folder / "x.jsonl")
    assert len(lines) == report["frames_processed"] == 60
    assert pictures_of(folder / "x.mp4") > 3
    again = replayed(folder)
    assert 3 < len(again) < 60
    assert "output still" in report["stopped"] or (folder / "x.png").stat().st_size > 0


def command(*args: object, stdout: object = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge.cli", *map(str, args)],
        stdout=stdout,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_terminal_that_cannot_take_the_report_is_told_of_in_a_line(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = command("run", "--print-config", stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["echoedge: output: No space left on device"]


@pytest.mark.slow
def test_what_is_refused_whole_ends_with_its_reason(tmp_path: Path) -> None:
    done = command("run", "synth://a4c?seed=3&layout=screen4&kind=colour&frames=34", "--sink", tmp_path / "x.jsonl")
    assert done.returncode == 2
    assert done.stderr.startswith("echoedge: none of 34 frames was analysed: COLOUR DOPPLER")
    assert done.stdout == ""


def config(**settings: object) -> RunConfig:
    return load_config(None, {}, {"source": "loop.dcm", **settings})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"depth_cm": float("nan")}, "--depth-cm is nan; give 0 for not known, or 1 to 40"),
        ({"depth_cm": -5.0}, "--depth-cm is -5"),
        ({"depth_cm": 1e9}, "--depth-cm is 1e"),
        ({"depth_cm": "50!"}, "--depth-cm is 50; give 0 for not known, or 1 to 40"),
        ({"depth_cm": "deep"}, "--depth-cm is deep; give a number such as 16, or 16! to insist"),
        ({"height_cm": 180.0}, "volumes per m2 of body surface need both"),
        ({"height_cm": 1.8, "weight_kg": 80.0}, "--height-cm is 1.8; give 0 for not known, or 40 to 250"),
        ({"signal_ms": float("nan")}, "--signal-ms is nan; give 1 to 60000"),
        ({"freeze_ms": 0.0}, "--freeze-ms is 0; give 1 to 60000"),
        ({"age_ms": float("inf")}, "--age-ms is inf"),
        ({"cpus": "x"}, "--cpus is 'x'; give numbers of cores"),
        ({"cpus": "0,,1"}, "--cpus is '0,,1'"),
        ({"fifo_priority": 98}, "--fifo-priority is 98; give 0 for none, or 1 to 97"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(settings: dict[str, object], says: str) -> None:
    with pytest.raises(EchoEdgeError, match=f"^{says}"):
        config(**settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"out": "o", "name": "a/../../x"}, "--name a/../../x is not a plain file name"),
        ({"out": "o", "name": ".."}, "--name .. is not a plain file name"),
        ({"sinks": ("x.mp4", "x.mp4")}, "is named twice"),
        ({"sinks": ("window://", "window://")}, "is named twice"),
        ({"out": "o", "name": "x", "sinks": ("o/../o/x.jsonl",)}, "is named twice"),
        ({"source": "o/x.mp4", "out": "o"}, "is the source itself"),
        ({"source": "x.mkv", "record": "./x.mkv"}, "is the source itself"),
        ({"source": "o/x.mp4?loop&pace=native", "sinks": ("o/x.mp4",)}, "is the source itself"),
    ],
)
def test_outputs_that_cannot_be_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(EchoEdgeError, match=says):
        outputs_of(config(**settings))


def test_a_signal_before_the_run_has_begun_leaves_at_once() -> None:
    ending = Ending()
    before = signal.getsignal(signal.SIGTERM)  # a library that other tests import may have set its own
    with pytest.raises(SystemExit) as leaving, ending.by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert leaving.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_asks_a_run_to_end_and_the_first_counts() -> None:
    ending = Ending()
    with ending.by_signals():
        ending.begin()
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        thread = threading.Thread(target=lambda: ending.ask(CLOSED))
        thread.start()
        thread.join()
    assert ending.how == "SIGHUP"


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Ending().by_signals():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_a_console_without_the_letters_of_a_name_shows_the_report(sonosite: str, tmp_path: Path) -> None:
    loop = tmp_path / "Hérz.dcm"
    shutil.copy(sonosite, loop)
    done = command("run", loop, "--sink", tmp_path / "x.jsonl", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert "H\\xe9rz.dcm" in done.stdout
