"""`echoedge run`: a recording in, annotated video, measurements and a summary out."""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from edge.config import REFINE, RunConfig, from_process, printed
from edge.errors import EchoEdgeError, ModelError
from edge.heart.regions import WALLS
from edge.loop import LoopOptions, run_loop
from edge.nets.backends import CHOICES
from edge.nets.model import PREFERRED, QualityScorer, Segmenter, open_model
from edge.picture.overlay import HEIGHT, WIDTH
from edge.report import Report
from edge.screen.profile import load_profile
from edge.sinks import open_sink
from edge.sinks.encoder import Target
from edge.sinks.encoder_choice import AUTO, choose_encoder
from edge.sinks.encoder_choice import CHOICES as ENCODERS
from edge.sources import Live, open_source
from edge.sources.address import redacted
from edge.sources.paced import Paced
from edge.stages.refining import opened_refine
from edge.stages.safety import Limits
from edge.threads.realtime import Realtime, at_realtime

log = logging.getLogger(__name__)

SUFFIXES = (".mp4", ".jsonl", ".png", "_best.png")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge run",
        description="Segment, score and measure every frame of a recording or a live signal. Research use only.",
        epilog="example: echoedge run loop.dcm --out out --view A4C",
        argument_default=argparse.SUPPRESS,
    )
    p.add_argument(
        "source",
        nargs="?",
        help="a path (video, DICOM, picture, folder) or v4l2://, csi://, rtsp://, udp://, srt://, http://, igtl://, synth://",
    )
    p.add_argument("--out", help="folder for NAME.mp4, NAME.jsonl, NAME.png and NAME_best.png (best ED and ES)")
    p.add_argument("--name", help="name of the outputs (default: that of the source)")
    p.add_argument(
        "--sink",
        action="append",
        dest="sinks",
        metavar="URI",
        help="a further output, repeatable: file.mp4, file.jsonl, file.png, udp://, rtsp://, igtl://, mqtt://, metrics://, window://",
    )
    p.add_argument("--model", help="segmentation model folder")
    p.add_argument("--quality", help="quality model folder")
    p.add_argument(
        "--refine",
        choices=REFINE,
        help="keyframes: ED, ES, a frozen picture and key r get a second contour with its uncertainty; always: every frame",
    )
    p.add_argument("--refine-model", metavar="FOLDER", help="refining model folder")
    p.add_argument("--refine-samples", type=int, metavar="K", help="samples a refined frame")
    p.add_argument("--precision", choices=("auto", *PREFERRED))
    p.add_argument("--backend", choices=CHOICES)
    p.add_argument("--allow-failed-gate", action="store_true", help="load a file that lost accuracy or gained no speed")
    p.add_argument("--threads", type=int, help="threads a network may use (default: all cores)")
    p.add_argument("--view", choices=tuple(WALLS), help="names the walls; unknown: left and right")
    p.add_argument(
        "--pace",
        choices=("fast", "native"),
        help="native: frames come at the recording's own rate like a live signal, the newest wins",
    )
    p.add_argument("--record", metavar="FILE.mkv", help="keep the analysed frames, lossless, to replay them exactly")
    p.add_argument("--encoder", choices=ENCODERS, help="of videos and streams (default: hardware where it works)")
    p.add_argument("--depth-cm", type=float, help="imaging depth, where the source does not know mm per pixel")
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
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(asdict(report))).decode() + "\n")
    else:
        print_report(report, redacted(config.source))
        for output in outputs:
            if not output.endswith("_best.png") or Path(output.removeprefix("file://")).exists():
                print(redacted(output))
    return 0


def run(config: RunConfig) -> tuple[Report, list[str]]:
    """Open everything, run the loop; (report, addresses of the outputs)."""
    how = (config.precision, config.backend, config.threads or None, config.allow_failed_gate)
    if config.encoder != AUTO:  # known to work before anything starts
        choose_encoder(config.encoder, Target(WIDTH, HEIGHT, Fraction(30), Fraction(1, 90_000)))
    with ExitStack() as stack:
        source = open_source(config.source)
        if config.pace == "native" and not isinstance(source, Live):
            source = Paced(source)
        stack.enter_context(source)
        # A recording is analysed by one network from end to end, so that its results do not depend on a build's
        # progress.
        live = isinstance(source, Live)
        realtime = Realtime(tuple(int(core) for core in config.cpus.split(",") if core), config.fifo_priority)
        with at_realtime("inference", realtime):  # so are the engines' threads
            segmenter = stack.enter_context(open_model(config.model, *how, builds_engine=live))
            scorer = stack.enter_context(open_model(config.quality, *how, builds_engine=live))
        if not isinstance(segmenter, Segmenter):
            raise ModelError(f"{config.model} is a {segmenter.manifest.task} model; --model needs segmentation")
        if not isinstance(scorer, QualityScorer):
            raise ModelError(f"{config.quality} is a {scorer.manifest.task} model; --quality needs quality")
        chosen = (config.refine, config.refine_model, config.refine_samples, config.allow_failed_gate)
        refine = stack.enter_context(opened_refine(*chosen))
        outputs = list(config.sinks)
        if config.out:
            name = config.name or Path(urlsplit(config.source).path).stem or "live"
            outputs += [str(Path(config.out) / f"{name}{suffix}") for suffix in SUFFIXES]
        sinks = [stack.enter_context(open_sink(output, source.fps, config.view, config.encoder)) for output in outputs]
        profile = load_profile(config.profile) if config.profile else None
        depth_cm = config.depth_cm or (profile.depth_cm if profile else 0.0)
        if profile is not None and profile.depth_cm and not config.depth_cm and source.spacing_mm is None:
            log.warning("profile %s: its depth of %g cm is used, no ticks would show another", profile.name, depth_cm)
        options = LoopOptions(
            config.view,
            Limits(config.signal_ms, config.freeze_ms, config.stuck_ms, config.age_ms),
            realtime,
            config.deadline_ms,
            depth_cm,
            config.record,
            profile,
            refine,
        )
        return run_loop(source, segmenter, scorer, sinks, options), outputs


def print_report(report: Report, source: str) -> None:
    """The summary table on the terminal."""
    console = Console()
    table = Table(title=f"{Path(source).name}: {report.fps:.1f} frames a second, {report.backend} {report.precision}")
    for heading in ("stage", "p50 ms", "p90 ms", "p99 ms", "max ms"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage, row in report.latency_ms.items():
        table.add_row(stage, *(f"{row[key]:.2f}" for key in ("p50", "p90", "p99", "max")))
    console.print(table)
    console.print(
        f"frames: {report.frames_in} in, {report.frames_processed} processed, {report.frames_dropped} dropped"
    )
    for kind, counts in (("dropped", report.dropped), ("safe states", report.safe_states)):
        if counts:
            console.print(f"{kind}: {', '.join(f'{name} {count}' for name, count in counts.items())}")
    marks = ", ".join(f"{e['kind']} at frame {e['frame']}" for e in report.events)
    console.print(f"beats: {marks or 'no ED or ES found'}")
    fractions = report.ejection_fraction_percent
    if fractions:
        console.print(
            f"ejection fraction (single plane): median {np.median(fractions):.0f} % of {len(fractions)} ED-ES pairs"
        )
    if report.refined:
        print_refined(console, report.refined)
    for reason, count in report.withheld.items():
        console.print(f"volume and ejection fraction withheld on {count} frames: {reason}", highlight=False)
    for kind, row in report.best.items():
        if kind == "beat":
            console.print(f"best beat: ED {row['ED']}, ES {row['ES']}, quality {row['quality']:.1f}{_ef(row)}")
        else:
            means = f"quality mean {row['quality_mean']:.1f}, lowest {row['quality_lowest']:.1f}"
            console.print(f"best {kind}: frame {row['frame']}, {means}")
    if report.view:
        console.print(f"view: {report.view}")
    if report.biplane:
        volumes = report.biplane
        console.print(
            f"ejection fraction (two planes): {volumes['ef_percent']:.0f} %, EDV {volumes['edv_ml']:.0f} ml, "
            f"ESV {volumes['esv_ml']:.0f} ml"
        )
    console.print("Research use only; not a medical device.")


def print_refined(console: Console, rows: list[dict[str, Any]]) -> None:
    """How many key frames were refined, and the newest EF with its interval."""
    console.print(f"refined: {', '.join(f'{n} {kind}' for kind, n in Counter(r['kind'] for r in rows).items())}")
    with_ef = [row for row in rows if row["ejection_fraction_percent"]]
    if with_ef:
        newest, ef = with_ef[-1], with_ef[-1]["ejection_fraction_percent"]
        console.print(
            f"ejection fraction (refined, {newest['kind']} at frame {newest['frame']}): {ef['median']:.0f} % "
            f"({ef['low']:.0f}-{ef['high']:.0f}, 5 to 95 % of the samples)"
        )


def _ef(beat: dict[str, Any]) -> str:
    percent = beat["ejection_fraction_percent"]
    return "" if percent is None else f", ejection fraction {percent:.0f} %"
