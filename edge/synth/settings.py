"""What is drawn for each synthetic loop: the heart, the scanner's settings and the patient's acoustic window."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

APICAL = ("A4C", "A2C", "A3C", "A5C", "RV")
"""Seen from the apex: with the right ventricle in the middle of the picture, "RV"."""
SHORT_AXES = ("SAX", "SAX-MV", "SAX-APEX", "SAX-AV", "OBLIQUE")
"""Rings: at the papillary muscles, the mitral valve, the apex, the aortic valve; and a slanting cut."""
VIEWS = ("A4C", "A2C", "A3C", "SAX", "A5C", "RV", "SAX-MV", "SAX-APEX", "SAX-AV", "OBLIQUE", "PLAX", "SUBCOSTAL")
ANATOMY_STREAM, SCAN_STREAM, SHAPE_STREAM, TISSUE_STREAM, FIELD_STREAM, NOISE_STREAM, SCREEN_STREAM, KIND_STREAM = (
    range(11, 19)
)
"""Second word of each stage's seed, so that a change in one stage leaves the others' draws as they were."""


@dataclass(frozen=True)
class HeartSettings:
    """Size, shape and motion of the left ventricle in cm, radians and shares of one. Probe at (0, 0), y is depth."""

    seed: int
    view: str
    hr_bpm: float
    ef: float
    length: float
    half_width: float
    widest: float = 0.66
    """Where the cavity is widest, as a share of its length from the apex."""
    roundness: float = 2.1
    base_narrowing: float = 0.2
    axis_tilt: float = 0.0
    apex: tuple[float, float] = (0.0, 3.0)
    bend: float = 0.0
    asymmetry: float = 0.0
    base_tilt: float = 0.0
    wall_left: float = 1.1
    wall_right: float = 1.0
    wall_apex: float = 1.0
    """Thickness of the wall at the apex relative to the sides."""
    shortening: float = 0.12
    hypokinesia: float = 0.0
    """Share of a segment's motion that is lost around `hypokinetic_at` (0 basal left, 0.5 apex, 1 basal right)."""
    hypokinetic_at: float = 0.5
    basal_damping: float = 0.5


@dataclass(frozen=True)
class ScanSettings:
    """Image formation. dB are relative to the mean myocardium; cm, radians."""

    seed: int
    depth: float = 15.0
    fov: float = 1.3
    steer: float = 0.0
    """The middle line's angle to the probe's axis, radians; positive to the right of the picture."""
    tip: float = 0.0
    """How far behind the probe's face the lines meet, cm: 0 for a sector, more for a trapezoid or curved array."""
    lines: int = 150
    samples: int = 420
    density: float = 480.0
    """Scatterers per cm2 outside the wall; the wall has 1.5 times as many."""
    wavelength: float = 0.04
    axial: float = 0.03
    """Standard deviation of the pulse along the beam, cm."""
    lateral: float = 0.0105
    """Standard deviation across the beam in focus, radians."""
    focus: float = 8.0
    dynamic_range_db: float = 58.0
    wall_grey: float = 0.385
    """Grey level (0-1) of the mean myocardium."""
    shoulder: float = 0.18
    tgc_db_per_cm: float = 0.0
    near_loss_db: float = 6.0
    side_lobe_db: float = -34.0
    blood_db: float = -28.0
    atrium_db: float = -18.0
    """Echo of slice thickness and reverberation inside the atria and the aorta, away from their walls."""
    noise_db: float = -40.0
    noise_db_per_cm: float = 0.6
    near_clutter_db: float = -14.0
    near_clutter_cm: float = 2.5
    haze_db: float = -19.0
    pericardium_db: float = 2.0
    surroundings_db: float = -5.0
    speckle_reduction: int = 1
    persistence: float = 0.3
    severity: float = 0.5
    fps: float = 50.0
    dropout_db: tuple[float, ...] = field(default=(0.0,) * 9)
    """Loss of signal at nine points along the wall, from the left annulus over the apex to the right one."""


RADIUS_CM = {"SAX-MV": (2.0, 3.0), "SAX-APEX": (0.9, 1.6), "SAX-AV": (1.1, 1.7), "OBLIQUE": (1.5, 2.6)}
"""Smallest and largest radius of the ring in a short axis other than the papillary one."""


def draw_heart(seed: int, view: str) -> HeartSettings:
    """A heart for one of VIEWS. The same seed and view always give the same heart."""
    rng = np.random.default_rng([seed, ANATOMY_STREAM])
    u = rng.uniform
    ef = float(np.clip(rng.normal(0.52, 0.14), 0.18, 0.76))
    length = u(6.1, 9.0)
    half_width = length * u(0.245, 0.35)
    apex = (u(-0.4, 1.6) if view == "A4C" else u(-1.0, 1.0), u(1.6, 3.8))
    if view == "SAX":
        half_width = u(1.9, 2.9)
        apex = (u(-0.6, 0.9), u(3.6, 5.2))
    other = np.random.default_rng([seed, ANATOMY_STREAM, 1]).uniform
    if view in ("A5C", "RV"):
        apex = (other(-0.4, 1.6), apex[1])
    if view == "RV":
        apex = (apex[0] + other(2.6, 4.4), apex[1])
    if view in SHORT_AXES[1:]:
        half_width = other(*RADIUS_CM[view])
        apex = (other(-0.8, 0.9), other(3.2, 5.6))
    return HeartSettings(
        seed,
        view,
        hr_bpm=u(50, 105),
        ef=ef,
        length=length,
        half_width=half_width,
        widest=u(0.5, 0.8),
        roundness=u(1.7, 2.6),
        base_narrowing=u(0.08, 0.35),
        axis_tilt=np.deg2rad(u(-14, 10) if view in ("A4C", "A5C", "RV") else u(-14, 14)),
        apex=apex,
        bend=u(-0.4, 0.4),
        asymmetry=u(-0.25, 0.25),
        base_tilt=u(-0.07, 0.07),
        wall_left=u(0.9, 1.5),
        wall_right=u(0.85, 1.4),
        wall_apex=u(0.7, 1.25),
        shortening=float(np.clip(ef * u(0.2, 0.34), 0.03, 0.22)),
        hypokinesia=u(0.3, 0.9) if rng.random() < 0.25 else 0.0,
        hypokinetic_at=u(0.1, 0.9),
        basal_damping=u(0.3, 0.65),
    )


def draw_scan(seed: int, view: str, severity: float | None = None) -> ScanSettings:
    """Scanner settings and acoustic window; `severity` 0 (clear) to 1 (barely readable), None draws a mild one."""
    rng = np.random.default_rng([seed, SCAN_STREAM])
    u = rng.uniform
    drawn = u(0, 1) ** 1.4
    poor = drawn if severity is None else float(np.clip(severity, 0, 1))
    hidden = rng.random(9) < 0.10 + 0.45 * poor
    dropout = np.where(hidden, -u(4, 34, 9) * (0.25 + 0.75 * poor), -u(0, 2, 9))
    if view in ("A4C", "A2C") and rng.random() < 0.6:
        dropout[5:8] -= u(1, 12) * (0.3 + 0.7 * poor)  # the wall beside the lung is the one most often lost
    frequency_mhz = u(1.7, 2.1) * 2 if rng.random() < 0.8 else u(2.0, 3.0)
    return ScanSettings(
        seed,
        depth=u(12, 16) if view in (*SHORT_AXES, "PLAX") else u(13, 18),
        fov=np.deg2rad(u(62, 92)),
        lines=int(u(110, 200)),
        wavelength=0.154 / frequency_mhz,
        axial=u(0.016, 0.025),
        lateral=np.deg2rad(u(0.3, 0.62)),
        focus=u(6, 11),
        dynamic_range_db=u(44, 70),
        wall_grey=float(np.clip(rng.normal(0.385, 0.08), 0.2, 0.6)),
        shoulder=u(0.06, 0.28),
        tgc_db_per_cm=u(-0.35, 0.45),
        near_loss_db=u(2, 11),
        side_lobe_db=u(-42, -27),
        blood_db=u(-34, -22),
        atrium_db=u(-22, -4),
        noise_db=u(-50, -34) + 8 * poor,
        noise_db_per_cm=u(0.2, 0.9),
        near_clutter_db=u(-20, -8) + 4 * poor,
        near_clutter_cm=u(1.0, 4.5),
        haze_db=u(-30, -20) + 9 * poor,
        pericardium_db=u(-2, 9),
        surroundings_db=u(-13, -1),
        speckle_reduction=int(rng.choice(3, p=[0.35, 0.5, 0.15])),
        persistence=u(0, 0.35),
        severity=poor,
        fps=float(round(u(35, 70))),
        dropout_db=tuple(float(d) for d in dropout),
    )


def vary_scan(scan: ScanSettings, seed: int) -> ScanSettings:
    """The scan with what other machines and windows bring: steered and trapezoid sectors, dark and noisy pictures."""
    rng = np.random.default_rng([seed, SCAN_STREAM, 1])
    u = rng.uniform
    if rng.random() < 0.2:
        scan = replace(scan, steer=float(np.deg2rad(u(-18, 18))))
    if rng.random() < 0.25:
        scan = replace(scan, tip=u(0.5, 5.0), fov=min(scan.fov, float(np.deg2rad(u(55, 75)))))
    if rng.random() < 0.2:
        scan = replace(scan, wall_grey=u(0.06, 0.2))
    if rng.random() < 0.2:
        scan = replace(scan, noise_db=scan.noise_db + u(4, 14), haze_db=scan.haze_db + u(2, 8))
    return scan
