"""File systems of Jetson boards, as far as the product looks at them.

Not recorded by us: put together from NVIDIA's Jetson Linux Developer Guide (tegrastats, nvpmodel, thermal zones) and
from reports in public issue trackers, which show these files' content.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fake:
    """Content of the files of one board, and a line of its tegrastats."""

    model: str
    release: str
    python: str
    packages: dict[str, str]
    tegrastats: str


ORIN_PACKAGES = {
    "nvidia-jetpack": "6.2+b77",
    "python3-libnvinfer": "10.3.0.30-1+cuda12.5",
    "cuda-cudart-12-6": "12.6.68-1",
}
BOARDS = {
    "nano": Fake(
        "NVIDIA Jetson Nano Developer Kit",
        "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref",
        "3.6",
        {},
        "RAM 1409/3964MB (lfb 28x4MB) SWAP 0/1982MB (cached 0MB) IRAM 0/252kB(lfb 252kB) CPU [22%@518,67%@518,off,off] "
        "EMC_FREQ 0%@1600 GR3D_FREQ 0%@76 APE 25 PLL@28.5C CPU@32C PMIC@50C GPU@30.5C AO@39.5C thermal@31.25C "
        "POM_5V_IN 2003/2003 POM_5V_GPU 0/0 POM_5V_CPU 320/320",
    ),
    "xavier-nx": Fake(
        "NVIDIA Jetson Xavier NX Developer Kit",
        "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref",
        "3.8",
        {"nvidia-jetpack": "5.1.2-b104", "python3-libnvinfer": "8.5.2-1+cuda11.4"},
        "RAM 2840/7620MB (lfb 512x4MB) SWAP 0/4096MB (cached 0MB) CPU [25%@1420,off,off,20%@1420,22%@1420,18%@1420] "
        "EMC_FREQ 2%@1600 GR3D_FREQ 76%@1100 APE 174 MTS fg 0% bg 0% AO@42.5C GPU@40C PMIC@50C AUX@41C CPU@42.5C "
        "thermal@41.7C VDD_IN 5765/5700 VDD_CPU_GPU_CV 1548/1500 VDD_SOC 1497/1490",
    ),
    "orin-nano": Fake(
        "NVIDIA Jetson Orin Nano Developer Kit",
        "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic",
        "3.10",
        ORIN_PACKAGES,
        "11-14-2025 12:34:56 RAM 2505/7775MB (lfb 1429x4MB) SWAP 0/3887MB (cached 0MB) "
        "CPU [2%@1510,0%@1510,0%@1510,0%@1510,0%@1510,4%@1510] EMC_FREQ 0%@2133 GR3D_FREQ 45%@[624] "
        "NVDEC off NVJPG off VIC off OFA off APE 200 cpu@38.25C soc2@36.25C soc0@38.5C gpu@36.5C "
        "tj@38.5C soc1@37.25C cv0@-256C "
        "VDD_IN 4123mW/4100mW VDD_CPU_GPU_CV 560mW/560mW VDD_SOC 1234mW/1230mW",
    ),
    "orin-nx": Fake(
        "NVIDIA Jetson Orin NX Engineering Reference Developer Kit Super",
        "# R36 (release), REVISION: 4.4, GCID: 41062509, BOARD: generic",
        "3.10",
        ORIN_PACKAGES,
        "11-14-2025 12:34:56 RAM 4123/15656MB (lfb 13x4MB) SWAP 0/7828MB (cached 0MB) "
        "CPU [34%@1984,28%@1984,1%@1984,0%@1984,off,off,off,off] EMC_FREQ 5%@3199 GR3D_FREQ 99%@[918] NVDLA0 off "
        "NVDLA1 off APE 174 cpu@52.5C soc2@50C soc0@50.3C gpu@51.9C tj@52.5C soc1@50.7C VDD_IN 8912mW/8000mW "
        "VDD_CPU_GPU_CV 3201mW/3000mW VDD_SOC 2100mW/2000mW",
    ),
    "agx-orin": Fake(
        "NVIDIA Jetson AGX Orin Developer Kit",
        "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic",
        "3.10",
        ORIN_PACKAGES,
        "11-14-2025 12:34:56 RAM 3162/30536MB (lfb 6x4MB) SWAP 0/15268MB (cached 0MB) CPU [1%@729,0%@729,0%@729,0%@729,"
        "off,off,off,off,off,off,off,off] EMC_FREQ 0%@2133 GR3D_FREQ 0%@[305,0] cpu@47.968C soc2@44C soc0@46.906C "
        "gpu@46.343C tj@47.968C soc1@45C VDD_GPU_SOC 3175mW/3175mW VDD_CPU_CV 793mW/793mW VIN_SYS_5V0 3831mW/3831mW",
    ),
    "thor": Fake(
        "NVIDIA Jetson AGX Thor Developer Kit",
        "# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic",
        "3.12",
        {"nvidia-jetpack": "7.0-b128", "python3-libnvinfer": "10.13.3.9-1+cuda13.0", "cuda-cudart-13-0": "13.0.48-1"},
        "09-20-2025 08:00:00 RAM 9170/125772MB (lfb 31x4MB) CPU [3%@1080,1%@1080,0%@972,0%@972,0%@972,0%@972,0%@972,"
        "0%@972,0%@972,0%@972,0%@972,0%@972,0%@972,0%@972] cpu@53.7C tj@55.1C soc012@55.1C soc345@53.7C "
        "VDD_GPU 0mW/0mW "
        "VDD_CPU_SOC_MSS 6510mW/6500mW VIN_SYS_5V0 6520mW/6500mW VIN 23000mW/22900mW",
    ),
}

NVPMODEL = """\
# FORMAT: comments, parameters, modes
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online

< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=25W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=3 NAME=7W >
CPU_ONLINE CORE_0 1

< PM_CONFIG DEFAULT=1 >
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def make(root: Path, name: str) -> Path:
    """Write one board's files below `root`, as an idle, cool board that was installed with Python from the system."""
    board = BOARDS[name]
    write(root / "proc/device-tree/model", board.model + "\0")
    write(root / "etc/nv_tegra_release", board.release + ", EABI: aarch64, DATE: Fri Aug 22 00:55:42 UTC 2025\n")
    write(root / "etc/nvpmodel.conf", NVPMODEL)
    write(root / "var/lib/nvpmodel/status", "pmode:0001")
    paragraphs = [f"Package: {p}\nStatus: install ok installed\nVersion: {v}\n" for p, v in board.packages.items()]
    paragraphs += ["Package: cuda-cudart-9-9\nStatus: deinstall ok config-files\nVersion: 9.9\n"]
    write(root / "var/lib/dpkg/status", "\n".join(paragraphs))
    write(root / f"usr/bin/python{board.python}", "")
    (root / "usr/bin/python3").symlink_to(f"python{board.python}")
    for number, (zone, milli) in enumerate({"cpu-thermal": "48000", "gpu-thermal": "", "tj-thermal": "49500"}.items()):
        heat_zone(root, number, zone, milli)
    for number, kind in enumerate(("pwm-fan", "cpu-throttle-alert")):
        write(root / f"sys/class/thermal/cooling_device{number}/type", kind)
        write(root / f"sys/class/thermal/cooling_device{number}/cur_state", "1" if kind == "pwm-fan" else "0")
    write(root / "sys/class/hwmon/hwmon3/name", "soctherm_oc")
    for event in ("oc1", "oc2", "oc3"):
        write(root / f"sys/class/hwmon/hwmon3/{event}_event_cnt", "0")
    return root


def heat_zone(root: Path, number: int, name: str, milli: str) -> None:
    """A thermal zone with a fan's trip at 50, throttling at 99 and shutdown at 104.5 °C."""
    zone = root / f"sys/class/thermal/thermal_zone{number}"
    write(zone / "type", name)
    write(zone / "temp", milli)
    for trip, (kind, at) in enumerate((("active", "50000"), ("passive", "99000"), ("critical", "104500"))):
        write(zone / f"trip_point_{trip}_type", kind)
        write(zone / f"trip_point_{trip}_temp", at)
