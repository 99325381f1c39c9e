"""From settings to a run: opens the source, the networks and the outputs that they name, and joins them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

from edge.config import RunConfig
from edge.errors import EchoEdgeError
from edge.heart.body import body_surface_m2
from edge.heart.plane import given_turn
from edge.heart.record import HeartRecord
from edge.loop import LoopOptions, run_loop
from edge.nets.model import QualityScorer, Segmenter, open_scorer, open_segmenter
from edge.picture.layout import HEIGHT, WIDTH
from edge.report import Report
from edge.screen.known import known_screen
from edge.sinks import Sink, open_sink
from edge.sinks.encoder import Target
from edge.sinks.encoder_choice import AUTO, choose_encoder
from edge.sources import Live, Source, open_source
from edge.sources.address import redacted, scheme_of
from edge.sources.paced import Paced
from edge.stages.ending import Ending
from edge.stages.refining import Refine, opened_refine
from edge.stages.safety import Limits
from edge.threads.realtime import Realtime, at_realtime

SUFFIXES = (".mp4", ".jsonl", ".png", "_best.png")
"""Ends of the files that `out` stands for."""


@dataclass(frozen=True, kw_only=True)
class Networks:
    """What analyses frames, opened; `refine` is None where nothing is refined."""

    segmenter: Segmenter
    scorer: QualityScorer
    refine: Refine | None = None


def run(config: RunConfig) -> tuple[Report, list[str]]:
    """Open everything, run the loop; (report, addresses of the outputs)."""
    check_encoder(config)
    outputs = outputs_of(config)
    ending = Ending()
    with ending.by_signals(), ExitStack() as stack:
        source = stack.enter_context(opened_source(config))
        networks = stack.enter_context(opened_networks(config, isinstance(source, Live)))
        return run_source(source, networks, config, outputs, ending), outputs


def run_source(
    source: Source,
    networks: Networks,
    config: RunConfig,
    outputs: Sequence[str],
    ending: Ending,
    further: Sequence[Sink] = (),
    heart: HeartRecord | None = None,
) -> Report:
    """Run the loop on an open source with open networks, which stay open.

    The outputs, addresses, are opened for the length of the run; `further` are outputs that are open. `heart` is the
    record that the run's beats go into, None for a new patient's.
    """
    view = config.view.removesuffix("!")
    options = LoopOptions(
        view=view,
        insists=view != config.view,
        turn=given_turn(config.mirrored, config.upside_down),
        limits=Limits(
            signal_ms=config.signal_ms, freeze_ms=config.freeze_ms, stuck_ms=config.stuck_ms, age_ms=config.age_ms
        ),
        realtime=_realtime(config),
        deadline_ms=config.deadline_ms,
        screen=known_screen(config.depth_cm, config.profile, source.stated.spacing_mm is not None),
        record=config.record,
        refine=networks.refine,
        shows_screen=config.show_screen,
        label=config.label,
        heart=heart or record_of(config),
    )
    with ExitStack() as stack:
        sinks = [stack.enter_context(open_sink(output, source.fps, view, config.encoder)) for output in outputs]
        return run_loop(source, networks.segmenter, networks.scorer, [*sinks, *further], options, ending=ending)


def record_of(config: RunConfig) -> HeartRecord:
    """An empty record of the patient whom the settings describe."""
    return HeartRecord(body_surface_m2(config.height_cm, config.weight_kg) or None)


def check_encoder(config: RunConfig) -> None:
    """Raise EchoEdgeError where an encoder is asked for that does not work: known before anything starts."""
    if config.encoder != AUTO:
        choose_encoder(config.encoder, Target(WIDTH, HEIGHT, Fraction(30), Fraction(1, 90_000)))


def opened_source(config: RunConfig) -> Source:
    """The source, at its own pace where the settings ask for that. Raises SourceError."""
    source = open_source(config.source)
    return Paced(source) if config.pace == "native" and not isinstance(source, Live) else source


@contextmanager
def opened_networks(config: RunConfig, live: bool) -> Iterator[Networks]:
    """Every network of a run. A recording is analysed by one engine from end to end: its results must not depend on how
    far a build has come."""
    how = (config.precision, config.backend, config.threads or None, config.allow_failed_gate)
    chosen = (config.refine, config.refine_model, config.refine_samples, config.allow_failed_gate)
    with ExitStack() as stack:
        with at_realtime("inference", _realtime(config)):  # so are the engines' threads
            segmenter = stack.enter_context(open_segmenter(config.model, *how, builds_engine=live))
            scorer = stack.enter_context(open_scorer(config.quality, *how, builds_engine=live))
        refine = stack.enter_context(opened_refine(*chosen))
        yield Networks(segmenter=segmenter, scorer=scorer, refine=refine)


def _realtime(config: RunConfig) -> Realtime:
    return Realtime(tuple(int(core) for core in config.cpus.split(",") if core), config.fifo_priority)


def outputs_of(config: RunConfig) -> list[str]:
    """Addresses of the outputs: those named, then the files of `out`.

    Raises EchoEdgeError for a name outside `out`, for an output that is named twice, and for one that is the source.
    """
    outputs = list(config.sinks)
    if config.out:
        name = config.name or Path(urlsplit(config.source).path).stem or "live"
        if Path(name).name != name or name == "..":
            raise EchoEdgeError(f"--name {name} is not a plain file name; the folder goes into --out")
        outputs += [str(Path(config.out) / f"{name}{suffix}") for suffix in SUFFIXES]
    written = [_place(output) for output in [*outputs, *([config.record] if config.record else [])]]
    for place in written:
        if written.count(place) > 1:
            raise EchoEdgeError(f"the output {redacted(place)} is named twice; name each once")
        if place == _place(config.source):
            raise EchoEdgeError(f"the output {redacted(place)} is the source itself; give another --out or --name")
    return outputs


def _place(uri: str) -> str:
    """An address as it is; of a file where it really lies, without the options of a source."""
    if scheme_of(uri) not in ("", "file"):
        return uri
    path = Path(uri.removeprefix("file://"))
    return str((path if path.exists() else Path(str(path).partition("?")[0])).resolve())
