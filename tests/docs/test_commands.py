"""Every `echoedge …` line of the first documents names a command and options that there are."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from edge.commands import COMMANDS
from tests.docs.run_blocks import shell_blocks


@pytest.mark.parametrize("document", ["README.md", "docs/start.md"])
def test_the_commands_and_options_exist(root: Path, document: str) -> None:
    blocks = re.findall(r"^```sh[^\n]*\n(.*?)^```", (root / document).read_text(), re.DOTALL | re.MULTILINE)
    lines = [line.split(" #")[0] for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    called = [line.removeprefix("echoedge ").split() for line in lines if line.startswith("echoedge ")]
    assert len(called) > 5
    for words in called:
        if words == ["--version"]:
            continue
        name = next((n for n in (" ".join(words[:2]), words[0]) if n in COMMANDS), None)
        assert name, words
        options = importlib.import_module(COMMANDS[name].module).parser().format_help()
        for option in (word for word in words if word.startswith("--")):
            assert option in options, f"{name} has no {option}"


def test_blocks_that_need_data_or_hardware_are_left_out() -> None:
    assert shell_blocks("```sh\na\nb\n```\n```sh not-run\nc\n```\n```python\nd\n```\n") == ["a\nb\n"]
