from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "jetson/container"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("Dockerfile.*")), ids=lambda path: path.suffix)
def test_images_do_not_run_as_root(path: Path) -> None:
    last_stage = path.read_text().split("\nFROM ")[-1]
    assert re.search(r"^USER 10001$", last_stage, re.MULTILINE)
    assert last_stage.index("USER 10001") < last_stage.index("ENTRYPOINT")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("Dockerfile.*")), ids=lambda path: path.suffix)
def test_what_images_copy_is_in_the_build_context(path: Path) -> None:
    """.dockerignore lets in what it names alone."""
    let_in = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for source in re.findall(r"^COPY (?!--from)(\S+)", path.read_text(), re.MULTILINE):
        assert source == "." or source.split("/")[0] in let_in


def test_compose_confines_every_service() -> None:
    text = (FOLDER / "compose.yaml").read_text()
    for line in ("read_only: true", 'user: "10001"', "cap_drop: [ALL]", '"no-new-privileges:true"'):
        assert line in text
    services = re.findall(r"^  (\w+):\n    (\S.*)$", text.split("\nservices:\n")[1], re.MULTILINE)
    assert [name for name, _ in services] == ["cpu", "jetpack6", "jetpack7"]
    assert {first for _, first in services} == {"<<: *echoedge"}
