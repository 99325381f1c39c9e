"""What `echoedge doctor --target jetson` looks at: from the board to the service that runs on it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from edge.finding import Finding
from edge.jetson.board import DEFAULTS, detect
from edge.jetson.first_boot import FAILED, SETTINGS
from edge.jetson.heat import EVENTS, read_heat
from edge.jetson.power import CONFIGURATION, modes_of
from edge.jetson.tegrastats import parse_line
from edge.update import slots

HOME, ETC = Path("opt/echoedge"), Path("etc/echoedge")
UNITS = ("echoedge.service", "echoedge-display.service")
MIN_FREE_GB = 2.0
"""An update needs the room of one more slot, and its bundle."""


def _board(root: Path) -> Finding:
    board = detect(root)
    if not board.is_jetson:
        return Finding("module", "absent", "not a Jetson", "run this on the device")
    if board.verdict:
        return Finding("module", "broken", f"{board.module or board.model}", board.verdict)
    defaults = DEFAULTS.get(board.module)
    if defaults is None:
        return Finding("module", "absent", f"{board.model or 'unknown'}: no defaults", "see docs/jetson.md, Modules")
    cores, shared, streams = defaults
    detail = (
        f"{board.module}, SM {board.compute_capability}, {cores} DLA cores, shared memory {shared}, {streams} scanners"
    )
    return Finding("module", "ok", detail)


def _tensorrt(root: Path) -> Finding:
    installed = detect(root).tensorrt
    if find_spec("tensorrt"):
        return Finding("TensorRT here", "ok", f"seen by this Python; package {installed or 'from elsewhere'}")
    if installed:
        remedy = "make the environment with --system-site-packages, as jetson/install.sh does"
        return Finding("TensorRT here", "absent", f"{installed} is installed, this Python does not see it", remedy)
    return Finding("TensorRT here", "absent", "not installed", "sudo apt-get install nvidia-jetpack")


def _engines(root: Path) -> Finding:
    folder = root / HOME / slots.CURRENT / "engines"
    if (folder / SETTINGS).is_file():
        return Finding("engines", "ok", (folder / SETTINGS).read_text().strip().replace("\n", ", "))
    if (folder / FAILED).is_file():
        return Finding(
            "engines", "absent", (folder / FAILED).read_text().strip(), f"sudo rm {folder / FAILED} to try again"
        )
    return Finding("engines", "absent", "not built; networks run on the CPU", "systemctl start echoedge-compile")


def _power(root: Path) -> Finding:
    modes = {mode.number: mode.name for mode in modes_of(_text(root / CONFIGURATION))}
    now = re.search(r"pmode:0*(\d+)", _text(root / "var/lib/nvpmodel/status"))
    if not modes:
        return Finding("power mode", "absent", "no nvpmodel.conf", "a Jetson has it: package nvidia-l4t-nvpmodel")
    name = modes.get(int(now[1]), "") if now else ""
    offered = ", ".join(modes.values())
    if not name:
        return Finding("power mode", "absent", f"unknown; there are {offered}", "sudo echoedge power bedside")
    return Finding("power mode", "ok", f"{name}, of {offered}")


def _heat(root: Path) -> Finding:
    heat = read_heat(root)
    zone = heat.hottest
    if zone is None:
        return Finding("heat", "absent", "no thermal zone can be read", "on a Jetson: update Jetson Linux")
    limit = f", throttles at {zone.throttles_at_c:.0f}" if zone.throttles_at_c else ""
    events = [f"{count} {EVENTS[name]}" for name, count in heat.events.items() if count]
    detail = "; ".join([f"{zone.name} {zone.celsius:.0f} °C{limit}", *events])
    if heat.throttling:
        return Finding("heat", "absent", f"THROTTLING: {detail}", "free the air inlet, or echoedge power battery")
    if events:
        return Finding(
            "heat", "absent", f"{detail} since boot", "use the supply that came with the board, or a lower mode"
        )
    return Finding("heat", "ok", detail)


def _load(root: Path) -> Finding:
    tool = shutil.which("tegrastats") if root == Path("/") else None
    if tool is None:
        return Finding("load", "absent", "no tegrastats", "it comes with Jetson Linux")
    with subprocess.Popen([tool, "--interval", "200"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        stats = next((s for s in map(parse_line, process.stdout) if s), None)
        process.terminate()
    if stats is None:
        return Finding("load", "absent", "tegrastats prints nothing that is known", "send its output with a report")
    gpu = "?" if stats.gpu_percent is None else stats.gpu_percent
    ram = f"{stats.ram_used_mb} of {stats.ram_total_mb} MB"
    return Finding("load", "ok", f"CPU {stats.cpu_percent:.0f} %, GPU {gpu} %, {ram}, {stats.total_mw / 1000:.1f} W")


def _disk(root: Path) -> Finding:
    free_gb = shutil.disk_usage(root).free / 1e9
    if free_gb < MIN_FREE_GB:
        return Finding("disk", "absent", f"{free_gb:.1f} GB free", f"free {MIN_FREE_GB:g} GB, or no update will fit")
    return Finding("disk", "ok", f"{free_gb:.1f} GB free")


def _grabber(root: Path) -> Finding:
    node = root / "dev/echoedge-grabber"
    if node.exists() or node.is_symlink():
        return Finding("grabber", "ok", f"/dev/echoedge-grabber -> {node.resolve().name}")
    remedy = "plug it in; where lsusb shows it, add its vendor to /etc/udev/rules.d/70-echoedge-grabber.rules"
    return Finding("grabber", "absent", "no /dev/echoedge-grabber", remedy)


def _slots(root: Path) -> Finding:
    home = root / HOME
    current = slots.active(home)
    if not current:
        return Finding("slots", "absent", "no slot is installed", "sudo jetson/install.sh")
    versions = [f"{name} {slots.release_of(home, name).get('version', 'empty')}" for name in slots.SLOTS]
    trial = ", on trial" if slots.on_trial(home) else ""
    return Finding("slots", "ok", f"{', '.join(versions)}; {current} runs{trial}")


def _updates(root: Path) -> Finding:
    if (root / ETC / "trusted_key.json").is_file():
        return Finding("updates", "ok", "checked against /etc/echoedge/trusted_key.json")
    return Finding("updates", "absent", "no trusted key: every update is refused", "sudo jetson/install.sh --key FILE")


def _service(root: Path) -> Finding:
    if root != Path("/") or not Path("/run/systemd/system").is_dir():
        return Finding("service", "absent", "systemd does not run here", "on the device: systemctl status echoedge")
    states = {unit: slots.state_of(unit) for unit in UNITS}
    running = [
        f"{unit} {state['SubState']}, {state.get('NRestarts', '?')} restarts: {state.get('StatusText', '')}"
        for unit, state in states.items()
        if state.get("ActiveState") in ("active", "activating")
    ]
    if not running:
        return Finding("service", "absent", "neither unit runs", "journalctl -u echoedge -u echoedge-display -e")
    return Finding("service", "ok", "; ".join(running))


CHECKS: tuple[Callable[[Path], Finding], ...] = (
    _board,
    _tensorrt,
    _engines,
    _power,
    _heat,
    _load,
    _disk,
    _grabber,
    _slots,
    _updates,
    _service,
)


def examine_jetson(root: Path) -> list[Finding]:
    """All findings about a device, in the order of bringing one up."""
    return [check(root) for check in CHECKS]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
