"""`echoedge`: one console script; each command lives in its own module, imported only when asked for."""

from __future__ import annotations

import difflib
import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import edge
from edge.commands import COMMANDS, GROUPS
from edge.errors import EchoEdgeError
from edge.imports import check_ours, explained

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
HELP, VERSION = ("-h", "--help"), ("-V", "--version")
SIMILAR = 0.7
"""How alike a typed and a known command must be, 0 to 1, to be suggested."""


def main(argv: Sequence[str] | None = None) -> int:
    """Dispatch. Exit codes: 0 done, 1 a file or the machine failed, 2 bad input or a missing package (one line on
    stderr), 130 interrupted; `run` has more, see its help.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a console that has no such letter shows its number
        sys.stdout.reconfigure(errors="backslashreplace")
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    if debug:
        args.remove("--debug")
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.DEBUG if debug else logging.WARNING)
    try:
        return _dispatch(args, debug)
    except EchoEdgeError as error:
        if debug:
            raise
        print(f"echoedge: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # of the machine, such as a full disk: which file and what is wrong is all there is to say
        if debug:
            raise
        print(f"echoedge: {error.filename or 'output'}: {error.strerror or error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _dispatch(args: list[str], debug: bool) -> int:
    if not args or args[0] in HELP:
        print(_help())
        return 0
    if args[0] in VERSION:
        print(f"echoedge {edge.__version__}")
        return 0
    name = next((n for n in (" ".join(args[:2]), args[0]) if n in COMMANDS), None)
    if name is None:
        raise EchoEdgeError(_unknown(args))
    module, extra, _ = COMMANDS[name]
    check_ours(module)
    try:
        code = int(importlib.import_module(module).main(args[len(name.split()) :]))
        sys.stdout.flush()  # a full disk shows here, and not after our last word
        return code
    except ImportError as error:
        if debug:
            raise
        raise explained(error, name, extra) from error


def _help() -> str:
    width = max(len(name) for name in COMMANDS)
    lines = ["usage: echoedge COMMAND [options]"]
    for title, commands in GROUPS.items():
        lines += ["", title, *(f"  {name:{width}}  {command.help}" for name, command in commands.items())]
    return "\n".join(
        [
            *lines,
            "",
            "`echoedge COMMAND --help` shows a command's options and an example; --debug shows an error's traceback,",
            "--version the version. Research use only; not a medical device.",
            "example: echoedge run loop.dcm --out out",
        ]
    )


def _unknown(args: list[str]) -> str:
    """What was typed, and the command that it most resembles."""
    word, both = args[0], " ".join(args[:2])
    deeper = [name for name in COMMANDS if name.startswith(f"{word} ")]
    if deeper and (both == word or args[1].startswith("-")):
        return f"'{word}' is not a command by itself; there are {', '.join(deeper)}"
    near = difflib.get_close_matches(both, COMMANDS, 1, SIMILAR) or difflib.get_close_matches(
        word, COMMANDS, 1, SIMILAR
    )
    if near:
        hint = f"did you mean `echoedge {near[0]}`?"
    elif "://" in word or Path(word).exists():
        hint = f"did you mean `echoedge run {word}`?"
    else:
        hint = "`echoedge --help` lists the commands"
    return f"'{both if deeper or ' ' in ''.join(near) else word}' is not a command; {hint}"


if __name__ == "__main__":
    sys.exit(main())
