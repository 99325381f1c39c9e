"""The result file of a measurement: its fields, its JSON schema, reading and writing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from edge.bench.stats import Percentiles
from edge.errors import EchoEdgeError

SCHEMA = 1
SCHEMA_FILE = Path(__file__).with_name("schema.json")


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fact about the machine. `value` is None where it is not readable, and `why_not` says why."""

    value: float | str | None
    source: str = ""
    why_not: str = ""


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One configuration, measured in turn with the others of its result.

    `kind` is "pipeline", "net", "peer" or "yardstick" (a fixed computation that says how fast the machine is).
    `latency_ms` runs from capture (of a recording: from the start of its analysis) to the drawn picture, of a net
    it is one inference. `fps` is frames per second of measured time, `jitter_ms` the mean change between consecutive
    intervals. `first_frame_ms` runs from the start of the process to its first result, `load_ms` covers the networks.
    `cpu_cores` is the mean use of cores, `peak_memory_mib` the process's largest resident size.
    """

    name: str
    kind: str
    config: dict[str, Any]
    frames: int
    seconds: float
    fps: float
    latency_ms: Percentiles
    stages_ms: dict[str, Percentiles]
    jitter_ms: float | None
    dropped: dict[str, int]
    first_frame_ms: float | None
    load_ms: float | None
    peak_memory_mib: float | None
    cpu_cores: float
    samples_ms: list[float]
    facts: dict[str, str] = {}


class Conditions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the machine did while it was measured.

    `other_load_cores` is what other processes took, `steal_percent` what the hypervisor gave to other machines,
    `throttled` how often the clock was cut for heat or power; temperatures in °C and the fastest core's clock in MHz
    are (lowest, highest).
    """

    seconds: float
    other_load_cores: float
    other_load_peak_cores: float
    own_load_cores: float
    steal_percent: float
    swapped_pages: int
    temperature_c: dict[str, tuple[float, float]]
    clock_mhz: tuple[float, float] | None
    throttled: Reading
    watts: Reading
    gpu_load_percent: Reading


class MachineFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was measured on."""

    name: str
    cores: int
    memory_gib: float
    system: str
    python: str
    packages: dict[str, str]
    board: str
    jetson_linux: str
    power_mode: Reading
    governor: Reading
    max_clock_mhz: Reading
    on_battery: Reading
    gpu: Reading


class Operating(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The highest rate that a limit allows: capture-to-drawn p99 within `limit_ms`, no frame dropped."""

    limit_ms: float
    fps: float | None
    tried: list[tuple[float, float, int]]
    """(offered frames a second, p99 in ms, frames dropped) of each trial."""


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One measurement. `fps` to `fps_per_watt` repeat the first run. Trust them only where `valid`."""

    schema: int
    kind: str
    valid: bool
    invalid_because: list[str]
    notes: list[str]
    fps: float
    latency_ms: Percentiles
    jitter_ms: float | None
    frames: int
    dropped: int
    first_frame_ms: float | None
    peak_memory_mib: float | None
    watts: float | None
    fps_per_watt: float | None
    runs: list[Run]
    machine: MachineFacts
    conditions: Conditions
    version: str
    command: str
    started: str
    throughput: Operating | None = None


def json_schema() -> bytes:
    """The JSON schema of a result, indented."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Result)), indent=2) + b"\n"


def encoded(result: Result) -> bytes:
    """Indented JSON, one line for each list of samples."""
    return msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"


def write_result(result: Result, path: Path) -> None:
    """Write under a temporary name, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(encoded(result))
    os.replace(temporary, path)


def read_result(path: Path) -> Result:
    """Read a result file. Raises EchoEdgeError for one that is missing, malformed or of another schema."""
    try:
        result = msgspec.json.decode(path.read_bytes(), type=Result)
    except OSError as error:
        raise EchoEdgeError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise EchoEdgeError(f"{path} is not a result of `echoedge bench` ({error}); measure again") from error
    if result.schema != SCHEMA:
        raise EchoEdgeError(f"{path} has schema {result.schema}, this version reads {SCHEMA}; measure again")
    return result
