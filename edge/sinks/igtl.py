"""OpenIGTLink server: the frame, the label map and the measurements, for 3D Slicer and PLUS."""

from __future__ import annotations

import logging
import socket
import threading
from types import TracebackType

import msgspec
import numpy as np

from edge.errors import EchoEdgeError
from edge.heart.regions import region_names
from edge.igtl.message import DEFAULT_PORT, image_body, pack, text_body
from edge.postprocess import mask_on_frame
from edge.preprocess import grey
from edge.refine.keyframe import Refined
from edge.sinks.base import Shown
from edge.sinks.jsonl import shown_record
from edge.sources.address import family_of, parse_address, shown_host

log = logging.getLogger(__name__)
SEND_S = 1.0
"""A client that takes nothing for this long is let go."""


class IgtlSink:
    """`igtl://host:18944` listens there; devices `echo` (IMAGE), `labels` (IMAGE, 0-3), `measurements` (STRING, JSON).

    With `--refine` each refined frame is sent once: `key frame` and, of the same size, `key labels` (IMAGE, 1 for the
    LV) and `key uncertainty` (IMAGE, 255 for one bit). While an overlay is withheld the label map is not sent, and the
    measurements hold the reason.
    """

    name = "igtl"

    def __init__(self, uri: str, view: str = "") -> None:
        self._names = region_names(view)
        host, port = parse_address(uri, ()).host_port(DEFAULT_PORT)
        try:
            self._listener = socket.create_server((host, port), family=family_of(host))
        except OSError as error:
            raise EchoEdgeError(
                f"igtl://{shown_host(host, port)} cannot listen: {error}; is the port in use?"
            ) from error
        self.port = int(self._listener.getsockname()[1])
        self._clients: list[socket.socket] = []
        self._lock = threading.Lock()
        self._refined: Refined | None = None
        threading.Thread(target=self._accept, name="igtl", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            client.settimeout(SEND_S)
            with self._lock:
                self._clients.append(client)

    def __enter__(self) -> IgtlSink:
        return self

    def write(self, shown: Shown) -> None:
        """Send one frame to every client."""
        with self._lock:
            clients = list(self._clients)
        if not clients or shown.frame is None:
            return
        analysis, image = shown.analysis, shown.frame.image
        spacing_mm = analysis.calibration.spacing_mm if analysis is not None else None
        messages = pack("IMAGE", "echo", image_body(grey(image), spacing_mm))
        record = shown_record(shown, self._names)
        if shown.banner or analysis is None:
            record = {"frame": shown.frame.number, "withheld": shown.banner or shown.withheld}
        else:
            labels = mask_on_frame(analysis.mask, analysis.box, image.shape[:2])
            messages += pack("IMAGE", "labels", image_body(labels, spacing_mm))
        if shown.refined is not None and shown.refined.refined is not self._refined:
            self._refined = shown.refined.refined
            messages += _refined_messages(self._refined)
        messages += pack("STRING", "measurements", text_body(msgspec.json.encode(record).decode()))
        for client in clients:
            try:
                client.sendall(messages)
            except OSError as error:
                log.info("an OpenIGTLink client left: %s", error)
                client.close()
                with self._lock:
                    self._clients.remove(client)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError as problem:
            log.debug("igtl: %s", problem)
        self._listener.close()
        for client in self._clients:
            client.close()


def _refined_messages(refined: Refined) -> bytes:
    """A refined frame with its mask and the entropy of each pixel: pictures of their own, since none belongs to another
    frame.
    """
    found = refined.refinement
    pictures = {
        "key frame": grey(refined.key.frame.image),
        "key labels": found.mask,
        "key uncertainty": np.rint(255 * found.uncertainty).astype(np.uint8),
    }
    return b"".join(pack("IMAGE", name, image_body(pixels, None)) for name, pixels in pictures.items())
