"""SRT through the system's libsrt: PyAV's wheels are built without it, and a passphrase must not stand in a process
list.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from ctypes.util import find_library
from functools import cache

from edge.errors import SourceError
from edge.sources.address import Address

OPTIONS = ("mode", "latency", "passphrase", "streamid")
LIBRARIES = ("srt", "srt-openssl", "srt-gnutls")
"""Debian and Ubuntu name it after its TLS library."""

RCVSYN, CONNTIMEO, RCVTIMEO, RCVLATENCY, PASSPHRASE, STREAMID = 2, 36, 14, 43, 26, 46
"""SRT_SOCKOPT of <srt/srt.h>."""
ONLY_CRITICAL = 2
"""Its log goes to stderr; errors reach us as return values."""
MAX_MESSAGE = 1456
POLL_S = 0.02


def find_libsrt() -> str:
    """Name of the system's library, "" without one."""
    return next(filter(None, map(find_library, LIBRARIES)), None) or ""


@cache
def _library() -> ctypes.CDLL:
    """libsrt, started once. Raises SourceError with the package's name where it is missing."""
    found = find_libsrt()
    if not found:
        raise SourceError("srt:// needs libsrt: apt-get install libsrt1.5-openssl (Ubuntu 22.04: libsrt1.4-openssl)")
    library = ctypes.CDLL(found)
    library.srt_getlasterror_str.restype = library.srt_rejectreason_str.restype = ctypes.c_char_p
    library.srt_startup()
    library.srt_setloglevel(ONLY_CRITICAL)
    return library


class SrtStream:
    """One connection, readable like a file; as caller it connects, as listener it takes the first sender that comes.

    `shown` is the address fit for messages. Raises SourceError where nobody answers or comes within `timeout_s`.
    """

    def __init__(self, address: Address, shown: str, timeout_s: float) -> None:
        self._shown, self._srt, self._left = shown, _library(), b""
        mode = address.options.get("mode", "caller")
        if mode not in ("caller", "listener"):
            raise SourceError(f"mode={mode} is unknown; SRT's modes here are caller and listener")
        host, port = address.host_port(0, any_host="0.0.0.0")
        if not port:
            raise SourceError(f"{shown} names no port; write srt://HOST:PORT")
        peer = _sockaddr(host, port, shown)
        self._socket = self._srt.srt_create_socket()
        try:
            milliseconds = int(timeout_s * 1000)
            self._set(RCVLATENCY, address.whole("latency", 20))
            self._set(CONNTIMEO, milliseconds)
            for option, name in ((PASSPHRASE, "passphrase"), (STREAMID, "streamid")):
                if name in address.options:
                    self._set(option, address.options[name].encode())
            if mode == "listener":
                self._socket = self._first_sender(peer, timeout_s)
            elif self._srt.srt_connect(self._socket, peer, len(peer)) < 0:
                raise SourceError(f"{shown} does not open: {self._why_refused()}; is the sender running and reachable?")
            self._set(RCVSYN, 1)
            self._set(RCVTIMEO, milliseconds)
        except BaseException:
            self.close()
            raise

    def _first_sender(self, own: bytes, timeout_s: float) -> int:
        """Listen until one sender has connected; the socket of that connection."""
        self._set(RCVSYN, 0)  # a blocking accept knows no time-out
        listener = self._socket
        if self._srt.srt_bind(listener, own, len(own)) < 0 or self._srt.srt_listen(listener, 1) < 0:
            raise SourceError(f"{self._shown} cannot listen: {self._error()}; is the port in use?")
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            accepted = int(self._srt.srt_accept(listener, None, None))
            if accepted >= 0:
                self._srt.srt_close(listener)
                return accepted
            time.sleep(POLL_S)
        raise SourceError(f"{self._shown}: no sender came within {timeout_s:g} s; is it sending to this address?")

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as soon as there are any. Raises SourceError after a time-out or a break."""
        if not self._left:
            buffer = ctypes.create_string_buffer(MAX_MESSAGE)
            count = self._srt.srt_recvmsg(self._socket, buffer, MAX_MESSAGE)
            if count < 0:
                raise SourceError(f"{self._shown} broke off: {self._error()}")
            self._left = buffer.raw[:count]
        part, self._left = self._left[:size], self._left[size:]
        return part

    def _set(self, option: int, value: int | bytes) -> None:
        data = struct.pack("=i", value) if isinstance(value, int) else value
        if self._srt.srt_setsockflag(self._socket, option, data, len(data)) < 0:
            what = "the passphrase must have 10 to 79 characters" if option == PASSPHRASE else self._error()
            raise SourceError(f"{self._shown} cannot be set up: {what}")

    def _error(self) -> str:
        return str(self._srt.srt_getlasterror_str().decode(errors="replace"))

    def _why_refused(self) -> str:
        reason = self._srt.srt_getrejectreason(self._socket)
        told = self._srt.srt_rejectreason_str(reason).decode(errors="replace") if reason > 0 else ""
        return f"{self._error()} ({told})" if told else self._error()

    def close(self) -> None:
        """May be called twice."""
        number, self._socket = self._socket, -1
        if number >= 0:
            self._srt.srt_close(number)


def _sockaddr(host: str, port: int, shown: str) -> bytes:
    """A struct sockaddr_in or sockaddr_in6 of the first address that a name stands for."""
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        raise SourceError(f"{shown} does not open: {error.strerror}; is the host's name right?") from error
    head = struct.pack("=H", family) + struct.pack(">H", port)
    if family == socket.AF_INET:
        return head + socket.inet_pton(family, str(place[0])) + bytes(8)
    return head + bytes(4) + socket.inet_pton(family, str(place[0])) + bytes(4)
