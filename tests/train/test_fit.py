from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from edge.errors import DataError, EchoEdgeError, ModelError, TrainingError
from tests.train.tiny import CONFIG, FACTS, Points, loss, network, validate
from train.checkpoint import load_checkpoint
from train.facts import FitConfig
from train.fit import batches_of, fit, is_over, learning_rate, plateaus

ROOT = Path(__file__).parents[2]


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in load_checkpoint(folder / "last.safetensors")[1].history]


def run(folder: Path, config: FitConfig = CONFIG, stop_after: int = 99, dropout: float = 0.2) -> None:
    def interrupted(net: torch.nn.Module) -> dict[str, float]:
        if (folder / "last.safetensors").exists() and len(losses(folder)) == stop_after:
            raise KeyboardInterrupt
        return validate(net)

    fit(network(dropout), Points(), loss, interrupted, config, folder, "score", FACTS)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_resumed_run_has_the_same_curve_and_weights(tmp_path: Path, optimizer: str) -> None:
    config = replace(CONFIG, optimizer=optimizer)
    run(tmp_path / "straight", config)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed", config, stop_after=1)
    run(tmp_path / "resumed", config)
    assert losses(tmp_path / "resumed") == losses(tmp_path / "straight")
    assert len(losses(tmp_path / "resumed")) == 3
    straight, resumed = (load_checkpoint(tmp_path / f / "last.safetensors")[0] for f in ("straight", "resumed"))
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_a_gradient_that_is_not_finite_stops_the_run_and_spares_what_is_saved(tmp_path: Path) -> None:
    def overflows(net: torch.nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        saved = (tmp_path / "last.safetensors").exists()
        return loss(net, batch) * (torch.inf if saved else 1)

    with pytest.raises(TrainingError, match=r"step 1 of epoch 2 is not finite.*lower --lr"):
        fit(network(0), Points(), overflows, validate, CONFIG, tmp_path, "score", FACTS)
    tensors, facts = load_checkpoint(tmp_path / "last.safetensors")
    assert len(facts.history) == 1
    assert all(torch.isfinite(t).all() for t in tensors.values() if t.is_floating_point())


def test_the_seed_decides(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(tmp_path / name, replace(CONFIG, seed=seed))
    assert losses(tmp_path / "a") == losses(tmp_path / "b") != losses(tmp_path / "c")


def test_accumulation_is_the_whole_batch_in_parts(tmp_path: Path) -> None:
    run(tmp_path / "whole", dropout=0.0)
    run(tmp_path / "parts", replace(CONFIG, accumulate=4), dropout=0.0)
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=1e-5)


def test_a_killed_run_loses_at_most_one_epoch(tmp_path: Path) -> None:
    folder, epochs = tmp_path / "killed", 200
    process = subprocess.Popen([sys.executable, "-m", "tests.train.tiny", str(folder), str(epochs)], cwd=ROOT)
    while not (folder / "last.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = losses(folder)
    assert 1 <= len(kept) < epochs
    # Whatever epoch the kill hit: the curve up to there is that of a run that nobody killed.
    config = replace(CONFIG, epochs=epochs)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "straight", config, stop_after=len(kept), dropout=0.0)
    assert losses(tmp_path / "straight") == kept
    with pytest.raises(KeyboardInterrupt):
        run(folder, config, stop_after=len(kept) + 2, dropout=0.0)
    assert losses(folder)[: len(kept)] == kept
    assert len(losses(folder)) == len(kept) + 2


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """Real processes, joined by gloo: the same global batch gives the same losses and weights."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "tests.train.tiny",
        str(tmp_path / "two"),
        "3",
    ]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[:2000]  # a process says first why it ended, then torchrun that it did
    run(tmp_path / "one", dropout=0.0)
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    two, one = (load_checkpoint(tmp_path / f / "last.safetensors")[0] for f in ("two", "one"))
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6)


def test_parts_of_the_processes_make_up_the_batch() -> None:
    config = FitConfig(epochs=1, batch=8, accumulate=2)
    whole = batches_of(21, 0, config)
    shares = [batches_of(21, 0, config, rank, 2) for rank in (0, 1)]
    assert [len(part) for part in whole] == [4] * 4
    assert [sorted(a + b) for a, b in zip(*shares)] == [sorted(part) for part in whole]
    assert len({index for part in whole for index in part}) == 16
    assert batches_of(21, 1, config) != whole


@pytest.mark.parametrize(
    ("count", "config", "message"),
    [
        (40, FitConfig(epochs=1, batch=8, accumulate=3), "cannot be cut"),
        (40, FitConfig(epochs=1, batch=2, accumulate=4), "cannot be cut"),
        (7, FitConfig(epochs=1, batch=8), "fewer than one batch"),
    ],
)
def test_batches_that_cannot_be_are_refused(count: int, config: FitConfig, message: str) -> None:
    with pytest.raises(DataError, match=message):
        batches_of(count, 0, config)


def test_another_configuration_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(ModelError, match=r"lr 0\.1 there, 0\.2 asked"):
        run(tmp_path, replace(CONFIG, lr=0.2))
    run(tmp_path, replace(CONFIG, workers=1))


def test_an_unknown_optimiser_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EchoEdgeError, match="adamw or sgd"):
        run(tmp_path, replace(CONFIG, optimizer="lion"))


@pytest.mark.parametrize(
    ("scores", "over"),
    [([], False), ([1, 2, 3], False), ([3, 2], False), ([3, 2, 1], True), ([1, 3, 2, 3], True), ([1, 3, 2, 4], False)],
)
def test_early_stop(scores: list[float], over: bool) -> None:
    history = [{"score": score} for score in scores]
    assert is_over(history, "score", FitConfig(epochs=9, patience=2)) == over
    assert not is_over(history, "score", FitConfig(epochs=9))
    assert is_over([{"score": 1.0}], "score", FitConfig(epochs=1))


@pytest.mark.parametrize(
    ("scores", "count"),
    [
        ([], 0),
        ([1, 2, 3], 0),
        ([3, 2], 0),
        ([3, 2, 2], 1),
        ([3, 2, 2, 1, 1], 2),
        ([3, 2, 4, 1, 1], 1),
        ([3, 3, 3], 1),
        ([0, 0, 0, 0, 1], 0),
        ([0, 0, 0, 1, 1, 1], 1),
    ],
)
def test_a_plateau_is_so_many_epochs_without_a_better_score(scores: list[float], count: int) -> None:
    assert plateaus(scores, 2) == count
    config = FitConfig(epochs=9, lr=1e-2, lr_end=1e-9, warmup_steps=0, plateau=2)
    assert learning_rate(50, 100, config, scores) == pytest.approx(1e-2 * 0.2**count)


def test_a_loss_in_parts_is_the_loss_as_a_whole(tmp_path: Path) -> None:
    def in_parts(net: torch.nn.Module, batch: list[torch.Tensor]) -> Iterator[torch.Tensor]:
        half = len(batch[0]) // 2
        for part in (slice(None, half), slice(half, None)):
            yield loss(net, [tensor[part] for tensor in batch]) / 2

    run(tmp_path / "whole", dropout=0.0)
    fit(network(0.0), Points(), in_parts, validate, CONFIG, tmp_path / "parts", "score", FACTS)
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=1e-5)


def test_an_early_stopped_run_stays_stopped(tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=9, patience=1, lr=0.0, lr_end=0.0)
    for _ in range(2):
        run(tmp_path, config)
        assert len(losses(tmp_path)) == 2


def test_learning_rate_warms_up_then_follows_a_cosine() -> None:
    config = FitConfig(epochs=1, lr=1e-2, lr_end=1e-4, warmup_steps=4)
    rates = [learning_rate(step, 104, config) for step in range(105)]
    assert rates[:4] == pytest.approx([0.0025, 0.005, 0.0075, 0.01])
    assert rates[54] == pytest.approx((1e-2 + 1e-4) / 2)
    assert rates[104] == pytest.approx(1e-4)
    assert all(a > b for a, b in pairwise(rates[4:]))


def test_tensorboard_gets_a_scalar_a_column(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run(tmp_path)
    events = accumulator.EventAccumulator(str(tmp_path / "board"))
    events.Reload()
    assert {"loss", "score", "seconds"} <= set(events.Tags()["scalars"])
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(losses(tmp_path), rel=1e-5)
