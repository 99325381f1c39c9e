"""What is known of a scanner's screen before its first frame comes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from edge.screen.calibration import PROFILE, TYPED
from edge.screen.profile import Profile, load_profile

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class KnownScreen:
    """`depth_cm` is the imaging depth where the picture's scale is not known otherwise (0: not given), `depth_from` who
    told it, `profile` a saved screen; another one is refused. With `insists` the depth counts whatever source and ticks
    say."""

    depth_cm: float = 0.0
    depth_from: str = TYPED
    insists: bool = False
    profile: Profile | None = None


def known_screen(typed: float | str, profile: str, has_scale: bool) -> KnownScreen:
    """From a depth in cm typed in (0: none; "16!" insists on it) and the name or file of a profile ("": none).

    A profile's depth is used where none is typed in. `has_scale`: the source knows mm per pixel.
    Raises SourceError for a profile that cannot be read.
    """
    depth_cm, insists = typed_depth(typed)
    if not profile:
        return KnownScreen(depth_cm=depth_cm, insists=insists)
    loaded = load_profile(profile)
    if loaded.depth_cm and not depth_cm and not has_scale:
        log.warning("profile %s: its depth of %g cm is used, no ticks would show another", loaded.name, loaded.depth_cm)
    return KnownScreen(
        depth_cm=depth_cm or loaded.depth_cm,
        depth_from=TYPED if depth_cm else PROFILE,
        insists=insists,
        profile=loaded,
    )


def typed_depth(typed: float | str) -> tuple[float, bool]:
    """(depth in cm, whether it is insisted on) of 16, "16" or "16!"; ValueError for what is no number."""
    words = str(typed)
    return float(words.removesuffix("!")), words.endswith("!")
