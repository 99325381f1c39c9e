"""The commands as a user types them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edge import __version__
from edge.commands import COMMANDS, GROUPS
from tests.phantom import apical_frame, on_screen


def echoedge(*args: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", *map(str, args)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(root: Path, command: str) -> None:
    """Read from the source, so that it needs no package of any command."""
    file = root / COMMANDS[command].module.replace(".", "/")
    source = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    assert f"example: echoedge {command}" in source.read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_its_example(command: str) -> None:
    line = [sys.executable, "-m", "edge.cli", *command.split(), "--help"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    if "which is not installed" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert f"example: echoedge {command}" in done.stdout


def test_help_is_a_table_of_contents() -> None:
    lines = echoedge("--help").stdout.splitlines()
    assert [line for line in lines if line in GROUPS] == list(GROUPS)
    assert all(any(line.startswith(f"  {command}  ") for line in lines) for command in COMMANDS)
    assert max(map(len, lines)) < 110
    assert echoedge().stdout.splitlines() == lines


def test_the_version() -> None:
    assert echoedge("--version").stdout == f"echoedge {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("fly", "'fly' is not a command; `echoedge --help` lists the commands"),
        ("docter", "'docter' is not a command; did you mean `echoedge doctor`?"),
        ("trian ral", "'trian ral' is not a command; did you mean `echoedge train ral`?"),
        ("train segmentaton --data x", "'train segmentaton' is not a command; did you mean `echoedge train segm"),
        ("calib", "'calib' is not a command by itself; there are calib choose, calib report"),
        ("rtsp://camera/x", "'rtsp://camera/x' is not a command; did you mean `echoedge run rtsp://camera/x`?"),
    ],
)
def test_what_is_not_a_command_is_answered_with_what_is_near(typed: str, says: str) -> None:
    done = echoedge(*typed.split(), code=2)
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_real_loop_from_file_to_report(tmp_path: Path, sonosite: str) -> None:
    report = json.loads(
        echoedge("run", sonosite, "--out", tmp_path, "--name", "demo", "--view", "A4C", "--json").stdout
    )
    assert (report["frames_in"], report["frames_processed"], report["frames_dropped"]) == (30, 30, 0)
    assert report["fps"] > 0
    assert {
        "decode",
        "preprocess",
        "segment",
        "quality",
        "measure",
        "overlay",
        "capture to drawn",
        "write video",
    } <= set(report["latency_ms"])
    assert all({"p50", "p90", "p99"} <= set(row) for row in report["latency_ms"].values())
    lines = [json.loads(line) for line in (tmp_path / "demo.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(30))
    assert {"basal septal", "apical lateral", "annulus septal"} <= set(lines[0]["quality"])
    areas = [line["lv_area_cm2"] for line in lines]
    assert all(area > 5 for area in areas)  # the contour is there in every frame
    assert max(areas) < 60
    lengths = [line["lv_length_mm"] for line in lines if line["lv_length_mm"]]
    assert 50 < np.median(lengths) < 110  # an adult's left ventricle: the scale is right
    assert all(line["notice"] == "Research use only" for line in lines)
    with av.open(str(tmp_path / "demo.mp4")) as container:
        video = list(container.decode(video=0))
        assert (len(video), video[0].width, video[0].height) == (30, 1280, 720)
        assert float(container.streams.video[0].average_rate) == pytest.approx(30, abs=0.01)
    assert cv2.imread(str(tmp_path / "demo.png")).shape == (720, 1280, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["demo.jsonl", "demo.mp4", "demo.png", "demo_best.png"]
    best = report["best"]
    assert 1 <= best["ED"]["quality_lowest"] <= best["ED"]["quality_mean"] <= 5
    assert areas[best["ED"]["frame"]] > 1.2 * areas[best["ES"]["frame"]]
    assert 30 < best["beat"]["ejection_fraction_percent"] < 90
    assert report["withheld"] == {}


def test_the_same_input_gives_the_same_masks(tmp_path: Path, sonosite: str) -> None:
    records = []
    for name in ("a", "b"):
        echoedge("run", sonosite, "--out", tmp_path, "--name", name)
        lines = [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
        records.append([{k: v for k, v in line.items() if k != "age_ms"} for line in lines])
    assert records[0] == records[1]


def test_native_pace_counts_what_it_drops(tmp_path: Path) -> None:
    for number in range(40):
        cv2.imwrite(str(tmp_path / f"{number}.png"), on_screen(apical_frame(seed=number)))
    video = tmp_path / "out.mp4"
    drawn = ("--view", "A4C!")  # a phantom: the quality network does not take it for a heart
    report = json.loads(echoedge("run", tmp_path, *drawn, "--pace", "native", "--sink", video, "--json").stdout)
    assert report["frames_in"] == 40
    assert report["frames_processed"] + report["frames_dropped"] == 40
    with av.open(str(video)) as container:  # as long as it took, however many frames were dropped
        assert [float(frame.time) for frame in container.decode(video=0)][-1] > 0.8 * 39 / 30


def test_a_withheld_volume_has_its_reason_in_line_and_summary(tmp_path: Path) -> None:
    for number in range(34):
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), on_screen(apical_frame(seed=number), 640, 480))
    out = tmp_path / "out"
    options = ("--view", "A3C!", "--depth-cm", "16", "--out", out, "--name", "x")
    printed = " ".join(echoedge("run", tmp_path, *options).stdout.split())
    assert "volume withheld on 34 frames: volume needs A4C or A2C, not A3C" in printed
    line = json.loads((out / "x.jsonl").read_text().splitlines()[-1])
    assert line["lv_volume_ml"] is None
    assert line["withheld_measurements"]["volume"] == "volume needs A4C or A2C, not A3C"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "absent.mp4"], "does not exist"),
        (["run", "{text}"], "is no video that FFmpeg can read"),
        (["run", "{sonosite}", "--model", "{empty}"], "holds no manifest"),
        (["run", "{sonosite}", "--model", "{quality}"], "is for quality; give a folder for segmentation"),
        (["run", "{sonosite}", "--model", "{damaged}"], "was changed or damaged"),
        (["evaluate", "--model", "{model}", "--data", "camus:{empty}"], "holds no patientNNNN folders"),
        (["evaluate", "--model", "{model}", "--data", "nonsense"], "is not a data set"),
        (
            ["evaluate", "--model", "{model}", "--data", "camus:{empty}", "--split", "absent.txt"],
            "cannot read the split",
        ),
    ],
)
def test_bad_input_is_one_line_code_2_and_leaves_nothing(
    tmp_path: Path, root: Path, sonosite: str, arguments: list[str], says: str
) -> None:
    places = {
        "text": tmp_path / "text.mp4",
        "empty": tmp_path / "empty",
        "damaged": tmp_path / "damaged",
        "model": root / "models/pspnet-mk",
        "quality": root / "models/quality",
        "sonosite": sonosite,
    }
    places["text"].write_text("no video")  # type: ignore[union-attr]
    places["empty"].mkdir()  # type: ignore[union-attr]
    shutil.copytree(root / "models/pspnet-mk", places["damaged"])
    for artefact in (tmp_path / "damaged").glob("*.onnx"):
        artefact.write_bytes(artefact.read_bytes()[:-1] + b"\0")
    out = ["--out", str(tmp_path / "out")] if arguments[0] == "run" else []
    done = echoedge(*[a.format(**places) for a in arguments], *out, code=2)
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in echoedge("run", "absent.mp4", "--debug", code=1).stderr


def test_the_runtime_imports_without_torch_or_onnx(root: Path) -> None:
    modules = [".".join(path.relative_to(root).with_suffix("").parts) for path in sorted((root / "edge").rglob("*.py"))]
    script = (
        "import sys, importlib\n"
        "for name in ('torch', 'onnx', 'train', 'compile', 'calib'): sys.modules[name] = None\n"
        f"for name in {[m for m in modules if not m.endswith('__init__')]}: importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
