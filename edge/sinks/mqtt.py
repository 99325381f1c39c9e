"""Measurements to an MQTT broker."""

from __future__ import annotations

from types import TracebackType

import msgspec

from edge.errors import MissingExtraError
from edge.heart.regions import region_names
from edge.sinks.base import Shown
from edge.sinks.jsonl import shown_record
from edge.sources.address import parse_address

DEFAULT_PORT = 1883


class MqttSink:
    """`mqtt://user:password@host:1883/echo/bed1`: one JSON message a frame, topic `echoedge` where none is given.

    `TOPIC/status` holds "online", and "offline" once this process is gone (the broker's last will).
    """

    name = "mqtt"

    def __init__(self, uri: str, fps: float, view: str = "") -> None:
        try:
            from paho.mqtt import client
            from paho.mqtt.enums import CallbackAPIVersion
        except ModuleNotFoundError as error:
            raise MissingExtraError("the MQTT output", "mqtt") from error
        address = parse_address(uri, ("qos",))
        host, port = address.host_port(DEFAULT_PORT)
        self._topic, self._qos = address.path or "echoedge", address.whole("qos", 0)
        self._names = region_names(view)
        self._client = client.Client(CallbackAPIVersion.VERSION2)
        credentials = address.credentials()
        if credentials is not None:
            self._client.username_pw_set(*credentials)
        self._client.will_set(f"{self._topic}/status", "offline", qos=1, retain=True)
        self._client.on_connect = lambda *_: self._client.publish(f"{self._topic}/status", "online", 1, True)
        self._client.max_queued_messages_set(100)
        self._client.reconnect_delay_set(1, 30)
        self._client.connect_async(host, port, keepalive=20)
        self._client.loop_start()

    def __enter__(self) -> MqttSink:
        return self

    def write(self, shown: Shown) -> None:
        """Publish one frame's record; without a broker nothing piles up."""
        if not self._client.is_connected():
            return
        if shown.banner or shown.frame is None:
            record: dict[str, object] = {"withheld": shown.banner or shown.withheld}
        else:
            record = shown_record(shown, self._names)
        self._client.publish(self._topic, msgspec.json.encode(record), self._qos)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client.is_connected():
            self._client.publish(f"{self._topic}/status", "offline", 1, True).wait_for_publish(2)
        self._client.disconnect()
        self._client.loop_stop()
