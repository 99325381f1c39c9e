import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.synth.curves import bezier, monotone_curve, nearest_weights, texture, wavy

ASCENDING = st.lists(st.floats(0.05, 2), min_size=3, max_size=9)


@given(ASCENDING, st.data())
@settings(deadline=None)
def test_a_monotone_curve_meets_its_knots_and_never_overshoots(steps: list[float], data: st.DataObject) -> None:
    x = np.cumsum(steps)
    y = np.array(data.draw(st.lists(st.floats(-3, 3), min_size=len(x), max_size=len(x))))
    curve = monotone_curve(x.tolist(), y.tolist())
    np.testing.assert_allclose(curve(x), y, atol=1e-9)
    for low, high, a, b in zip(x, x[1:], y, y[1:]):
        between = curve(np.linspace(low, high, 40))
        assert between.min() >= min(a, b) - 1e-9
        assert between.max() <= max(a, b) + 1e-9


def test_a_monotone_curve_keeps_its_ends_and_has_the_published_slopes() -> None:
    curve = monotone_curve([0, 1, 3, 4], [0, 2, 3, 0])
    assert curve(-5) == 0
    assert curve(9) == 0
    # Slopes by hand from Fritsch and Butland: 5/2, 6/7, 0, -25/6.
    np.testing.assert_allclose(curve(np.array([0.5, 2.0, 3.5])), [1.2053571, 2.7142857, 2.0208333], rtol=1e-6)


def test_nearest_weights_sum_to_one_and_favour_the_nearest() -> None:
    rng = np.random.default_rng(0)
    controls = rng.uniform(-5, 5, (30, 2))
    index, weight = nearest_weights(controls[:4] + 0.01, controls)
    np.testing.assert_allclose(weight.sum(1), 1, rtol=1e-5)
    assert [index[k, weight[k].argmax()] for k in range(4)] == [0, 1, 2, 3]


def test_curves_have_the_sizes_asked_for() -> None:
    rng = np.random.default_rng(0)
    assert wavy(rng, 50, 4).shape == (50,)
    assert texture(rng, (40, 60), (7, 9)).shape == (40, 60)
    line = bezier(np.array((0.0, 0)), np.array((1.0, 1)), np.array((2.0, 0)), 9)
    assert line[0] == pytest.approx((0, 0))
    assert line[4] == pytest.approx((1, 0.5))
    assert line[-1] == pytest.approx((2, 0))
