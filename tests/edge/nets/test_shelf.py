from __future__ import annotations

import os
from pathlib import Path

import pytest

import echoedge
from edge.errors import ModelError
from edge.nets.shelf import SETTING, SHIPPED, model_folder, model_names, store


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder and an empty store."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv(SETTING, str(tmp_path / "store"))


def test_a_name_opens_an_installed_model_from_anywhere() -> None:
    assert model_folder("pspnet-mk") == SHIPPED / "pspnet-mk"
    with echoedge.open_model("pspnet-mk") as model:
        assert model.manifest.name == "pspnet-mk"


def test_a_path_and_a_folder_of_the_working_folder_go_before_a_name() -> None:
    assert model_folder(SHIPPED / "quality") == SHIPPED / "quality"
    Path("quality").mkdir()
    assert model_folder("quality") == SHIPPED / "quality"  # a folder without a manifest is not a model
    Path("quality/int8.json").touch()
    assert model_folder("quality") == Path("quality")


@pytest.mark.parametrize("wrong", ["pspnet", "models/pspnet-mk", "/absent/pspnet-mk"])
def test_what_is_neither_lists_the_names(wrong: str) -> None:
    with pytest.raises(ModelError, match=rf"'{wrong}' is neither .* models here are .*pspnet-mk, .*quality"):
        echoedge.open_model(wrong)
    assert {"pspnet-mk", "quality", "ral-small", "echo-dnd"} <= set(model_names())


def test_where_fetched_models_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store() == tmp_path / "store"
    monkeypatch.delenv(SETTING)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert store() == tmp_path / "echoedge/models"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert store() == Path(os.path.expanduser("~")) / ".local/share/echoedge/models"
