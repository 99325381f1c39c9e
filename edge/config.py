"""Settings of `echoedge run`: defaults, then one TOML file, then ECHOEDGE_… variables, then flags; the later wins.

TOML and not JSON or YAML: an engineer can comment it, and Python reads it without another package from 3.11 on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from edge.errors import EchoEdgeError
from edge.refine.refiner import SAMPLES
from edge.screen.known import typed_depth
from edge.sources.address import redacted

PREFIX = "ECHOEDGE_"
RefineMode = Literal["off", "keyframes", "always"]
REFINE: tuple[str, ...] = get_args(RefineMode)
"""What `refine` may be."""


@dataclass(frozen=True)
class RunConfig:
    """Every setting of a run. Times in ms, depth in cm ("16!" insists on it); 0 and "" leave a setting open.

    `sinks` are addresses of outputs; `out` and `name` stand for NAME.mp4, NAME.jsonl and NAME.png in a folder.
    `cpus` such as "0,1"; `fifo_priority` 1-97 asks for SCHED_FIFO. The limits are those of docs/safety.md. `refine`
    says which frames a second model refines beside the loop.
    """

    source: str = ""
    sinks: tuple[str, ...] = ()
    out: str = ""
    name: str = ""
    model: str = "pspnet-mk"
    quality: str = "quality"
    refine: RefineMode = "off"
    refine_model: str = "echo-dnd"
    refine_samples: int = SAMPLES
    precision: str = "auto"
    backend: str = "auto"
    threads: int = 0
    view: str = ""
    pace: str = "fast"
    record: str = ""
    encoder: str = "auto"
    depth_cm: float | str = 0.0
    height_cm: float = 0.0
    weight_kg: float = 0.0
    profile: str = ""
    mirrored: bool = False
    upside_down: bool = False
    show_screen: bool = False
    label: str = ""
    deadline_ms: float = 0.0
    signal_ms: float = 150.0
    freeze_ms: float = 150.0
    stuck_ms: float = 150.0
    age_ms: float = 200.0
    cpus: str = ""
    fifo_priority: int = 0
    allow_failed_gate: bool = False


MAX_CORES = 1024
NAMES = tuple(field.name for field in fields(RunConfig))


def load_config(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> RunConfig:
    """Merge the four layers. Raises EchoEdgeError for an unreadable file, an unknown name or a wrong type."""
    merged: dict[str, Any] = {}
    layers = [(str(path), _read(path))] if path is not None else []
    layers += [("the environment", _from_environment(environment)), ("the command line", dict(flags))]
    for origin, layer in layers:
        unknown = sorted(set(layer) - set(NAMES))
        if unknown:
            raise EchoEdgeError(f"{origin} sets '{unknown[0]}', which is not a setting; there are {', '.join(NAMES)}")
        try:
            msgspec.convert(layer, RunConfig, strict=False)
        except msgspec.ValidationError as error:
            raise EchoEdgeError(f"{origin} has a wrong value: {error}") from error
        merged |= layer
    config = msgspec.convert(merged, RunConfig, strict=False)
    check_ranges(config)
    return config


RANGES = {
    "depth_cm": (1.0, 40.0, "0 for not known, or "),
    "height_cm": (40.0, 250.0, "0 for not known, or "),
    "weight_kg": (2.0, 400.0, "0 for not known, or "),
    "deadline_ms": (1.0, 60_000.0, "0 for the source's frame period, or "),
    "signal_ms": (1.0, 60_000.0, ""),
    "freeze_ms": (1.0, 60_000.0, ""),
    "stuck_ms": (1.0, 60_000.0, ""),
    "age_ms": (1.0, 60_000.0, ""),
    "threads": (1, 1024, "0 for all cores, or "),
    "fifo_priority": (1, 97, "0 for none, or "),
}
"""Setting -> least, most, and what 0 stands for where it is allowed."""


def check_ranges(config: RunConfig) -> None:
    """Raises EchoEdgeError for a number outside its range, not a number, or cores that are not numbers."""
    try:
        numbers = asdict(config) | {"depth_cm": typed_depth(config.depth_cm)[0]}
    except ValueError:
        raise EchoEdgeError(f"--depth-cm is {config.depth_cm}; give a number such as 16, or 16! to insist") from None
    for name, (least, most, or_zero) in RANGES.items():
        value = numbers[name]
        if not (least <= value <= most or (or_zero and value == 0)):
            flag = name.replace("_", "-")
            raise EchoEdgeError(f"--{flag} is {value:g}; give {or_zero}{least:g} to {most:g}")
    if bool(config.height_cm) != bool(config.weight_kg):
        raise EchoEdgeError(
            "volumes per m2 of body surface need both --height-cm and --weight-kg; give both or neither"
        )
    cores = [core.strip() for core in config.cpus.split(",")] if config.cpus else []
    if not all(core.isdecimal() and int(core) < MAX_CORES for core in cores):
        raise EchoEdgeError(f"--cpus is '{config.cpus}'; give numbers of cores, 0 to {MAX_CORES - 1}, such as 0,1")


def printed(config: RunConfig) -> str:
    """The settings as TOML for `--config` to read again; passwords in addresses are left out."""
    lines = []
    for name, value in asdict(config).items():
        if isinstance(value, str):
            value = redacted(value)
        elif isinstance(value, list | tuple):
            value = [redacted(item) for item in value]
        lines.append(f"{name} = {msgspec.json.encode(value).decode()}")
    return "\n".join(lines) + "\n"


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """ECHOEDGE_VIEW=A4C sets `view`; ECHOEDGE_SINKS takes addresses separated by blanks. Other names are not ours."""
    found: dict[str, Any] = {}
    for name in NAMES:
        value = environment.get(PREFIX + name.upper())
        if value is not None:
            found[name] = value.split() if name == "sinks" else value
    return found


def _read(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return dict(tomllib.loads(path.read_text()))
    except OSError as error:
        raise EchoEdgeError(f"{path} cannot be read ({error.strerror}); give a settings file by --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EchoEdgeError(
            f"{path} is not TOML: {error}; `echoedge run --print-config` prints settings to start from"
        ) from error


def from_process(path: Path | None, flags: Mapping[str, Any]) -> RunConfig:
    """`load_config` with this process's environment."""
    return load_config(path, os.environ, flags)
