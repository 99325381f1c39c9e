from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from edge.doctor import examine


def findings(root: Path) -> dict[str, object]:
    return {finding.name: finding for finding in examine(root)}


def test_this_machine_can_do_the_main_job() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", "doctor", "--json"], capture_output=True, text=True, check=True, timeout=120
    )
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["CPU inference"]["state"] == "ok"
    assert rows["models"]["state"] == "ok"
    assert "pspnet-mk int8" in rows["models"]["detail"]
    assert all(row["remedy"] for row in rows.values() if row["state"] == "absent" and row["name"] != "Jetson")


def test_the_table_shows_the_pip_command_whole() -> None:
    script = "import sys; sys.modules['pydicom'] = None; from edge.doctor import main; main([])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert "pip install 'echoedge[dicom]'" in done.stdout


def test_a_jetson_is_recognised_from_its_files(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "dev").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n")
    (tmp_path / "proc/device-tree/model").write_text("NVIDIA Jetson Orin Nano Developer Kit\0")
    (tmp_path / "proc/cpuinfo").write_text("processor : 0\nFeatures : fp asimd asimddp\n")
    (tmp_path / "dev/video0").touch()
    found = findings(tmp_path)
    assert "Orin Nano Developer Kit, Jetson Linux 36.4.3" in found["Jetson"].detail  # type: ignore[attr-defined]
    assert "asimddp" in found["CPU"].detail  # type: ignore[attr-defined]
    assert "video0" in found["cameras"].detail  # type: ignore[attr-defined]


def test_an_empty_machine_breaks_nothing(tmp_path: Path) -> None:
    assert findings(tmp_path)["cameras"].state == "absent"  # type: ignore[attr-defined]
