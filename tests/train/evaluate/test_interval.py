from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.heart.interval import Fit, breadth
from train.evaluate.interval import (
    Errors,
    conformal_half,
    coverage_of,
    fit_of,
    fitted_source,
    gain_of,
    interval_rows,
    write_fitted,
)


def drawn(patients: int = 400, seed: int = 0) -> Errors:
    """Errors whose spread follows quality as `breadth` says."""
    rng = np.random.default_rng(seed)
    quality = rng.uniform(2.5, 4.5, patients)
    error = np.abs(rng.normal(0, 5, patients)) * breadth(quality)
    return Errors(np.array([f"p{k:03d}" for k in range(patients)]), quality, error)


def test_the_half_width_is_the_conformal_quantile() -> None:
    error = np.arange(1.0, 20.0)  # 19 patients: the 18th of them at 90 %
    assert conformal_half(error, np.full(19, 5.0)) == 18.0
    assert conformal_half(error[:5], np.full(5, 5.0)) == 5.0


def test_a_fit_covers_nine_of_ten_of_those_left_out_at_every_quality() -> None:
    errors = drawn()
    fit = fit_of(errors)
    assert fit.half_percent == pytest.approx(5 * 1.645, rel=0.12)
    assert 0.88 <= fit.coverage <= 0.92
    inside = errors.error <= fit.half_percent * breadth(errors.quality)
    for part in np.array_split(np.argsort(errors.quality), 2):
        assert 0.84 <= inside[part].mean() <= 0.96


def test_patients_are_kept_whole() -> None:
    """Two rows a patient with the same error: split apart, half of them would tell of the other."""
    one = drawn(60)
    both = Errors(*(np.concatenate([column, column]) for column in one))
    assert coverage_of(both) == pytest.approx(coverage_of(one), abs=0.03)


def test_what_is_seen_worst_is_left_out_and_lowers_the_error() -> None:
    errors = drawn()
    fit = fit_of(errors)
    assert (errors.quality < fit.least_quality).mean() == pytest.approx(0.2, abs=0.01)
    every, shown = gain_of(errors, fit)
    assert shown < 0.9 * every


def test_the_constants_are_written_as_python(tmp_path: Path) -> None:
    fits = {"one plane": Fit(half_percent=10.5, least_quality=3.0, patients=50, coverage=0.9)}
    write_fitted(tmp_path / "fitted.py", fitted_source(fits, {"net": "0123456789abcdef"}, "    a command"))
    names: dict[str, object] = {}
    exec((tmp_path / "fitted.py").read_text(), names)
    assert names["ONE_PLANE"] == fits["one plane"]
    assert names["NETWORKS"] == {"net": "0123456789ab"}


def test_a_row_says_what_is_gained() -> None:
    row = {"patients": 50, "coverage": 0.9, "half_percent": 10.5, "least_quality": 3.0, "mae": 6.0, "mae_shown": 4.5}
    assert interval_rows({"interval": {"one plane": row}})[0][-1] == "4.50 (-25 %)"
