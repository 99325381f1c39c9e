from __future__ import annotations

import pytest

from edge.bench.result import Reading
from edge.bench.validity import notes, problems
from tests.edge.bench.results import conditions, machine, run

STEADY = [10.0] * 1000


def test_a_quiet_machine_measured_for_long_enough_is_valid() -> None:
    assert problems(machine(), conditions(), [run("pipeline", STEADY)]) == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        (conditions(other_load_cores=0.5), "other processes"),
        (conditions(steal_percent=4.0), "hypervisor"),
        (conditions(swapped_pages=3), "swapped"),
        (conditions(throttled=Reading(2.0, "kernel")), "heat"),
        (conditions(clock_mhz=(1500.0, 3000.0)), "clock went"),
    ],
)
def test_a_disturbed_machine_is_not(changed: object, word: str) -> None:
    (reason,) = problems(machine(), changed, [run("pipeline", STEADY)])  # type: ignore[arg-type]
    assert word in reason


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"governor": Reading("powersave", "cpufreq")}, "governor"),
        ({"on_battery": Reading("yes", "power_supply")}, "battery"),
    ],
)
def test_nor_is_a_machine_that_saves_power(changes: dict[str, Reading], word: str) -> None:
    (reason,) = problems(machine(**changes), conditions(), [run("pipeline", STEADY)])
    assert word in reason


@pytest.mark.parametrize(
    ("samples", "seconds", "word"),
    [
        (STEADY, 5.0, "measured for 5 s"),
        (STEADY[:50], 100.0, "50 frames"),
        ([10.0] * 500 + [13.0] * 500, 100.0, "drifted"),
    ],
)
def test_nor_a_run_that_is_short_or_drifts(samples: list[float], seconds: float, word: str) -> None:
    (reason,) = problems(machine(), conditions(), [run("pipeline", samples, seconds), run("yardstick", [1.0], 1.0)])
    assert word in reason


def test_what_is_not_readable_is_noted_with_its_reason() -> None:
    found = notes(machine(), conditions(temperature_c={}))
    assert "power mode not readable: not there" in found
    assert any(note.startswith("temperature not readable") for note in found)
    assert not any(note.startswith("governor") for note in found)
