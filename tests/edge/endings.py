"""Runs that are ended in the middle, and what is left of them on disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from edge.config import RunConfig
from edge.opening import run
from tests.peers.processes import wait_until

KEY, BEFORE_OPENING, OPENING = "q", -2, -1
"""`q` is pressed in the window; the other ways to end are names of signals. Points before the first line was written:
as soon as the process is there, and once it has made its files."""
SOURCE = "synth://a4c?seed=3&frames=0"
PATIENT = dict.fromkeys(("signal_ms", "freeze_ms", "stuck_ms", "age_ms", "deadline_ms"), 60000.0)
"""No safe state and no cut in service because this machine is busy: a replay knows of neither."""
START_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Left:
    """Exit code and words of a run, the lines that stood on disk when it was ended, and what was there afterwards.

    `missing_s` is the time between the last line then and the last frame that the replay of the recording has, at
    least 0; `differs` counts frames whose figures the replay has otherwise.
    """

    code: int
    out: str
    err: str
    seen: int
    lines: int
    pictures: int
    recorded: int
    missing_s: float
    differs: int
    files: tuple[str, ...]


def ended(folder: Path, how: str, after: int, environment: Mapping[str, str] | None = None) -> Left:
    """A live run that writes mp4, JSON lines and a recording, ended once it has written `after` lines."""
    limits = [f"--{name.replace('_', '-')}={value:g}" for name, value in PATIENT.items()]
    window = ["--sink", "window://"] if how == KEY else []
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "edge.cli", "run", SOURCE, "--pace", "native", "--depth-cm", "16", "--view", "A4C"),
            *("--out", str(folder), "--name", "x", "--record", str(folder / "rec.mkv"), *limits, *window),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(environment) if environment is not None else None,
        # Shells start what they put into the background deaf to Ctrl-C; the key must end that as well.
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if how == KEY else None,
    )
    try:
        wait_until(lambda: process.poll() is not None or has_come(folder, after), f"{after} lines", START_S)
        seen = lines_of(folder / "x.jsonl")
        if how == KEY:
            press_until(process, dict(environment or {}))
        else:
            process.send_signal(getattr(signal, how))
        out, err = process.communicate(timeout=START_S)
    finally:
        process.kill()
        process.wait()
    return left(folder, process.returncode, out, err, seen)


def has_come(folder: Path, after: int) -> bool:
    if after == BEFORE_OPENING:
        return True
    return (folder / "x.jsonl").exists() and len(lines_of(folder / "x.jsonl")) >= after


def press_until(process: subprocess.Popen[str], environment: dict[str, str]) -> None:
    """A person presses once; here the window may not have the keys yet."""
    xdotool = shutil.which("xdotool")
    assert xdotool is not None

    def pressed() -> bool:
        subprocess.run([xdotool, "key", "q"], env=environment, check=False, capture_output=True)
        return process.poll() is not None

    wait_until(pressed, "the end", START_S)


def left(folder: Path, code: int, out: str, err: str, seen: Sequence[dict[str, Any]]) -> Left:
    lines = lines_of(folder / "x.jsonl")
    again = replayed(folder)
    last_s = max([line["time_s"] for line in again.values()], default=0.0)
    return Left(
        code=code,
        out=out,
        err=err,
        seen=len(seen),
        lines=len(lines),
        pictures=pictures_of(folder / "x.mp4"),
        recorded=len(again),
        missing_s=max(0.0, seen[-1]["time_s"] - last_s) if seen else 0.0,
        differs=sum(again[line["frame"]] != line for line in lines if line["frame"] in again),
        files=tuple(sorted(path.name for path in folder.iterdir())) if folder.exists() else (),
    )


def replayed(folder: Path) -> dict[int, dict[str, Any]]:
    """Frame number -> line of a replay of the recording; nothing where it holds no frame."""
    video = folder / "rec.mkv"
    if pictures_of(video) == 0:
        return {}
    out = folder.parent / f"{folder.name}-again.jsonl"
    run(RunConfig(source=str(video), sinks=(str(out),), depth_cm=16, view="A4C", **PATIENT))  # type: ignore[arg-type]
    return {line["frame"]: line for line in lines_of(out)}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file, without what differs from run to run."""
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [{name: value for name, value in json.loads(line).items() if name != "age_ms"} for line in whole]


def pictures_of(path: Path) -> int:
    """How many pictures a video holds; 0 where there is none."""
    if not path.exists() or os.path.getsize(path) == 0:
        return 0
    count = 0
    try:
        with av.open(str(path)) as container:
            for _ in container.decode(video=0):
                count += 1
    except av.FFmpegError:
        pass
    return count
