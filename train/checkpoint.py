"""Checkpoints as safetensors: weights, their moving average and the optimiser's state, with `Facts` as metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from edge.errors import ModelError
from train.facts import Facts, facts_from, plain_from


def save_checkpoint(path: Path, tensors: dict[str, torch.Tensor], facts: Facts) -> None:
    """Write under a temporary name, then rename: a kill in the middle leaves the previous file whole."""
    temporary = path.with_name(path.name + ".part")
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, temporary, metadata={"facts": json.dumps(plain_from(facts))})
    os.replace(temporary, path)


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], Facts]:
    """Tensors and facts of a checkpoint. Raises ModelError for a file that is not one, or whose facts do not fit."""
    try:
        with safe_open(path, framework="pt") as file:
            written = (file.metadata() or {}).get("facts")
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"cannot read the checkpoint {path} ({error}); give a .safetensors file that `echoedge train` wrote"
        ) from error
    if written is None:
        raise ModelError(
            f"{path} holds tensors but no facts about a network; give a checkpoint that `echoedge train` wrote"
        )
    try:
        return tensors, facts_from(json.loads(written))
    except ValueError as error:  # of json and msgspec alike
        raise ModelError(
            f"{path} says something wrong about its network: {error}; write it again with `echoedge train`"
        ) from error


def weights_of(tensors: dict[str, torch.Tensor], prefix: str = "ema.") -> dict[str, torch.Tensor]:
    """The tensors under a prefix, with the prefix removed."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def pack_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimiser's per-parameter state as named tensors `optimizer.INDEX.KEY`."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{index}.{key}": torch.as_tensor(value)
        for index, values in state.items()
        for key, value in values.items()
        if value is not None
    }


def unpack_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Restore what `pack_optimizer` packed; learning rates come from the schedule, not from here."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in weights_of(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
