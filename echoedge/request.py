"""What is to be analysed and how, and how that is opened."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from echoedge.array_source import ArraySource
from edge.config import RANGES
from edge.errors import EchoEdgeError, SourceError
from edge.heart.regions import WALLS
from edge.loop import LoopOptions
from edge.nets.model import QualityScorer, Segmenter, open_scorer, open_segmenter
from edge.screen.known import known_screen
from edge.sources import Source, open_source
from edge.sources.address import file_path, redacted

Input: TypeAlias = "str | os.PathLike[str] | NDArray[np.uint8]"


class Options(TypedDict, total=False):
    """The keywords of `echoedge.run`, for type checkers."""

    model: str | Path
    quality: str | Path
    view: str
    depth_cm: float
    profile: str
    fps: float | None
    spacing_mm: float | tuple[float, float] | None
    precision: str
    backend: str
    threads: int | None
    allow_failed_gate: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """How to analyse: the arguments of `echoedge.run`. Raises EchoEdgeError for one that is out of range."""

    model: str | Path = "pspnet-mk"
    quality: str | Path = "quality"
    view: str = ""
    depth_cm: float = 0.0
    profile: str = ""
    fps: float | None = None
    spacing_mm: float | tuple[float, float] | None = None
    precision: str = "auto"
    backend: str = "auto"
    threads: int | None = None
    allow_failed_gate: bool = False

    def __post_init__(self) -> None:
        if self.plain_view and self.plain_view not in WALLS:
            raise EchoEdgeError(f"view is '{self.view}'; give '' to recognise it, or one of {', '.join(WALLS)}")
        for name in ("depth_cm", "threads"):
            (least, most, or_zero), value = RANGES[name], getattr(self, name) or 0
            if value and not least <= value <= most:
                raise EchoEdgeError(f"{name} is {value:g}; give {or_zero}{least:g} to {most:g}")

    @property
    def plain_view(self) -> str:
        """Without the exclamation mark that says that it is believed unchecked."""
        return self.view.removesuffix("!")


class Networks:
    """Both networks of some settings, open for the length of the context."""

    segmenter: Segmenter
    scorer: QualityScorer

    def __init__(self, settings: Settings) -> None:
        how = (settings.precision, settings.backend, settings.threads or None, settings.allow_failed_gate)
        with ExitStack() as stack:
            self.segmenter = stack.enter_context(open_segmenter(settings.model, *how))
            self.scorer = stack.enter_context(open_scorer(settings.quality, *how))
            self._stack = stack.pop_all()

    def __enter__(self) -> Networks:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def opened(source: Input, settings: Settings) -> Source:
    """An input as a source of frames; the caller enters it. Raises SourceError with what to do."""
    if isinstance(source, str | os.PathLike):
        given = [name for name in ("fps", "spacing_mm") if getattr(settings, name) is not None]
        if given:
            raise SourceError(
                f"{given[0]} is given for {shown(source)}, which says its own; it is for arrays "
                "(depth_cm is for a file that does not say its scale)"
            )
        return open_source(os.fspath(source))
    if not hasattr(source, "__array__"):
        raise SourceError(
            f"a source is a path, an address or an array, not {type(source).__name__}; a list or tuple holds several"
        )
    return ArraySource(np.asarray(source), settings.fps, settings.spacing_mm)


def options_of(source: Source, settings: Settings) -> LoopOptions:
    """The loop's options for a source that is open."""
    has_scale = source.stated.spacing_mm is not None
    return LoopOptions(
        view=settings.plain_view,
        insists=settings.view != settings.plain_view,
        screen=known_screen(settings.depth_cm, settings.profile, has_scale),
    )


def shown(source: Input) -> str:
    """An input in words, without a password."""
    if isinstance(source, str | os.PathLike):
        return redacted(os.fspath(source))
    return f"an array {'x'.join(map(str, np.shape(source)))}"


def is_file(source: Input, path: Path) -> bool:
    """Whether a path is the input itself."""
    return isinstance(source, str | os.PathLike) and file_path(os.fspath(source)).resolve() == path.resolve()
