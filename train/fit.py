"""The training loop: any network, loss and data set; moving average, cosine schedule, checkpoint every epoch, resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn
from torch.utils.data import DataLoader, Dataset

from train.checkpoint import (
    load_checkpoint,
    pack_optimizer,
    save_checkpoint,
    unpack_optimizer,
    weights_of,
)

Loss = Callable[[nn.Module, list[torch.Tensor]], torch.Tensor]
Validate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class FitConfig:
    """What a run needs besides network and data; `optimizer` is "adamw" or "sgd" (the PSPNet-MK paper's recipe)."""

    epochs: int
    batch: int = 8
    optimizer: str = "adamw"
    lr: float = 2e-3
    lr_end: float = 1e-5
    weight_decay: float = 1e-2
    warmup_steps: int = 200
    ema_decay: float = 0.998
    clip_norm: float = 5.0
    seed: int = 0
    workers: int = 1
    mixed_precision: bool = True


def learning_rate(step: int, steps: int, config: FitConfig) -> float:
    """Linear warm-up, then cosine from lr to lr_end."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
    return config.lr_end + (config.lr - config.lr_end) * 0.5 * (1 + math.cos(math.pi * done))


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


def fit(
    net: nn.Module,
    data: Dataset[Any],
    loss: Loss,
    validate: Validate,
    config: FitConfig,
    folder: Path,
    score: str,
    facts: dict[str, Any],
) -> Path:
    """Train `net` and return the path of the best checkpoint by validation `score` (higher is better).

    `data` has `set_epoch(epoch)` and yields tuples of tensors, deterministic by (seed, epoch, index). Each epoch ends
    with `folder`/last.safetensors; a second call with the same folder resumes behind it on the same curve.
    """
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net.to(device, memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        net, avg_fn=lambda old, new, count: moving_average(old, new, count, config.ema_decay), use_buffers=True
    )
    parameters = [p for p in net.parameters() if p.requires_grad]
    optimizer: torch.optim.Optimizer
    if config.optimizer == "sgd":
        optimizer = torch.optim.SGD(parameters, config.lr, momentum=0.9, weight_decay=config.weight_decay)
    else:
        optimizer = torch.optim.AdamW(parameters, config.lr, weight_decay=config.weight_decay)
    history: list[dict[str, float]] = []
    last, best = folder / "last.safetensors", folder / "best.safetensors"
    if last.exists():
        tensors, saved = load_checkpoint(last)
        net.load_state_dict(weights_of(tensors, "net."))
        average.module.load_state_dict(weights_of(tensors))
        average.n_averaged.fill_(saved["steps"])
        unpack_optimizer(optimizer, tensors)
        history = saved["history"]
    dtype = autocast_dtype(device, config.mixed_precision)
    steps_per_epoch = len(data) // config.batch  # type: ignore[arg-type]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        for epoch in range(len(history), config.epochs):
            data.set_epoch(epoch)  # type: ignore[attr-defined]
            order = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
            batches = DataLoader(
                data, config.batch, shuffle=True, drop_last=True, generator=order,
                num_workers=config.workers, persistent_workers=False,
            )  # fmt: skip
            task = progress.add_task(f"epoch {epoch + 1}/{config.epochs}", total=steps_per_epoch)
            started, total = time.monotonic(), 0.0
            net.train()
            for index, batch in enumerate(batches):
                step = epoch * steps_per_epoch + index
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(step, config.epochs * steps_per_epoch, config)
                with torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None):
                    value = loss(net, [part.to(device) for part in batch])
                optimizer.zero_grad(set_to_none=True)
                value.backward()
                nn.utils.clip_grad_norm_(parameters, config.clip_norm)
                optimizer.step()
                average.update_parameters(net)
                total += value.item()
                progress.advance(task)
            average.module.eval()
            row = {
                "epoch": epoch + 1,
                "loss": total / max(1, steps_per_epoch),
                "seconds": time.monotonic() - started,
                **validate(average.module),
            }
            history.append(row)
            progress.remove_task(task)
            progress.console.print("  ".join(f"{k} {v:.4g}" for k, v in row.items()))
            tensors = {f"ema.{n}": t for n, t in average.module.state_dict().items()}
            all_facts = {**facts, "config": asdict(config), "history": history, "steps": int(average.n_averaged)}
            if row[score] >= max(r[score] for r in history):
                save_checkpoint(best, tensors, all_facts)
            tensors |= {f"net.{n}": t for n, t in net.state_dict().items()}
            save_checkpoint(last, tensors | pack_optimizer(optimizer), all_facts)
    return best
