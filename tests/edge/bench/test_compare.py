from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.bench.command import main
from edge.bench.compare import compare
from edge.bench.result import write_result
from edge.errors import EchoEdgeError
from tests.edge.bench.results import result


def series(scale: float, seed: int, yardstick: float = 1.0) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    return {
        "pipeline": (rng.gamma(50, 0.2, 1500) * scale).tolist(),
        "yardstick": (rng.gamma(50, 0.04, 400) * yardstick).tolist(),
    }


@pytest.mark.parametrize(("scale", "verdict"), [(1.2, "slower"), (0.8, "faster")])
def test_a_difference_is_found_with_its_interval(scale: float, verdict: str) -> None:
    rows = compare(result(series(1, 1)), result(series(scale, 2)))
    assert [row.percentile for row in rows] == [50, 90, 99]
    median = rows[0]
    assert median.low < scale < median.high
    assert median.verdict == verdict


def test_a_slower_machine_alone_is_no_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, slow_machine, slow_code = result(series(1, 1)), result(series(2, 2, 2)), result(series(1.4, 3))
    for name, one in (("base", base), ("machine", slow_machine), ("code", slow_code)):
        write_result(one, tmp_path / f"{name}.json")

    def regression(new: str) -> int:
        files = [str(tmp_path / "base.json"), str(tmp_path / f"{new}.json")]
        return main(["--compare", *files, "--regression", "10"])

    assert compare(base, slow_machine)[0].verdict == "slower"
    assert regression("machine") == 0
    assert regression("code") == 1
    assert "slower by more than 10 %: pipeline" in capsys.readouterr().out


def test_comparison_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.json"
    write_result(result(series(1, 1)), path)
    assert main(["--compare", str(path), str(path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["ratio"] == 1
    assert rows[0]["verdict"] == "no difference shown"


@pytest.mark.parametrize(
    ("new", "message"),
    [({"other": [1.0] * 100}, "share no configuration"), ({"pipeline": [1.0] * 5, "yardstick": [1.0]}, "fewer than")],
)
def test_results_that_cannot_be_compared(new: dict[str, list[float]], message: str) -> None:
    with pytest.raises(EchoEdgeError, match=message):
        compare(result(series(1, 1)), result(new))


def test_ratios_need_the_yardstick_on_both_sides() -> None:
    with pytest.raises(EchoEdgeError, match="yardstick"):
        compare(result(series(1, 1)), result({"pipeline": [1.0] * 100}), relative=True)
