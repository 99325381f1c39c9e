"""Where models stand: by name among those fetched and those installed, or at a path."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from edge.errors import ModelError

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = next((place for place in (ROOT / "echoedge/models", ROOT / "models") if place.is_dir()), ROOT / "models")
"""The models that came with EchoEdge: a wheel holds what a CPU runs, a clone everything."""
SETTING = "ECHOEDGE_MODELS"
INDEX = "index.json"


class FileFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published file."""

    bytes: int
    sha256: str


class Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every published file: `models` maps model -> file -> facts; `url` is where they are published, "" nowhere."""

    url: str
    models: dict[str, dict[str, FileFacts]]


def store() -> Path:
    """The folder that `echoedge weights get` fills: $ECHOEDGE_MODELS, else one in the user's own data folder."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(os.environ.get(SETTING) or Path(data, "echoedge", "models"))


def model_names() -> list[str]:
    """Names of the models that are here and can be opened."""
    folders = [folder for place in (store(), SHIPPED) if place.is_dir() for folder in place.iterdir()]
    return sorted({folder.name for folder in folders if _holds_manifests(folder)})


def model_folder(model: str | Path) -> Path:
    """The folder of a model given by its path or its name, such as `pspnet-mk`.

    A folder of that path comes first, then a model that was fetched, then one that is installed. Raises ModelError with
    the names that there are.
    """
    path = Path(model)
    is_name = path.parts == (path.name,)
    if path.is_dir() and (_holds_manifests(path) or not is_name):
        return path
    for place in (store(), SHIPPED) if is_name else ():
        if _holds_manifests(place / path):
            return place / path
    if path.is_dir():
        return path
    raise ModelError(
        f"'{model}' is neither a model folder nor the name of a model; the models here are "
        f"{', '.join(model_names()) or 'none'} (`echoedge weights list` shows all)"
    )


def read_index() -> Index:
    """The list of published files that came with EchoEdge. Raises ModelError where it is missing or damaged."""
    try:
        return msgspec.json.decode((SHIPPED / INDEX).read_bytes(), type=Index)
    except (OSError, msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ModelError(f"{SHIPPED / INDEX} cannot be read ({error}); install EchoEdge again") from error


def how_to_get(folder: Path, precision: str) -> str:
    """The command that brings a published precision which an installed model lacks; "" where there is none."""
    if folder.parent not in (SHIPPED, store()):
        return ""
    absent = [name for name in read_index().models.get(folder.name, {}) if not (folder / name).is_file()]
    comes = any(Path(name).stem.split("-")[-1] == precision for name in absent if name.endswith(".json"))
    return f"`echoedge weights get {folder.name}` brings it" if comes else ""


def _holds_manifests(folder: Path) -> bool:
    return any(folder.glob("*.json"))
