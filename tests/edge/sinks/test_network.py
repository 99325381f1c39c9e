"""Outputs against real receivers on loopback."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from edge.errors import EchoEdgeError
from edge.heart.analysis import REGION_PX, Analysis
from edge.heart.biplane import Biplane
from edge.heart.hint import Hint
from edge.heart.measure import measure_ventricle
from edge.heart.record import Figure, Heart
from edge.heart.regions import Regions, find_regions
from edge.heart.rhythm import Rhythm
from edge.heart.withhold import NOTHING, Withheld
from edge.igtl.message import Message, read_image, receive
from edge.picture.overlay import HeadUp
from edge.preprocess import Box
from edge.refine.volumes import Spread
from edge.screen.calibration import Calibration
from edge.sinks import Shown, Sink, open_sink
from edge.sinks.metrics import _metric
from edge.sources import Captured
from tests.edge.refine.held import held
from tests.peers.openigtlink import build_example
from tests.peers.processes import free_port, need, running, wait_until
from tests.phantom import apical_mask

PICTURE = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)


def shown(number: int = 0, banner: str = "", withheld: Withheld = NOTHING) -> Shown:
    mask = apical_mask(size=REGION_PX)
    regions = find_regions(mask)
    assert isinstance(regions, Regions)
    frame = Captured(number, np.full((400, 400, 3), 90, np.uint8), 0, number / 30)
    analysis = Analysis(
        frame=frame,
        box=Box(0, 0, 400),
        mask=mask,
        regions=regions,
        scores=np.full(8, 4, np.float32),
        ventricle=withheld.take_from(measure_ventricle(mask, regions, (0.5, 0.5))),
        heart=Heart(
            view="A4C",
            age_s=1.5,
            rhythm=Rhythm(rate_bpm=72.0, is_irregular=False),
            ef_percent=Figure(median=58.0, low=55.0, high=61.0, n=2),
            ef_interval90_percent=(46.0, 70.0),
            mapse_mm=Figure(median=12.0, low=11.0, high=13.0, n=2),
            biplane=Biplane(edv_ml=120.0, esv_ml=50.0, ef_percent=58.3, ef_interval90_percent=(49.0, 67.6)),
        ),
        withheld=withheld,
        hint=Hint("lateral wall", "poor", "more gel", 2.0),
        calibration=Calibration((0.5, 0.5), "source"),
    )
    head = HeadUp(30.0, 20.0, 18.0, "openvino", "int8", 3)
    return Shown(
        picture=PICTURE,
        head=head,
        analysis=None if banner else analysis,
        frame=frame,
        banner=banner,
        withheld=banner,
    )


@contextmanager
def feeding(sink: Sink, banner: str = "") -> Iterator[None]:
    """Write to a sink about 25 times a second for the length of a block."""
    stop = threading.Event()
    problems: list[BaseException] = []

    def work() -> None:
        number = 0
        try:
            while not stop.wait(0.04):
                sink.write(shown(number, banner))
                number += 1
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=work)
    with sink:
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)
    assert not problems


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_prometheus_reads_the_metrics() -> None:
    sink = open_sink("metrics://127.0.0.1:" + str(free_port()), 30, "A4C")
    base = f"http://127.0.0.1:{sink.port}"  # type: ignore[attr-defined]
    with sink:
        assert get(f"{base}/readyz") == (503, "no picture yet\n")
        sink.write(shown())
        status, text = get(f"{base}/metrics")
        assert status == 200
        assert "echoedge_frames_dropped_total 3" in text
        assert "echoedge_lv_area_square_metres" in text
        assert 'echoedge_region_quality{region="apical lateral"} 4' in text
        assert text.count("echoedge_region_quality{") == 8
        assert "echoedge_ejection_fraction_ratio 0.58" in text
        assert 'echoedge_measurement_withheld{measurement="volume"} 0' in text
        assert "echoedge_heart_rate_hertz 1.2" in text
        assert "echoedge_beat_age_seconds 1.5" in text
        assert "echoedge_mitral_annular_excursion_metres 0.012" in text
        assert "echoedge_ejection_fraction_biplane_ratio 0.583" in text
        assert 'echoedge_ejection_fraction_interval90_ratio{end="low"} 0.46' in text
        assert 'echoedge_ejection_fraction_biplane_interval90_ratio{end="high"} 0.676' in text
        sink.write(shown(withheld=Withheld("", "", "view unknown")))
        gated = get(f"{base}/metrics")[1]
        assert 'echoedge_measurement_withheld{measurement="volume"} 1' in gated
        assert "echoedge_lv_volume" not in gated
        assert "echoedge_ejection_fraction_ratio 0.58" in gated  # of beats that were finished before
        sink.write(replace(shown(), refined=held(fraction=Spread(52, 58, 63))))
        text = get(f"{base}/metrics")[1]
        assert 'echoedge_ejection_fraction_refined_ratio{percentile="95"} 0.63' in text
        sink.write(shown(1, "NO SIGNAL: cable"))
        assert get(f"{base}/readyz") == (503, "NO SIGNAL: cable\n")
        assert "lv_area" not in get(f"{base}/metrics")[1]
        assert "region_quality" not in get(f"{base}/metrics")[1]
        assert get(f"{base}/nothing")[0] == 404
    done = subprocess.run(
        [need("promtool", "prometheus"), "check", "metrics"], input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_probe_may_ask_for_the_head_alone_and_over_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    sink = open_sink(f"metrics://[::1]:{free_port()}", 30, "A4C")
    with sink:
        connection = http.client.HTTPConnection("::1", sink.port, timeout=10)  # type: ignore[attr-defined]
        for method, path in (("HEAD", "/healthz"), ("GET", "/metrics?from=probe"), ("GET", "/healthz")):
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            assert (answer.status, body == b"") == (200, method == "HEAD")
        connection.close()


def test_counts_are_written_in_full() -> None:
    first, second = (_metric("pictures_total", "counter", "x", {"": n})[-1] for n in (1234567, 1234568))
    assert (first, second) == ("echoedge_pictures_total 1234567", "echoedge_pictures_total 1234568")
    assert _metric("age", "gauge", "x", {"": 0.125})[-1] == "echoedge_age 0.125"


def test_mpeg_ts_reaches_a_receiver() -> None:
    port = free_port(socket.SOCK_DGRAM)
    address = f"udp://127.0.0.1:{port}"
    with feeding(open_sink(address, 25)), av.open(f"{address}?timeout=20000000", timeout=20) as received:
        frame = next(received.decode(video=0))
    assert (frame.width, frame.height) == (1280, 720)


def test_ffmpeg_receives_mpeg_ts(tmp_path: Path) -> None:
    address, target = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}", tmp_path / "received.ts"
    command = [need("ffmpeg", "ffmpeg"), "-loglevel", "error", "-i", address, "-c", "copy", "-frames:v", "5", target]
    with running(*command) as receiver, feeding(open_sink(address, 25)):
        wait_until(lambda: receiver.poll() is not None, "five frames")
    with av.open(str(target)) as received:
        assert received.streams.video[0].width == 1280


def test_rtsp_is_pushed_to_a_server(tmp_path: Path) -> None:
    port, target = free_port(), tmp_path / "received.ts"
    command = [
        need("ffmpeg", "ffmpeg"),
        "-loglevel",
        "error",
        "-rtsp_flags",
        "listen",
        "-i",
        f"rtsp://127.0.0.1:{port}/live",
        "-c",
        "copy",
        "-frames:v",
        "5",
        "-y",
        target,
    ]
    with running(*command) as server, feeding(open_sink(f"rtsp://127.0.0.1:{port}/live", 25)):
        wait_until(lambda: server.poll() is not None, "five frames")
    with av.open(str(target)) as received:
        assert received.streams.video[0].width == 1280


def messages(client: socket.socket, count: int) -> dict[str, Message]:
    found: dict[str, Message] = {}
    while len(found) < count:
        message = receive(client)
        assert message is not None
        found[message.device] = message
    return found


def test_openigtlink_serves_image_labels_and_measurements() -> None:
    sink = open_sink(f"igtl://127.0.0.1:{free_port()}", 25, "A2C")
    with feeding(sink), socket.create_connection(("127.0.0.1", sink.port), 10) as client:  # type: ignore[attr-defined]
        found = messages(client, 3)
    labels, _ = read_image(found["labels"].body)
    assert labels.shape == (400, 400)
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    assert read_image(found["echo"].body)[0].shape == (400, 400)
    record = msgspec.json.decode(found["measurements"].body[4:])
    assert record["lv_area_cm2"] > 10
    assert record["quality"]["mid anterior"] == 4
    assert record["hint"] == "lateral wall: poor; try more gel"


def test_openigtlink_sends_a_refined_frame_once() -> None:
    sink, known = open_sink(f"igtl://127.0.0.1:{free_port()}", 25), held()
    with sink, socket.create_connection(("127.0.0.1", sink.port), 10) as client:  # type: ignore[attr-defined]
        wait_until(lambda: sink._clients, "the server")  # type: ignore[attr-defined]
        sink.write(replace(shown(), refined=known))
        sink.write(replace(shown(1), refined=known))
        found = [message for _ in range(6 + 3) if (message := receive(client))]
    names = [message.device for message in found]
    assert names[2:5] == ["key frame", "key labels", "key uncertainty"]
    assert names[6:] == ["echo", "labels", "measurements"]
    labels, uncertainty = (read_image(found[n].body)[0] for n in (3, 4))
    assert labels.shape == uncertainty.shape
    assert set(np.unique(labels)) == {0, 1}
    assert uncertainty.max() > 200
    assert b'"kind":"ES"' in found[5].body


def test_openigtlink_withholds_labels_with_the_overlay() -> None:
    sink = open_sink(f"igtl://127.0.0.1:{free_port()}", 25)
    with feeding(sink, "PICTURE FROZEN: x"), socket.create_connection(("127.0.0.1", sink.port), 10) as client:  # type: ignore[attr-defined]
        found = [receive(client) for _ in range(4)]
    assert [m.device for m in found if m] == ["echo", "measurements"] * 2
    assert found[1] is not None
    assert b"PICTURE FROZEN" in found[1].body


def test_pyigtl_understands_the_server() -> None:
    pyigtl = pytest.importorskip("pyigtl", reason="pip install pyigtl")
    sink = open_sink(f"igtl://127.0.0.1:{free_port()}", 25)
    with feeding(sink):
        client = pyigtl.OpenIGTLinkClient("127.0.0.1", sink.port)  # type: ignore[attr-defined]
        try:
            message = client.wait_for_message("labels", timeout=20)
        finally:
            client.stop()
    assert message is not None
    assert set(np.unique(message.image)) == {0, 1, 2, 3}


def test_the_example_client_of_openigtlink_understands_the_server(tmp_path: Path) -> None:
    receiver, log = build_example("Receiver/ReceiveClient", tmp_path), tmp_path / "log"
    sink = open_sink(f"igtl://127.0.0.1:{free_port()}", 25)
    with feeding(sink), log.open("wb") as out:
        client = subprocess.Popen([str(receiver), "127.0.0.1", str(sink.port)], stdout=out, stderr=out)  # type: ignore[attr-defined]
        try:
            wait_until(lambda: b"lv_area_cm2" in log.read_bytes(), "the measurements")
        finally:
            client.kill()
            client.wait()
    said = log.read_text(errors="replace")
    assert re.search(
        r"Device Name +: labels\nScalar Type +: 3\nDimensions +: \(400, 400, 1\)\nSpacing +: \(0.5, 0.5, 1\)", said
    )


def test_mqtt_publishes_and_leaves_a_will(tmp_path: Path) -> None:
    client = pytest.importorskip("paho.mqtt.client", reason="pip install 'echoedge[mqtt]'")
    enums = pytest.importorskip("paho.mqtt.enums")
    port = free_port()
    (tmp_path / "broker.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    received: list[tuple[str, bytes]] = []
    with running(need("mosquitto", "mosquitto"), "-c", tmp_path / "broker.conf", port=port):
        reader = client.Client(enums.CallbackAPIVersion.VERSION2)
        reader.on_message = lambda _, __, m: received.append((m.topic, m.payload))
        reader.connect("127.0.0.1", port)
        reader.subscribe("echo/bed1/#")
        reader.loop_start()
        try:
            with feeding(open_sink(f"mqtt://127.0.0.1:{port}/echo/bed1", 25, "A4C")):
                wait_until(lambda: any(topic == "echo/bed1" for topic, _ in received), "a measurement")
            wait_until(lambda: ("echo/bed1/status", b"offline") in received, "the farewell")
        finally:
            reader.loop_stop()
            reader.disconnect()
    record = msgspec.json.decode(next(payload for topic, payload in received if topic == "echo/bed1"))
    assert record["quality"]["basal septal"] == 4


def test_without_receivers_nothing_fails() -> None:
    sinks = [open_sink(uri, 25) for uri in (f"rtsp://127.0.0.1:{free_port()}/x", f"udp://127.0.0.1:{free_port()}")]
    for sink in sinks:
        with sink:
            sink.write(shown())
            sink.write(shown(1))


@pytest.mark.parametrize(
    ("uri", "says"),
    [("out.xyz", "is not an output"), ("gopher://u:secret@h", r"\*\*\*@h"), ("igtl://", "names no host")],
)
def test_what_is_no_output_says_so(uri: str, says: str) -> None:
    with pytest.raises(EchoEdgeError, match=says):
        open_sink(uri, 25)


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        for scheme in ("igtl", "metrics"):
            with pytest.raises(EchoEdgeError, match="is the port in use"):
                open_sink(f"{scheme}://127.0.0.1:{port}", 25)
