"""Pictures for the senders of stream tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.senders import write_pictures


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"))
