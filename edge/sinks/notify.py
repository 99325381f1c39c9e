"""Messages to systemd: a service that is ready, alive, and what it does (sd_notify(3)); nothing happens without
systemd.
"""

from __future__ import annotations

import contextlib
import os
import socket


class Notifier:
    """Sends to the socket that NOTIFY_SOCKET names; an unset one makes every call a no-op.

    A name that begins with "@" is in Linux's abstract name space.
    """

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None

    def send(self, **fields: str) -> None:
        """One datagram of NAME=value lines; a supervisor that does not listen is not waited for."""
        if self._socket is None:
            return
        message = "\n".join(f"{name}={' '.join(value.splitlines())}" for name, value in fields.items())
        with contextlib.suppress(OSError):  # the watchdog notices what we cannot report
            self._socket.sendto(message.encode(), socket.MSG_DONTWAIT, self._address)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


def watchdog_s() -> float:
    """The time within which systemd wants a sign of life, 0 where it asks for none."""
    try:
        return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
    except ValueError:
        return 0.0
