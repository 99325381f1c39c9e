"""Models that come from a folder or a server, checked against the list that came with EchoEdge."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from edge.cli import main
from edge.nets import shelf
from edge.weights import get
from edge.weights import list as shown
from edge.weights.listing import encoded, index_of


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two made-up models; the wheel holds the INT8 half of one, and the store is empty."""
    folder, installed = tmp_path / "published", tmp_path / "installed"
    for name in ("net", "other"):
        (folder / name / "calibration").mkdir(parents=True)
        for file in ("int8.json", "int8.onnx", "fp32.json", "fp32.onnx", "calibration/set.json"):
            (folder / name / file).write_text(f"{name} {file}")
    (installed / "net").mkdir(parents=True)
    for file in ("int8.json", "int8.onnx"):
        (installed / "net" / file).write_text(f"net {file}")
    (installed / shelf.INDEX).write_bytes(encoded(index_of(folder)))
    for module in (shelf, get, shown):
        monkeypatch.setattr(module, "SHIPPED", installed)
    monkeypatch.setenv(shelf.SETTING, str(tmp_path / "store"))
    return folder


@pytest.fixture
def url(published: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(published)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def files_of(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("way", ["folder", "url"])
def test_a_model_comes_whole_and_goes_before_the_installed_one(
    published: Path, url: str, way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shelf.model_folder("net") == tmp_path / "installed/net"
    assert shelf.how_to_get(tmp_path / "installed/net", "fp32") == "`echoedge weights get net` brings it"
    assert shelf.how_to_get(tmp_path / "installed/net", "fp16") == ""
    (published / "net/int8.onnx").unlink()  # that one is installed
    assert main(["weights", "get", "net", "--from", str(published) if way == "folder" else url]) == 0
    assert files_of(tmp_path / "store/net") == files_of(published / "net") | {"int8.onnx": "net int8.onnx"}
    assert shelf.model_folder("net") == tmp_path / "store/net"
    capsys.readouterr()
    assert main(["weights", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["net"]["here"], rows["net"]["elsewhere"]) == (["fp32", "int8"], [])
    assert (rows["other"]["here"], rows["other"]["elsewhere"]) == ([], ["fp32", "int8"])


def test_another_file_is_refused_and_no_manifest_is_left_without_its_file(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (published / "net/fp32.onnx").write_text("something else")
    assert main(["weights", "get", "net", "--from", str(published)]) == 2
    assert "fp32.onnx is not the published file" in capsys.readouterr().err
    assert not [path for path in (tmp_path / "store").rglob("*.json") if path.parent.name == "net"]
    assert not list((tmp_path / "store").rglob("*.part"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["nett"], "'nett' is not a published model; there are net, other"),
        (["net"], "give --from"),
        (["net", "--from", "absent"], "cannot be fetched"),
        (["net", "--from", "http://127.0.0.1:9/models"], "cannot be fetched"),
    ],
)
def test_what_cannot_be_fetched_is_said(
    published: Path, line: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "get", *line]) == 2
    assert says in capsys.readouterr().err


def test_the_shipped_index_is_that_of_the_models(root: Path) -> None:
    shipped = msgspec.json.decode((root / "models" / shelf.INDEX).read_bytes(), type=shelf.Index)
    assert index_of(root / "models", shipped.url) == shipped, "run `make index`"
