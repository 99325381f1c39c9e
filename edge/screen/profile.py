"""Screens of known scanners: where the sector is and what a tick stands for, kept under a name in the user's folder."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import msgspec
import numpy as np

from edge.errors import SourceError
from edge.screen.scale import UNITS_MM, Scale
from edge.screen.sector import Fan, Sector, box_of, fan_mask

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ALIKE = 0.85
"""Least IoU of the profile's sector and the one that is found on the screen."""
UNIT_TOLERANCE = 0.06


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One scanner's screen: size in pixels, the sector's fan (pixels, radians), mm between ticks (0: unknown).

    Where ticks are seen there are no mm per pixel: they would be wrong at the next depth, and be believed. `depth_cm`
    is kept only for a screen without ticks, as it was typed in or clicked (0: none): it holds at that depth alone.
    """

    name: str
    width: int
    height: int
    apex: tuple[float, float]
    inner_radius: float
    radius: float
    half_angle: float
    tick_mm: float = 0.0
    depth_cm: float = 0.0

    def sector(self) -> Sector:
        """The sector on a frame of the profile's size."""
        fan = Fan(self.apex, self.inner_radius, self.radius, self.half_angle)
        mask = fan_mask(fan, (self.height, self.width))
        return Sector(box_of(mask), mask, fan)

    def problem(self, found: Sector) -> str:
        """ "" where a sector that was found on the screen is the profile's, else why it is not."""
        height, width = found.mask.shape
        if (width, height) != (self.width, self.height):
            return (
                f"WRONG PROFILE: {self.name} is for {self.width}x{self.height}, the picture is {width}x{height}; "
                f"set the video output, or save it anew"
            )
        own = self.sector().mask
        alike = np.count_nonzero(own & found.mask) / np.count_nonzero(own | found.mask)
        if alike < ALIKE:
            return f"WRONG PROFILE: the sector is not where {self.name} has it (IoU {alike:.2f}); save it anew"
        return ""


def profile_of(name: str, sector: Sector, scale: Scale, mm_per_px: float | None, depth_cm: float = 0.0) -> Profile:
    """A profile of what was found. `mm_per_px`, where it is known, settles what the ticks stand for; `depth_cm` is the
    depth where the user told it.

    Raises SourceError for a bad name or a sector that is no fan.
    """
    _check_name(name)
    fan = sector.fan
    if fan is None:
        raise SourceError(f"the sector on this screen is no fan; no profile {name} is saved: show a B-mode sector")
    tick_mm = 0.0
    if mm_per_px is not None and scale.step_px:
        shown = mm_per_px * scale.step_px
        tick_mm = next((unit for unit in UNITS_MM if abs(shown / unit - 1) < UNIT_TOLERANCE), 0.0)
        if not tick_mm:
            log.warning(
                "by this scale the ticks stand %.1f mm apart, not 5 or 10; profile %s keeps no scale", shown, name
            )
    height, width = sector.mask.shape
    apex = (round(fan.apex[0], 2), round(fan.apex[1], 2))
    return Profile(
        name,
        width,
        height,
        apex,
        round(fan.inner_radius, 2),
        round(fan.radius, 2),
        round(fan.half_angle, 5),
        tick_mm,
        0.0 if scale.step_px else round(depth_cm, 2),
    )


def save_profile(profile: Profile) -> Path:
    """Write it; the file. One of the same name is replaced."""
    path = _path(profile.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(profile), indent=2) + b"\n")
    new.replace(path)
    return path


def load_profile(name: str) -> Profile:
    """A saved profile. Raises SourceError that lists those there are."""
    _check_name(name)
    path = _path(name)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Profile)
    except FileNotFoundError:
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.json"))) or "none"
        raise SourceError(
            f"there is no profile '{name}' in {path.parent} (saved: {there}); "
            f"make it with `echoedge locate SOURCE --save {name}`"
        ) from None
    except (OSError, msgspec.ValidationError, msgspec.DecodeError) as error:
        raise SourceError(f"{path} is no profile ({error}); save it anew with `echoedge locate`") from error


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise SourceError(f"'{name}' cannot name a profile; use letters, digits, dots, dashes and underscores")


def _path(name: str) -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "echoedge" / "profiles" / f"{name}.json"
