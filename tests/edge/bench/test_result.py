from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from edge.bench.report import report_html, waterfall
from edge.bench.result import SCHEMA_FILE, json_schema, read_result, write_result
from edge.bench.session import headline, shareable
from edge.errors import EchoEdgeError
from tests.edge.bench.results import result, run

SERIES = {"pipeline": [10.0 + 0.01 * (i % 50) for i in range(1000)], "yardstick": [2.0] * 100}


def test_the_shipped_schema_is_that_of_the_code() -> None:
    assert SCHEMA_FILE.read_bytes() == json_schema(), (
        'python -c "from edge.bench.result import *; SCHEMA_FILE.write_bytes(json_schema())"'
    )


def test_a_result_follows_the_schema_and_comes_back(tmp_path: Path) -> None:
    written = result(SERIES)
    write_result(written, tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == written
    document = json.loads((tmp_path / "result.json").read_text())
    schema = json.loads(SCHEMA_FILE.read_text())
    fields = schema["$defs"]["Result"]
    assert set(fields["required"]) <= set(document) <= set(fields["properties"])
    assert {"p50", "p90", "p99", "p99.9", "max"} <= set(document["latency_ms"])
    assert document["latency_ms"]["p50"] == pytest.approx(10.245, abs=0.01)


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 1, "kind": "pipeline"}', "[1]"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(EchoEdgeError, match="is not a result"):
        read_result(tmp_path / "x.json")
    with pytest.raises(EchoEdgeError, match="cannot read"):
        read_result(tmp_path / "absent.json")
    other = msgspec.structs.replace(result(SERIES), schema=99)
    write_result(other, tmp_path / "y.json")
    with pytest.raises(EchoEdgeError, match="schema 99"):
        read_result(tmp_path / "y.json")


def test_the_shared_file_names_nobody() -> None:
    text = msgspec.json.encode(shareable(result(SERIES))).decode()
    assert "someone" not in text
    assert "patient.mp4" in text


def test_the_page_of_an_invalid_run_shows_no_figures_unless_asked() -> None:
    bad = result(SERIES, ["other processes used 1.00 of 2 cores"])
    figure = f">{round(bad.latency_ms.p99, 2)}<"
    assert figure in report_html(result(SERIES))
    assert figure not in report_html(bad)
    assert "other processes" in report_html(bad)
    forced = report_html(bad, even_if_invalid=True)
    assert figure in forced
    assert "INVALID" in forced


def test_the_page_needs_no_network() -> None:
    page = report_html(result(SERIES))
    assert not re.search(r"(?:src|href)\s*=|url\(|@import", page)
    assert page.count("<svg") >= 3


def test_the_waterfall_sums_to_the_frame() -> None:
    stages = waterfall(run("pipeline", SERIES["pipeline"]))
    assert [name for name, _ in stages] == ["segment", "waiting and hand-over"]
    assert sum(ms for _, ms in stages) == pytest.approx(run("pipeline", SERIES["pipeline"]).latency_ms.p50)


def test_the_headline_names_machine_and_percentiles() -> None:
    line = headline(result(SERIES))
    assert "10.0 frames a second" in line
    assert "test machine" in line
    assert "p99" in line
