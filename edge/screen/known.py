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
    told it, `profile` a saved screen; another one is refused."""

    depth_cm: float = 0.0
    depth_from: str = TYPED
    profile: Profile | None = None


def known_screen(depth_cm: float, profile: str, has_scale: bool) -> KnownScreen:
    """From a depth typed in (0: none) and the name or file of a profile ("": none).

    A profile's depth is used where none is typed in. `has_scale`: the source knows mm per pixel, so no depth counts.
    Raises SourceError for a profile that cannot be read.
    """
    if not profile:
        return KnownScreen(depth_cm=depth_cm)
    loaded = load_profile(profile)
    if loaded.depth_cm and not depth_cm and not has_scale:
        log.warning("profile %s: its depth of %g cm is used, no ticks would show another", loaded.name, loaded.depth_cm)
    return KnownScreen(depth_cm=depth_cm or loaded.depth_cm, depth_from=TYPED if depth_cm else PROFILE, profile=loaded)
