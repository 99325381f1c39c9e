from __future__ import annotations

from pathlib import Path

import pytest

from edge.bench.power import Rapl, from_nvidia_smi, from_tegrastats

ORIN_NANO = (
    "11-21-2026 10:00:00 RAM 2471/7620MB (lfb 4x4MB) SWAP 0/3810MB (cached 0MB) CPU [12%@1510,off,3%@1510,2%@729] "
    "EMC_FREQ 0%@2133 GR3D_FREQ 63%@[624] cpu@49.6C soc2@48.2C gpu@48.0C tj@50.5C "
    "VDD_IN 7890mW/7800mW VDD_CPU_GPU_CV 3100mW/3000mW VDD_SOC 1500mW/1490mW"
)
AGX_ORIN = (
    "RAM 4090/30697MB (lfb 6405x4MB) CPU [0%@729,0%@729] GR3D_FREQ 0% CPU@45.5C Tboard@36C SOC2@42C "
    "VDD_GPU_SOC 2395mW/2395mW VDD_CPU_CV 399mW/399mW VIN_SYS_5V0 2121mW/2121mW"
)
OLD_NANO = "RAM 800/3956MB CPU [5%@1479] GR3D_FREQ 99%@921 PLL@40C CPU@42.5C POM_5V_IN 4900/4875 POM_5V_GPU 1500/1400"


@pytest.mark.parametrize(
    ("line", "watts", "gpu", "zone"),
    [
        (ORIN_NANO, 7.89, 63, ("tj", 50.5)),
        (AGX_ORIN, 4.915, 0, ("cpu", 45.5)),
        (OLD_NANO, 4.9, 99, ("cpu", 42.5)),
        ("nothing known", None, None, None),
    ],
)
def test_tegrastats(line: str, watts: float | None, gpu: float | None, zone: tuple[str, float] | None) -> None:
    found = from_tegrastats(line)
    assert found.watts == (None if watts is None else pytest.approx(watts))
    assert found.gpu_percent == gpu
    if zone:
        assert found.temperature_c[zone[0]] == zone[1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("71.25, 38, 54, 1980, 0x0000000000000000", (71.25, 38.0, {"gpu": 54.0}, False)),
        ("71.25, 38, 54, 1980, 0x0000000000000001", (71.25, 38.0, {"gpu": 54.0}, False)),
        ("250.0, 100, 87, 1200, 0x0000000000000020", (250.0, 100.0, {"gpu": 87.0}, True)),
        ("[N/A], 5, [N/A], 1980, [N/A]", (None, 5.0, {}, None)),
        ("garbage", (None, None, {}, None)),
    ],
)
def test_nvidia_smi(line: str, expected: tuple[object, ...]) -> None:
    found = from_nvidia_smi(line)
    assert (found.watts, found.gpu_percent, found.temperature_c, found.throttled) == expected


def test_rapl_adds_packages_and_survives_the_wrap(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "max_energy_range_uj").write_text("10000000\n")
    (zone / "energy_uj").write_text("9000000\n")
    rapl = Rapl(tmp_path)
    (zone / "energy_uj").write_text("5000000\n")  # wrapped: 6 J
    assert rapl.watts(2.0).value == pytest.approx(3.0)


def test_rapl_says_why_it_is_not_readable(tmp_path: Path) -> None:
    assert "no powercap" in Rapl(tmp_path).watts(1.0).why_not
    (tmp_path / "sys/class/powercap/intel-rapl:0").mkdir(parents=True)
    assert "root only" in Rapl(tmp_path).watts(1.0).why_not
