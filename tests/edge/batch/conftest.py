from __future__ import annotations

import pytest

from tests.edge.batch.loops import Opened


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Networks that answer at once, and how often they were opened."""
    return Opened(monkeypatch)
