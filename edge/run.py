"""`echoedge run`: a recording in, annotated video, measurements and a summary out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import msgspec

from edge.batch.find import is_searched
from edge.batch.many import run_many
from edge.batch.row import exit_code as exit_code_of_many
from edge.batch.say import say_many
from edge.config import REFINE, from_process, printed
from edge.errors import EchoEdgeError
from edge.heart.regions import WALLS
from edge.nets.artefacts import PRECISIONS
from edge.nets.backends import CHOICES
from edge.opening import run
from edge.options import add_turn
from edge.report import CLOSED, SOURCE_OVER, Report, problems_of
from edge.report_text import print_report
from edge.sinks.encoder_choice import CHOICES as ENCODERS
from edge.sources.address import redacted, scheme_of
from edge.stages.ending import code_of


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge run",
        description="Segment, score and measure every frame of a recording or a live signal. Research use only.",
        epilog="Exit codes: 0 the source is over or the window was closed; 1 a failure ended the run or cost frames; "
        "2 bad input, or nothing was analysed; 3 an output stopped before the run did, or some of several clips were "
        "refused; 129, 130, 143 ended by SIGHUP, SIGINT (Ctrl-C), SIGTERM. "
        "example: echoedge run loop.dcm --out out --view A4C",
        argument_default=argparse.SUPPRESS,
    )
    p.add_argument(
        "sources",
        nargs="*",
        metavar="source",
        help="a path (video, DICOM, picture, folder of pictures) or v4l2://, csi://, rtsp://, udp://, srt://, http://, "
        "igtl://, synth://; or several recordings, folders to search, and DICOMDIRs, one clip after the other",
    )
    p.add_argument(
        "--out",
        help="folder for NAME.mp4, NAME.jsonl, NAME.png and NAME_best.png (best ED and ES); of several clips it must "
        "be new or empty (default: runs/TIME)",
    )
    p.add_argument("--report", action="store_true", help="a report.html to print, also of one recording")
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
    flags = vars(parser().parse_intermixed_args(argv))
    path, only_print, as_json, reports = (
        flags.pop(name, None) for name in ("config", "print_config", "json", "report")
    )
    sources = flags.pop("sources", [])
    if len(sources) == 1:
        flags["source"] = sources[0]
    config = from_process(path, flags)
    if only_print:
        sys.stdout.write(printed(config))
        return 0
    sources = sources or [config.source]
    if not all(sources):
        raise EchoEdgeError("no source is given: `echoedge run loop.dcm`, or set `source` in the file of --config")
    if reports or len(sources) > 1 or is_searched(sources[0]):
        outcome = run_many(sources, config)
        with heard(outcome.ended):
            say_many(outcome, as_json)
        return exit_code_of_many(outcome.rows, outcome.ended)
    report, outputs = run(config)
    with heard(report.ended):
        say(report, outputs, config.source, as_json)
    return exit_code(report)


@contextmanager
def heard(ended: str) -> Iterator[None]:
    """Say what is left to say within; a terminal that hung up hears nothing any more, and that is no failure."""
    try:
        yield
        sys.stdout.flush()
    except OSError:
        if ended != "SIGHUP":
            raise
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
