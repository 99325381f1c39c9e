"""The real LoadGen on a network with a known answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.bench.loadgen import SCENARIOS, Load, outputs_in, run_test
from edge.nets.model import Segmenter
from tests.edge.nets.doubles import SIZE, Net, manifest

pytest.importorskip("mlperf_loadgen", reason="pip install 'echoedge[loadgen]'")


def echo_net() -> Segmenter:
    """A network whose mask is its input with each value doubled."""
    net = Net(lambda: np.zeros((SIZE, SIZE), np.uint8))
    model = Segmenter(manifest("segmentation"), net)
    net.answer = lambda: model.input[0, 0] * 2
    return model


INPUTS = [np.full((1, 1, SIZE, SIZE), value, np.uint8) for value in range(5)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_scenario_ends_with_figures_and_logs(scenario: str, tmp_path: Path) -> None:
    found = run_test(echo_net(), INPUTS, Load(scenario, 0.2, qps=200.0, limit_ms=1e4), tmp_path)
    assert found.value > 0
    assert found.verdict.split()[0] in ("VALID", "INVALID")
    assert "MLPerf Results Summary" in (tmp_path / "mlperf_log_summary.txt").read_text()


def test_accuracy_mode_keeps_each_output(tmp_path: Path) -> None:
    run_test(echo_net(), INPUTS, Load("Offline", 0.1, "accuracy"), tmp_path)
    outputs = outputs_in(tmp_path)
    assert sorted(outputs) == list(range(5))
    for index, raw in outputs.items():
        mask = np.frombuffer(raw, np.uint8).reshape(SIZE, SIZE)
        assert (mask == 2 * index).all()
