from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import NAMES, RunConfig, load_config, printed
from edge.errors import EchoEdgeError
from edge.screen.known import known_screen


def test_file_then_environment_then_flags(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('source = "a.mp4"\nview = "A2C"\nthreads = 2\nsinks = ["x.jsonl"]\n')
    environment = {"ECHOEDGE_VIEW": "A4C", "ECHOEDGE_THREADS": "3", "ECHOEDGE_DATA": "not ours", "HOME": "/"}
    config = load_config(path, environment, {"threads": 4})
    assert (config.source, config.view, config.threads, config.sinks) == ("a.mp4", "A4C", 4, ("x.jsonl",))


def test_sinks_in_the_environment_are_a_list() -> None:
    assert load_config(None, {"ECHOEDGE_SINKS": "a.mp4 metrics://:9108"}, {}).sinks == ("a.mp4", "metrics://:9108")


def test_what_is_printed_is_read_again_and_holds_no_password(tmp_path: Path) -> None:
    config = RunConfig(source="rtsp://u:secret@h/x", sinks=("mqtt://u:secret@h", "a.mp4"), depth_cm=16.5)
    text = printed(config)
    assert "secret" not in text
    (tmp_path / "a.toml").write_text(text)
    again = load_config(tmp_path / "a.toml", {}, {})
    assert again.depth_cm == 16.5
    assert set(NAMES) == {line.split(" = ")[0] for line in text.splitlines()}


@pytest.mark.parametrize("layer", ["file", "environment", "flag"])
def test_a_depth_may_be_insisted_on_in_every_layer(tmp_path: Path, layer: str) -> None:
    (tmp_path / "a.toml").write_text('depth_cm = "16!"' if layer == "file" else "depth_cm = 12")
    environment = {"ECHOEDGE_DEPTH_CM": "16!"} if layer == "environment" else {}
    config = load_config(tmp_path / "a.toml", environment, {"depth_cm": "16!"} if layer == "flag" else {})
    known = known_screen(config.depth_cm, "", has_scale=False)
    assert (known.depth_cm, known.insists) == (16.0, True)
    assert load_config(None, {"ECHOEDGE_DEPTH_CM": "16"}, {}).depth_cm in (16.0, "16")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("veiw = 'A4C'", "sets 'veiw', which is not a setting"),
        ("threads = 'many'", "has a wrong value"),
        ("threads =", "is not TOML"),
        ("refine = 'sometimes'", "has a wrong value"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(EchoEdgeError, match=says):
        load_config(tmp_path / "a.toml", {}, {})


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EchoEdgeError, match=r"a\.toml cannot be read \(No such file"):
        load_config(tmp_path / "a.toml", {}, {})
