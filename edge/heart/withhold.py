"""Which measurements may be shown, and the reason in words where one may not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.heart.measure import Ventricle
from edge.heart.regions import region_names
from edge.heart.steady import Steady
from edge.heart.visibility import Visibility

DISC_VIEWS = ("A4C", "A2C")
"""The method of discs is defined in the apical four- and two-chamber views (Lang et al. 2015, ASE/EACVI)."""
OFF_S, ON_S = 0.3, 1.0
"""A reason must last OFF_S to take a measurement away; it comes back after ON_S without any."""
NO_VIEW = "view unknown: give --view"
UNCERTAIN_VIEW = "view not certain: hold still, or give --view"
NO_SCALE = "mm per pixel unknown: give --depth-cm"
NOT_SCORED = "image quality is not scored now"


@dataclass(frozen=True)
class Withheld:
    """Why measurements are not shown, "" for those that are: `picture` the area curve, which needs no scale, `area`
    area and long axis, `volume` volume and ejection fraction."""

    picture: str = ""
    area: str = ""
    volume: str = ""

    def take_from(self, ventricle: Ventricle) -> Ventricle:
        """The same measurements without those that are withheld."""
        if self.area:
            ventricle = replace(ventricle, area_cm2=None, length_mm=None)
        return replace(ventricle, volume_ml=None, diameters_mm=None) if self.volume else ventricle


NOTHING = Withheld()


class Withholding:
    """Judges every frame. Reasons about the set-up hold at once; those about the picture have hysteresis."""

    def __init__(self, view: str, no_scale: str = "") -> None:
        """`no_scale`: why mm per pixel are not known, "" where they are."""
        self._scale = no_scale
        self.see(view)
        self._picture, self._unlikely = Steady("", OFF_S, ON_S), Steady("", OFF_S, ON_S)

    def see(self, view: str, unknown: str = NO_VIEW, doubt: str = "") -> None:
        """The view from now on; `unknown` is the reason where it is "", `doubt` why it may be another, or ""."""
        self._names = region_names(view)
        if not doubt and view not in DISC_VIEWS:
            doubt = f"volume needs A4C or A2C, not {view}" if view else unknown
        self._view = doubt

    def update(
        self, time_s: float, visibility: Visibility, scored: bool, reason: str, scale_reason: str = ""
    ) -> Withheld:
        """`scored`: the quality net runs; `reason`: why regions, and with them their quality, are not known, or "";
        `scale_reason`: why the scale cannot be right, or "".
        """
        quality = self._poorly_seen(visibility) if scored else NOT_SCORED
        picture = self._picture.update(time_s, reason or quality)
        scale = self._scale or self._unlikely.update(time_s, scale_reason)
        return Withheld(picture, scale or picture, scale or self._view or picture)

    def _poorly_seen(self, visibility: Visibility) -> str:
        """Two neighbouring segments that are not seen: where contrast is recommended before volumes are trusted (Senior
        et al., EAE 2009; Lang et al. 2015). Here "poor" counts as not seen, and so does outside the sector."""
        for one, other in zip(range(5), range(1, 6)):
            if visibility.poor[one] and visibility.poor[other]:
                return f"{self._names[one]} and {self._names[other]} poorly seen"
        return ""
