"""The address of an input or output: `scheme://place?option=value`, and how it is shown without its secrets."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from edge.errors import EchoEdgeError

SECRETS = ("passphrase", "password", "token", "key", "secret", "auth")
"""Query options whose value is never shown; a name that contains one counts."""
TRUE, FALSE = ("", "1", "yes", "true", "on"), ("0", "no", "false", "off")


@dataclass(frozen=True)
class Address:
    """A parsed address. `place` is what stands between scheme and query, decoded; `url` the whole without our own
    options, with its percent signs as they came.
    """

    scheme: str
    place: str
    options: dict[str, str]
    url: str

    def number(self, name: str, default: float) -> float:
        """An option as a number. Raises EchoEdgeError for another text."""
        try:
            return float(self.options.get(name, default))
        except ValueError as error:
            raise EchoEdgeError(
                f"option {name}={self.options[name]} is no number; write for example {name}=2"
            ) from error

    def whole(self, name: str, default: int) -> int:
        """An option as a whole number. Raises EchoEdgeError for another text."""
        value = self.number(name, default)
        if value != int(value):
            raise EchoEdgeError(f"option {name}={self.options[name]} must be a whole number")
        return int(value)

    def flag(self, name: str) -> bool:
        """Whether an option is given and on: `?wait` and `?wait=1` are. Raises EchoEdgeError for another text."""
        value = self.options.get(name, "0").lower()
        if value in TRUE or value in FALSE:
            return value in TRUE
        raise EchoEdgeError(f"option {name}={value} must be 1 or 0")

    def host_port(self, default_port: int, any_host: str = "") -> tuple[str, int]:
        """Host (an IPv6 address without its brackets) and port of a network place.

        `any_host` stands for a host that is left out. Raises EchoEdgeError where there is none.
        """
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or any_host, parts.port
        except ValueError as error:
            raise EchoEdgeError(f"{redacted(self.url)} has a port that is no number from 1 to 65535") from error
        if not host:
            raise EchoEdgeError(f"{redacted(self.url)} names no host; write {self.scheme}://HOST:{default_port}")
        return unquote(host), default_port if port is None else port

    def credentials(self) -> tuple[str, str | None] | None:
        """User and password, decoded: `p%2Fss` is p/ss. None where no user is named."""
        parts = urlsplit(self.url)
        if not parts.username:
            return None
        return unquote(parts.username), None if parts.password is None else unquote(parts.password)

    @property
    def path(self) -> str:
        """What stands behind the host, decoded, without slashes around it."""
        return unquote(urlsplit(self.url).path).strip("/")


def parse_address(uri: str, known: tuple[str, ...], strict: bool = True) -> Address:
    """Split an address. Options in `known` are ours; others are refused, or left in `url` where not `strict`.

    Servers and FFmpeg's protocols take options of their own in the query, so network inputs are not strict.
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:  # half a pair of brackets
        raise EchoEdgeError(f"{redacted(uri)} is not an address ({error}); write an IPv6 host as [::1]") from error
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    ours = {name: value for name, value in pairs if name in known}
    others = [(name, value) for name, value in pairs if name not in known]
    if strict and others:
        raise EchoEdgeError(f"{parts.scheme}:// knows no option '{others[0][0]}'; it has {', '.join(known) or 'none'}")
    place = unquote(parts.netloc + parts.path)
    url = urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(others), ""))
    return Address(parts.scheme.lower(), place, ours, url)


def shown_host(host: str, port: int) -> str:
    """Host and port as they stand in an address: an IPv6 one in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def family_of(host: str) -> socket.AddressFamily:
    """What a server that is to listen there needs."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def file_path(uri: str) -> Path:
    """The file of a path or a `file://` address, whose percent signs are decoded (RFC 8089)."""
    if scheme_of(uri) != "file":
        return Path(uri)
    place = uri[len("file://") :].removeprefix("localhost")
    return Path(place) if "%" in place and Path(place).exists() else Path(unquote(place))


def scheme_of(uri: str) -> str:
    """The scheme in lower case, "" for a bare path (also one with a colon or a Windows drive)."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", uri)
    return found[1].lower() if found else ""


def redacted(uri: str) -> str:
    """An address fit for logs, errors, recordings and metrics: without user, password and secret options."""
    shown = re.sub(r"(?<=://)[^/?#]*@", "***@", uri)
    names = "|".join(SECRETS)
    return re.sub(rf"([?&][^=&#]*(?:{names})[^=&#]*=)[^&#]*", r"\1***", shown, flags=re.IGNORECASE)
