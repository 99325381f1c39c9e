"""`echoedge run`: a recording in, annotated video, measurements and a summary out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from edge.config import REFINE, RunConfig, from_process, printed
from edge.errors import EchoEdgeError
from edge.heart.body import body_surface_m2
from edge.heart.plane import given_turn
from edge.heart.regions import WALLS
from edge.loop import LoopOptions, run_loop
from edge.nets.artefacts import PRECISIONS
from edge.nets.backends import CHOICES
from edge.nets.model import QualityScorer, Segmenter, open_scorer, open_segmenter
from edge.options import add_turn
from edge.picture.layout import HEIGHT, WIDTH
from edge.report import CLOSED, SOURCE_OVER, Report, problems_of
from edge.report_text import print_report
from edge.screen.known import known_screen
from edge.sinks import open_sink
from edge.sinks.encoder import Target
from edge.sinks.encoder_choice import AUTO, choose_encoder
from edge.sinks.encoder_choice import CHOICES as ENCODERS
from edge.sources import Live, open_source
from edge.sources.address import redacted, scheme_of
from edge.sources.paced import Paced
from edge.stages.ending import Ending, code_of
from edge.stages.refining import opened_refine
from edge.stages.safety import Limits
from edge.threads.realtime import Realtime, at_realtime

SUFFIXES = (".mp4", ".jsonl", ".png", "_best.png")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge run",
        description="Segment, score and measure every frame of a recording or a live signal. Research use only.",
        epilog="Exit codes: 0 the source is over or the window was closed; 1 a failure ended the run or cost frames; "
        "2 bad input, or nothing was analysed; 3 an output stopped before the run did; 129, 130, 143 ended by SIGHUP, "
        "SIGINT (Ctrl-C), SIGTERM. example: echoedge run loop.dcm --out out --view A4C",
        argument_default=argparse.SUPPRESS,
    )
    p.add_argument(
        "source",
        nargs="?",
        help="a path (video, DICOM, picture, folder) or v4l2://, csi://, rtsp://, udp://, srt://, http://, igtl://, "
        "synth://",
    )
    p.add_argument("--out", help="folder for NAME.mp4, NAME.jsonl, NAME.png and NAME_best.png (best ED and ES)")
    p.add_argument("--name", help="name of the outputs (default: that of the source)")
    p.add_argument(
        "--sink",
        action="append",
        dest="sinks",
        metavar="URI",
        help="a further output, repeatable: file.mp4, file.jsonl, file.png, udp://, rtsp://, igtl://, mqtt://, "
        "metrics://, window://",
    )
    p.add_argument("--model", help="segmentation model folder")
    p.add_argument("--quality", help="quality model folder")
    p.add_argument(
        "--refine",
        choices=REFINE,
        help="keyframes: ED, ES, a frozen picture and key r get a second contour and its uncertainty; always: every "
        "frame",
    )
    p.add_argument("--refine-model", metavar="FOLDER", help="refining model folder")
    p.add_argument("--refine-samples", type=int, metavar="K", help="samples a refined frame")
    p.add_argument("--precision", choices=("auto", *PRECISIONS))
    p.add_argument("--backend", choices=CHOICES)
    p.add_argument("--allow-failed-gate", action="store_true", help="load a file that lost accuracy or gained no speed")
    p.add_argument("--threads", type=int, help="threads a network may use (default: all cores)")
    p.add_argument(
        "--view",
        choices=[*WALLS, *(f"{view}!" for view in WALLS)],
        help="the view, checked against the picture; with an exclamation mark it is believed unchecked "
        "(default: the one that is recognised)",
    )
    p.add_argument(
        "--pace",
        choices=("fast", "native"),
        help="native: frames come at the recording's own rate like a live signal, the newest wins",
    )
    p.add_argument("--record", metavar="FILE.mkv", help="keep the analysed frames, lossless, to replay them exactly")
    p.add_argument("--encoder", choices=ENCODERS, help="of videos and streams (default: hardware where it works)")
    p.add_argument(
        "--depth-cm",
        metavar="CM",
        help="imaging depth, checked against source and ticks; with an exclamation mark it is believed unchecked",
    )
    p.add_argument("--height-cm", type=float, help="the patient's, with --weight-kg: volumes per m2 of body surface")
    p.add_argument("--weight-kg", type=float, help="the patient's")
    add_turn(p)
    p.add_argument(
        "--show-screen", action="store_true", help="a window:// shows the scanner's whole screen; nothing else does"
    )
    p.add_argument("--label", metavar="TEXT", help="written on stills (default: nothing)")
    p.add_argument("--profile", help="a screen saved by `echoedge locate --save`; another screen is refused")
    for name, text in LIMIT_HELP.items():
        p.add_argument(f"--{name}-ms", type=float, help=text)
    p.add_argument("--cpus", help="cores that the loop's threads may use, such as 0,1")
    p.add_argument("--fifo-priority", type=int, help="1-97: SCHED_FIFO where the system permits it")
    p.add_argument("--config", type=Path, help="a TOML file with these settings; flags and ECHOEDGE_… variables win")
    p.add_argument("--print-config", action="store_true", help="print the settings as they would be used, then end")
    p.add_argument("--json", action="store_true", help="print the report as JSON")
    return p


LIMIT_HELP = {
    "deadline": "time a frame may take before service is cut (default: the source's frame period)",
    "signal": "no frame for this long: overlay off",
    "freeze": "the same picture for this long: overlay off",
    "stuck": "one inference for this long: overlay off",
    "age": "a result this old is not shown",
}


def main(argv: Sequence[str]) -> int:
    flags = vars(parser().parse_args(argv))
    path, only_print, as_json = (flags.pop(name, None) for name in ("config", "print_config", "json"))
    config = from_process(path, flags)
    if only_print:
        sys.stdout.write(printed(config))
        return 0
    if not config.source:
        raise EchoEdgeError("no source is given: `echoedge run loop.dcm`, or set `source` in the file of --config")
    report, outputs = run(config)
    try:
        say(report, outputs, config.source, as_json)
        sys.stdout.flush()
    except OSError:
        if report.ended != "SIGHUP":
            raise
        for stream in (sys.stdout, sys.stderr):  # the terminal is gone, nobody reads what is left to say
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return exit_code(report)


def say(report: Report, outputs: Sequence[str], source: str, as_json: bool) -> None:
    """The report on stdout, what went wrong on stderr."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(asdict(report))).decode() + "\n")
    elif report.frames_processed or report.ended != SOURCE_OVER:
        print_report(report, redacted(source))
        for output in outputs:
            if scheme_of(output) not in ("", "file") or Path(output.removeprefix("file://")).exists():
                print(redacted(output))
    for problem in problems_of(report):
        print(f"echoedge: {problem}", file=sys.stderr)


FAILED_RUN, NOT_ANALYSED, STOPPED = 1, 2, 3


def exit_code(report: Report) -> int:
    """0 the source is over or the window was closed; 1 a failure ended the run or cost frames; 2 nothing was analysed;
    3 an output, the recording or the key frames stopped; 129, 130, 143 ended by SIGHUP, SIGINT, SIGTERM."""
    if report.failure or (report.failed and report.frames_processed):
        return FAILED_RUN
    if report.stopped:
        return STOPPED
    if code := code_of(report.ended):
        return code
    return 0 if report.frames_processed or report.ended == CLOSED else NOT_ANALYSED


def run(config: RunConfig) -> tuple[Report, list[str]]:
    """Open everything, run the loop; (report, addresses of the outputs)."""
    if config.encoder != AUTO:  # known to work before anything starts
        choose_encoder(config.encoder, Target(WIDTH, HEIGHT, Fraction(30), Fraction(1, 90_000)))
    outputs = outputs_of(config)
    ending = Ending()
    with ending.by_signals(), ExitStack() as stack:
        source = open_source(config.source)
        if config.pace == "native" and not isinstance(source, Live):
            source = Paced(source)
        stack.enter_context(source)
        realtime = Realtime(tuple(int(core) for core in config.cpus.split(",") if core), config.fifo_priority)
        with at_realtime("inference", realtime):  # so are the engines' threads
            segmenter, scorer = _networks(config, isinstance(source, Live), stack)
        chosen = (config.refine, config.refine_model, config.refine_samples, config.allow_failed_gate)
        refine = stack.enter_context(opened_refine(*chosen))
        view = config.view.removesuffix("!")
        sinks = [stack.enter_context(open_sink(output, source.fps, view, config.encoder)) for output in outputs]
        options = LoopOptions(
            view=view,
            insists=view != config.view,
            turn=given_turn(config.mirrored, config.upside_down),
            limits=Limits(
                signal_ms=config.signal_ms,
                freeze_ms=config.freeze_ms,
                stuck_ms=config.stuck_ms,
                age_ms=config.age_ms,
            ),
            realtime=realtime,
            deadline_ms=config.deadline_ms,
            screen=known_screen(config.depth_cm, config.profile, source.stated.spacing_mm is not None),
            record=config.record,
            refine=refine,
            shows_screen=config.show_screen,
            label=config.label,
            body_surface_m2=body_surface_m2(config.height_cm, config.weight_kg) or None,
        )
        return run_loop(source, segmenter, scorer, sinks, options, ending=ending), outputs


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


def _networks(config: RunConfig, live: bool, stack: ExitStack) -> tuple[Segmenter, QualityScorer]:
    """Both networks. A recording is analysed by one engine from end to end: its results must not depend on how far a
    build has come."""
    how = (config.precision, config.backend, config.threads or None, config.allow_failed_gate)
    segmenter = stack.enter_context(open_segmenter(config.model, *how, builds_engine=live))
    scorer = stack.enter_context(open_scorer(config.quality, *how, builds_engine=live))
    return segmenter, scorer
