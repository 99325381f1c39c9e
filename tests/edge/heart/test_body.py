from __future__ import annotations

import pytest

from edge.heart.body import body_surface_m2
from edge.heart.record import HeartRecord
from tests.edge.heart.test_record import watch

pytestmark = pytest.mark.portable


def test_body_surface_by_mosteller() -> None:
    assert body_surface_m2(180, 80) == pytest.approx(2.0)
    assert body_surface_m2(0, 0) == 0


def test_volumes_are_indexed_and_biplane_where_that_is_known() -> None:
    record = HeartRecord(2.0)
    one = watch(record)
    assert one.edv_ml is not None
    assert one.edv_ml_m2 == one.edv_ml.median / 2
    both = watch(record, "A2C", from_s=60.0, size=0.95)
    assert both.biplane is not None
    assert both.edv_ml_m2 == both.biplane.edv_ml / 2
    assert (both.body_surface_m2, watch(HeartRecord()).edv_ml_m2) == (2.0, None)


def test_without_a_scale_there_is_nothing_to_index() -> None:
    assert watch(HeartRecord(2.0), in_mm=False).edv_ml_m2 is None
