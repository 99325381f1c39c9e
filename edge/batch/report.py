"""`report.html` of one study: what was measured, in which pictures, how well they are seen, and what was withheld.

It names clips by their numbers: files may be called after patients.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from html import escape

import edge
from edge.batch.curve import curve_svg, rgb
from edge.batch.figures import KINDS, NONE, beats, compared, interval, rate_of, rows_of, spread, value
from edge.batch.page import items, page, picture, table, tile
from edge.batch.row import Row
from edge.batch.seen import RegionQuality, Seen, Still
from edge.batch.study import Study
from edge.heart.record import Heart
from edge.heart.withhold import DISC_VIEWS
from edge.opening import Networks
from edge.picture.palette import QUALITY_WORDS, quality_colour
from edge.report import Report

NOTICE = "Research use only. Not a medical device: not for diagnosis or treatment."


def report_page(study: Study, rows: Sequence[Row], networks: Networks, label: str) -> str:
    """The whole document. `label` is the operator's words, the only ones that may name a patient."""
    title = f"Echo report, study {study.number}"
    shown = [row for row in rows if row.seen is not None]
    parts = [
        f"<header><h1>{escape(title)}</h1>",
        f"<p>{escape(label)}</p>" if label else "",
        f'<p class="dim">Made {time.strftime("%Y-%m-%d %H:%M")} by EchoEdge {escape(edge.__version__)} from '
        f"{len(shown)} of {len(rows)} clips</p>",
        f'<p class="notice">{escape(NOTICE)}</p></header>',
        _summary(study, shown),
        *(_clip(row, row.seen) for row in shown if row.seen is not None),
        _refused(rows),
        _made_with(networks),
    ]
    return page(title, "\n".join(part for part in parts if part))


def _summary(study: Study, shown: Sequence[Row]) -> str:
    """The study's figures: of two planes where both were seen, else of the clip that shows one best."""
    hearts = {row.number: row.seen.heart for row in shown if row.seen is not None}
    best = _best(study, shown)
    heart = hearts[best.number] if best is not None else None
    warnings = []
    if len(shown) > 1 and not study.is_known:
        warnings.append("The files name no study: they were taken as one patient's because they were given together.")
    if study.biplane is not None:
        both = study.biplane
        of = " and ".join(f"{view} (clip {number})" for view, number in study.planes.items())
        within = interval(both.ef_interval90_percent)
        below = f"{f'90 %: {within}; ' if within else ''}two planes: {of}"
        tiles = [
            tile("Ejection fraction", value(both.ef_percent, KINDS["ef_percent"]).removesuffix(" %"), "%", below),
            tile("EDV", f"{both.edv_ml:.0f}", "ml", "two planes"),
            tile("ESV", f"{both.esv_ml:.0f}", "ml", "two planes"),
        ]
        warnings += [warning for warning in (both.warning, both.unsure) if warning]
        planes = [f"{view}, clip {number} (range)" for view, number in study.planes.items()]
        compare = table(("", "two planes", *planes), compared(both, [hearts[n] for n in study.planes.values()]))
    else:
        tiles = [_tile("ef_percent", "Ejection fraction", heart, best), _tile("edv_ml", "EDV", heart, best)]
        tiles.append(_tile("esv_ml", "ESV", heart, best))
        compare = ""
    rate, rhythm = rate_of(heart) if heart is not None else (NONE, "")
    tiles.append(tile("Heart rate", *rate.partition(" ")[::2], rhythm))
    words = "".join(f'<p class="warn">{escape(warning)}</p>' for warning in warnings)
    return f'<section><div class="tiles">{"".join(tiles)}</div>{words}{compare}</section>'


def _best(study: Study, shown: Sequence[Row]) -> Row | None:
    """The clip whose figures stand for the study: a plane with discs first, then the one that is seen best."""
    numbers = [study.planes[view] for view in DISC_VIEWS if view in study.planes]
    order = {number: -place for place, number in enumerate(numbers, start=1)}

    def rank(row: Row) -> tuple[bool, float, float]:
        return row.ef is not None, float(order.get(row.number, -len(numbers) - 1)), row.quality or 0.0

    return max(shown, key=rank, default=None)


def _tile(field: str, name: str, heart: Heart | None, row: Row | None) -> str:
    """A figure of one plane, or why there is none."""
    kind, figure = KINDS[field], getattr(heart, field) if heart is not None else None
    if figure is None or row is None:
        unsure = heart.unsure if heart and field == "ef_percent" else ""
        return tile(name, NONE, "", unsure or _reason(row))
    spans = spread(figure, kind)
    below = f"{heart.view if heart else ''}, clip {row.number}: {f'{spans}, ' if spans else ''}{beats(figure.n)}"
    return tile(name, f"{figure.median:.{kind.digits}f}", kind.unit, below)


def _reason(row: Row | None) -> str:
    """Why a figure is missing: what was withheld most often."""
    if row is None or row.report is None:
        return "nothing was analysed"
    if row.seen is not None and row.seen.heart.reason:
        return row.seen.heart.reason
    return row.withheld or "no whole beat was found"


def _clip(row: Row, seen: Seen) -> str:
    """One clip: pictures, curve, figures, quality, notes."""
    report = row.report
    assert report is not None
    pictures = "".join(_still(kind, still) for kind, still in seen.stills.items())
    curve = curve_svg(seen.curve, seen.marks)
    refined, words = _refined(report)
    figures = [*rows_of(seen.heart), *refined]
    measured = (
        table(("measurement", "median", "range", "beats"), figures) if figures else "<p>No whole beat was found.</p>"
    )
    return (
        f"<article><section><h2>Clip {row.number}: {escape(row.view or 'view not known')}</h2>"
        f'<div class="pair pictures">{pictures}</div>{curve}</section>'
        f'<section class="pair wide"><div><h3>Measurements</h3>{measured}</div>'
        f"<div><h3>Image quality by region</h3>{_quality(seen.regions)}</div></section>"
        f"<section><h3>How far to trust it</h3>{items([*_notes(row, seen, report), *words])}</section></article>"
    )


def _still(kind: str, still: Still) -> str:
    if still.is_best:
        words = f"Best {kind}: frame {still.frame}, {still.time_s:.2f} s, quality {still.quality or 0:.1f} of 5"
    else:
        size = "largest" if kind == "ED" else "smallest"
        words = f"No {kind} was rated: the {size} area, frame {still.frame}, {still.time_s:.2f} s"
    return picture(still.picture, words)


def _quality(regions: Sequence[RegionQuality]) -> str:
    """A bar and a word for each region."""
    rows = ""
    for region in regions:
        name = f'<td class="n">{escape(region.name)}</td>'
        if region.score is None:
            rows += f"<tr>{name}<td>outside the sector, or not scored</td></tr>"
            continue
        level = min(max(round(region.score), 1), len(QUALITY_WORDS))
        words = f"{region.score:.1f} {QUALITY_WORDS[level - 1]}"
        if region.inside < 0.95:
            words += f", in {100 * region.inside:.0f} % of frames"
        bar = f'<i style="width:{20 * region.score:.0f}%;background:{rgb(quality_colour(region.score))}"></i>'
        rows += f'<tr>{name}<td><span class="bar">{bar}</span>{escape(words)}</td></tr>'
    head = "<tr><th>region</th><th>median, 1 to 5</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _refined(report: Report) -> tuple[list[tuple[str, str, str, str]], list[str]]:
    """The newest refined ejection fraction with its interval, as a row and as the words about it; none without one."""
    refined = [row for row in report.refined if row["ejection_fraction_percent"]]
    if not refined:
        return [], []
    ef = refined[-1]["ejection_fraction_percent"]
    row = ("EF, refined", value(ef["median"], KINDS["ef_percent"]), f"{ef['low']:.0f} to {ef['high']:.0f}", "1")
    return [row], [f"EF, refined: frame {refined[-1]['frame']}; its range is 5 to 95 % of the samples."]


def _notes(row: Row, seen: Seen, report: Report) -> list[str]:
    """View, scale, what was withheld and why, what is missing."""
    notes = [_view(row, seen), _scale(report)]
    analysed = report.frames_processed
    for reason, count in report.withheld.items():
        notes.append(f"Volume and ejection fraction withheld on {count} of {analysed} frames: {reason}.")
    if seen.heart.reason:
        notes.append(f"Not believed: {seen.heart.reason}.")
    for reason, count in report.not_analysed.items():
        notes.append(f"Not analysed, {count} frames: {reason}.")
    read = f"{analysed} of {report.frames_in} frames analysed"
    notes.append(f"{read}, {report.frames_damaged} damaged or missing." if report.frames_damaged else f"{read}.")
    if any(step["unlike"] for step in report.drift):
        notes.append("The picture is unlike those that the networks were calibrated with.")
    if row.reason:
        notes.append(f"{row.status.capitalize()}: {_nameless(row)}.")
    return notes


def _view(row: Row, seen: Seen) -> str:
    if not row.view:
        return "View: not known."
    sure = f", {100 * seen.view_probability:.0f} % sure at the last frame" if seen.view_probability is not None else ""
    turn = f"; the picture is {seen.turn}" if seen.turn else ""
    return f"View: {row.view}{sure}{turn}."


def _scale(report: Report) -> str:
    sector = report.sector
    spacing_mm = sector.get("mm_per_px")
    refused = f" Refused: {sector['mm_per_px_refused']}." if sector.get("mm_per_px_refused") else ""
    if spacing_mm is None:
        return f"Scale: mm per pixel not known, nothing is in mm.{refused}"
    return f"Scale: {spacing_mm[0]:.3g} mm per pixel, from: {sector['mm_per_px_from']}.{refused}"


def _refused(rows: Sequence[Row]) -> str:
    """The clips without a section of their own."""
    without = [(f"Clip {row.number}", row.status, _nameless(row)) for row in rows if row.seen is None]
    if not without:
        return ""
    lines = [f"{clip}, {status}: {reason}" if reason else f"{clip}, {status}" for clip, status, reason in without]
    return f"<section><h2>Not in this report</h2>{items(lines)}</section>"


def _nameless(row: Row) -> str:
    """The reason without the clip's name."""
    return re.sub(rf"(?<!\w){re.escape(row.name)}(?!\w)", f"clip {row.number}", row.reason)


def _made_with(networks: Networks) -> str:
    """Software and models, each with the hash of its file."""
    opened = [
        ("contour", networks.segmenter.manifest, networks.segmenter.backend),
        ("quality", networks.scorer.manifest, networks.scorer.backend),
    ]
    if networks.refine is not None:
        refiner = networks.refine.refiner
        opened.append(("refined contour", refiner.denoiser_manifest, refiner.denoiser))
    rows = "".join(
        f"<tr><td>{escape(task)}</td><td>{escape(manifest.name)} {escape(manifest.precision)}</td>"
        f'<td>{escape(backend.name)} {escape(backend.version)}</td><td class="hash">{escape(manifest.sha256)}</td></tr>'
        for task, manifest, backend in opened
    )
    return (
        "<footer><section><h3>Made with</h3><table><thead><tr><th>network</th><th>model</th><th>engine</th>"
        f"<th>sha256 of its file</th></tr></thead><tbody>{rows}</tbody></table>"
        f"<p>EchoEdge {escape(edge.__version__)}. {escape(NOTICE)} Figures are medians of the last beats of a clip; "
        "formulas and their agreement with experts stand in docs/measurements.md.</p></section></footer>"
    )
