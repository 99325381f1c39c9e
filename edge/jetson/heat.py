"""Is the board held back by heat or by its power supply? Read from sysfs, which needs no rights and no tool.

Two signs, both from the Jetson Linux Developer Guide ("Platform Power and Performance"): a cooling device of the
kernel's thermal framework that is in use while a zone stands above its passive trip, and the counters of over-current
events (soctherm_oc: 1 under-voltage, 2 average, 3 instantaneous over-current), which lower the clocks by hardware.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

WARM_MARGIN_C = 5.0
"""This far below the trip at which the kernel starts to throttle, service is cut once, so that it need not throttle."""
ABSENT_C = -250.0
"""A powered-down sensor reads -256 degrees."""
POLL_S = 2.0
HOLD_S = 30.0
"""A state that has passed is kept this long: chips cool fast and heat up again as fast."""
EVENTS = {"oc1": "under-voltage", "oc2": "average over-current", "oc3": "over-current"}


@dataclass(frozen=True)
class Zone:
    """A thermal zone: temperature and the trip at which clocks are lowered, in °C (None: it has none)."""

    name: str
    celsius: float
    throttles_at_c: float | None


@dataclass(frozen=True)
class Heat:
    """What the board's sensors say. `events` counts since boot."""

    zones: tuple[Zone, ...]
    throttled_by: tuple[str, ...]
    events: dict[str, int]

    @property
    def hottest(self) -> Zone | None:
        """The zone closest to its trip, else the warmest."""
        return max(
            self.zones, key=lambda z: (z.throttles_at_c is not None, z.celsius - (z.throttles_at_c or 0)), default=None
        )

    @property
    def throttling(self) -> bool:
        """Clocks are being lowered. A fan is a cooling device as well; its turning is not throttling."""
        above = any(z.throttles_at_c is not None and z.celsius >= z.throttles_at_c for z in self.zones)
        return above or bool(self.throttled_by)

    @property
    def warm(self) -> bool:
        """Close to throttling."""
        return any(z.throttles_at_c is not None and z.celsius >= z.throttles_at_c - WARM_MARGIN_C for z in self.zones)


def read_heat(root: Path = Path("/")) -> Heat:
    """Every zone and counter under `root`/sys; what cannot be read (a powered-down GPU's sensor) is left out."""
    thermal = root / "sys/class/thermal"
    zones = tuple(_zones(thermal))
    throttled = [
        kind
        for device in sorted(thermal.glob("cooling_device*"))
        if "throttle" in (kind := _text(device / "type")) and (_number(device / "cur_state") or 0) > 0
    ]
    events = {}
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if _text(chip / "name") == "soctherm_oc":
            events = {name: int(_number(chip / f"{name}_event_cnt") or 0) for name in EVENTS}
    return Heat(zones, tuple(throttled), events)


def _zones(thermal: Path) -> Iterator[Zone]:
    for zone in sorted(thermal.glob("thermal_zone*"), key=lambda path: int(path.name[len("thermal_zone") :])):
        milli = _number(zone / "temp")
        if milli is None or milli / 1000 <= ABSENT_C:
            continue
        trips = [
            trip / 1000
            for kind in zone.glob("trip_point_*_type")
            if _text(kind) in ("passive", "hot")
            and (trip := _number(kind.with_name(kind.name.replace("_type", "_temp")))) is not None
            and trip > 0
        ]
        yield Zone(_text(zone / "type").replace("-thermal", ""), milli / 1000, min(trips, default=None))


class HeatWatch:
    """Looks at the board every POLL_S on its own thread; the loop asks `level` and `warning`, which cost nothing.

    level: 0 cool, 1 close to throttling, 2 throttling: the loop serves no better rung of its ladder. It falls back
    HOLD_S after the last look that showed it.
    """

    def __init__(self, root: Path = Path("/"), poll_s: float = POLL_S) -> None:
        self._root, self._poll_s = root, poll_s
        self.level, self.warning = 0, ""
        self._events: dict[str, int] | None = None
        self._until_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heat", daemon=True)

    def start(self) -> HeatWatch:
        """Begin to look; returns itself."""
        self._thread.start()
        return self

    def look(self, heat: Heat, now_s: float) -> None:
        """Take one reading at a monotonic time."""
        news = [EVENTS[name] for name, count in heat.events.items() if count > (self._events or heat.events)[name]]
        self._events = heat.events
        level = 2 if heat.throttling or news else 1 if heat.warm else 0
        if level < self.level and now_s < self._until_s:
            return
        changed, self.level = level != self.level, level
        if level:
            self._until_s = now_s + HOLD_S
        zone = heat.hottest
        where = f"{zone.name} {zone.celsius:.0f} C" if zone else ""  # no degree sign: the overlay's font has none
        causes = [", ".join(news)] if news else [] if not level else [where]
        words = {0: "", 1: "WARM", 2: "THROTTLED"}[level]
        self.warning = f"{words}: {', '.join(causes)}" if level else ""
        if changed:
            log.warning("the board is %s", self.warning or "cool again")

    def _run(self) -> None:
        while not self._ended.is_set():
            self.look(read_heat(self._root), time.monotonic())
            self._ended.wait(self._poll_s)

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:
        return None
