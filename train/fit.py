"""The training loop: any network, loss and data set, on one process or several; checkpoint every epoch, resume."""

from __future__ import annotations

import atexit
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import torch
from lightning_fabric import Fabric
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn
from torch.utils.data import DataLoader, Dataset

from edge.errors import DataError, ModelError, TrainingError
from train.board import open_board
from train.checkpoint import (
    load_checkpoint,
    pack_optimizer,
    save_checkpoint,
    unpack_optimizer,
    weights_of,
)
from train.facts import Epoch, Facts, FitConfig

Loss = Callable[[nn.Module, list[torch.Tensor]], "torch.Tensor | Iterator[torch.Tensor]"]
"""(network, batch) -> the loss, or its parts one after the other: each is back-propagated before the next is computed,
which is how back-propagation through time is cut short."""
Validate = Callable[[nn.Module], dict[str, float]]
COLUMNS = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


PLATEAU_FACTOR = 0.2


def learning_rate(step: int, steps: int, config: FitConfig, scores: Sequence[float] = ()) -> float:
    """Linear warm-up, then cosine from lr to lr_end; or, with `config.plateau`, down by the `scores` of the epochs so
    far.
    """
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if config.plateau:
        return max(config.lr_end, config.lr * PLATEAU_FACTOR ** plateaus(scores, config.plateau))
    done = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
    return config.lr_end + (config.lr - config.lr_end) * 0.5 * (1 + math.cos(math.pi * done))


def plateaus(scores: Sequence[float], length: int) -> int:
    """How often `length` epochs in a row brought no better score; after each the count starts again.

    It begins at the first score above 0: before that nothing is segmented yet, and a lower rate would keep it so.
    """
    best, since, count = 0.0, 0, 0
    for score in scores:
        best, since = (score, 0) if score > best or not best else (best, since + 1)
        if since == length:
            count, since = count + 1, 0
    return count


def moving_average(old: torch.Tensor, new: torch.Tensor, count: torch.Tensor | int, decay: float) -> torch.Tensor:
    """Exponential moving average whose memory grows with the step count, so that the start is forgotten early."""
    if not old.is_floating_point():
        return new
    return old.lerp(new, 1 - min(decay, (1 + int(count)) / (10 + int(count))))


def autocast_dtype(device: torch.device, enabled: bool) -> torch.dtype | None:
    """bfloat16 where the device computes in it, else None."""
    if not enabled:
        return None
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else None
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else None


def batches_of(count: int, epoch: int, config: FitConfig, rank: int = 0, world: int = 1) -> list[list[int]]:
    """Sample indices of each part that process `rank` of `world` computes in an epoch, shuffled by (seed, epoch).

    The processes' parts of one step are together the batch that a single process would see; a last, short batch is
    dropped. Raises DataError when the batch cannot be cut evenly, or is larger than the data.
    """
    part, left = divmod(config.batch, config.accumulate * world)
    if left or not part:
        raise DataError(f"a batch of {config.batch} cannot be cut into {config.accumulate} parts on {world} processes")
    if count < config.batch:
        raise DataError(f"{count} training frames are fewer than one batch of {config.batch}")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(epoch_seed(config, epoch))).tolist()
    starts = range(0, count // config.batch * config.batch, part)
    return [order[start : start + part] for place, start in enumerate(starts) if place % world == rank]


def epoch_seed(config: FitConfig, epoch: int) -> int:
    """The seed of an epoch's order and dropout, its own for each (seed, epoch) of fewer than a million epochs."""
    return config.seed * 1_000_003 + epoch


def is_over(history: list[Epoch], score: str, config: FitConfig) -> bool:
    """Whether all epochs are done, or the last `patience` of them brought no better score."""
    if len(history) >= config.epochs:
        return True
    scores = [row[score] for row in history]
    return 0 < config.patience < len(scores) and max(scores[-config.patience :]) <= max(scores[: -config.patience])


def fit(
    net: nn.Module,
    data: Dataset[Any],
    loss: Loss,
    validate: Validate,
    config: FitConfig,
    folder: Path,
    score: str,
    facts: Facts,
) -> Path:
    """Train `net` and return the path of the best checkpoint by validation `score` (higher is better).

    `data` has `set_epoch(epoch)` and yields tuples of tensors, deterministic by (seed, epoch, index). Each epoch ends
    with `folder`/last.safetensors; a second call with the same folder resumes behind it on the same curve. Under
    `torchrun --nproc-per-node N` each process computes its share of every batch and gradients are averaged. Raises
    ModelError when the folder holds a run of another configuration, TrainingError when a gradient is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = int(os.environ.get("WORLD_SIZE", 1))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    fabric = Fabric(
        accelerator="cuda" if torch.cuda.is_available() else "cpu",
        devices=local,
        num_nodes=world // local,
        strategy="ddp" if world > 1 else "auto",
    )
    fabric.launch()
    if world > 1:
        atexit.register(_leave_group)
    if world > 1 and fabric.device.type == "cuda":  # on CPUs torch has none: each process normalises by its own part
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    net.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stubs
    average = torch.optim.swa_utils.AveragedModel(
        net, avg_fn=lambda old, new, count: moving_average(old, new, count, config.ema_decay), use_buffers=True
    )
    parameters = [p for p in net.parameters() if p.requires_grad]
    optimizer = make_optimizer(parameters, config)
    last, best = folder / "last.safetensors", folder / "best.safetensors"
    history = restore(last, net, average, optimizer, config) if last.exists() else []
    model, stepper = fabric.setup(net, optimizer)
    dtype = autocast_dtype(fabric.device, config.mixed_precision)
    steps = len(data) // config.batch  # type: ignore[arg-type]
    leads = fabric.is_global_zero
    with Progress(*COLUMNS, disable=not leads) as progress, open_board(folder, len(history), leads) as board:
        while not is_over(history, score, config):
            epoch = len(history)
            data.set_epoch(epoch)  # type: ignore[attr-defined]
            torch.manual_seed(epoch_seed(config, epoch) * world + fabric.global_rank)  # dropout, the same on resume
            parts = batches_of(len(data), epoch, config, fabric.global_rank, world)  # type: ignore[arg-type]
            task = progress.add_task(f"epoch {epoch + 1}/{config.epochs}", total=steps)
            started, total = time.monotonic(), torch.zeros((), device=fabric.device)
            model.train()
            for index, batch in enumerate(DataLoader(data, batch_sampler=parts, num_workers=config.workers)):
                step, part = divmod(index, config.accumulate)
                is_last = part == config.accumulate - 1
                with (
                    fabric.no_backward_sync(model, enabled=not is_last),
                    torch.autocast(fabric.device.type, dtype or torch.bfloat16, enabled=dtype is not None),
                ):
                    value = loss(model, [tensor.to(fabric.device) for tensor in batch])
                    for piece in (value,) if isinstance(value, torch.Tensor) else value:
                        fabric.backward(piece / config.accumulate)
                        total += piece.detach() / config.accumulate
                if not is_last:
                    continue
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(
                        epoch * steps + step, config.epochs * steps, config, [row[score] for row in history]
                    )
                norm = nn.utils.clip_grad_norm_(parameters, config.clip_norm or math.inf)
                if not torch.isfinite(norm):
                    raise TrainingError(_not_finite(epoch, step, dtype))
                stepper.step()
                stepper.zero_grad(set_to_none=True)
                average.update_parameters(net)
                progress.advance(task)
            mean_loss = float(torch.as_tensor(fabric.all_reduce(total, reduce_op="mean"))) / steps
            average.module.eval()
            row = {"epoch": epoch + 1, "loss": mean_loss, "seconds": time.monotonic() - started}
            row |= fabric.broadcast({k: float(v) for k, v in validate(average.module).items()} if leads else {})
            history.append(row)
            progress.remove_task(task)
            if leads:
                progress.console.print("  ".join(f"{k} {v:.4g}" for k, v in row.items()))
                for name, number in row.items():
                    board.add_scalar(name, number, epoch + 1)
                tensors = {f"ema.{n}": t for n, t in average.module.state_dict().items()}
                done = msgspec.structs.replace(
                    facts, config=config, history=tuple(history), steps=int(average.n_averaged)
                )
                if row[score] >= max(r[score] for r in history):
                    save_checkpoint(best, tensors, done)
                tensors |= {f"net.{n}": t for n, t in net.state_dict().items()}
                save_checkpoint(last, tensors | pack_optimizer(optimizer), done)
            fabric.barrier()
    return best


def _leave_group() -> None:
    """Leave the process group before the interpreter ends, which gloo's threads may else outlive."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _not_finite(epoch: int, step: int, dtype: torch.dtype | None) -> str:
    where = (
        f"the gradient of step {step + 1} of epoch {epoch + 1} is not finite; the checkpoint of epoch {epoch} is intact"
    )
    if dtype is None:
        return f"{where}: lower --lr and start again from it"
    # Seen with torch 2.13 on a CPU: the backward pass of PSPNet-MK at 473 px in bfloat16 overflows, in float32 it does
    # not.
    return f"{where}: train with --no-mixed-precision"


def make_optimizer(parameters: list[nn.Parameter], config: FitConfig) -> torch.optim.Optimizer:
    """The optimiser that the configuration names. Raises DataError for another name."""
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, config.lr, momentum=0.9, weight_decay=config.weight_decay)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, config.lr, weight_decay=config.weight_decay)
    raise DataError(f"'{config.optimizer}' is not an optimiser; write adamw or sgd")


def restore(
    path: Path,
    net: nn.Module,
    average: torch.optim.swa_utils.AveragedModel,
    optimizer: torch.optim.Optimizer,
    config: FitConfig,
) -> list[Epoch]:
    """Load a run's state in place and return its history. Raises ModelError when it was of another configuration."""
    tensors, saved = load_checkpoint(path)
    there, asked = asdict(saved.run), asdict(config)
    changed = [f"{k} {there[k]} there, {asked[k]} asked" for k in asked if k != "workers" and there[k] != asked[k]]
    if changed:
        raise ModelError(f"{path} holds a run with another configuration ({'; '.join(changed)}); choose another folder")
    net.load_state_dict(weights_of(tensors, "net."))
    average.module.load_state_dict(weights_of(tensors))
    average.n_averaged.fill_(saved.steps)
    unpack_optimizer(optimizer, tensors)
    return list(saved.history)
