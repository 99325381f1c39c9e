"""The terminal, on which text stands as it is: Rich would take the `[…]` of a path or a pip command for its markup."""

from __future__ import annotations

import sys

from rich.console import Console

PIPE_COLUMNS = 1000
"""Width where nobody looks: a line that a program reads is never wrapped."""


def terminal(stderr: bool = False) -> Console:
    """A console on stdout or stderr without markup; colour a line by `style=`, a part of one by `rich.text.Text`."""
    width = None if (sys.stderr if stderr else sys.stdout).isatty() else PIPE_COLUMNS
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=width)
