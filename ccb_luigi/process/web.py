"""HTTP with what others run: an answer has a time limit, no redirection is followed, an answer is whole.

What came instead of an answer is told in a few words, and by whom: scheme, host and port, never a path, a
user or a password, and nothing of what was said. (A POST that is redirected would become a GET, which does
nothing and is answered with 200.)
"""

from __future__ import annotations

import base64
import io
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from ccb_luigi.errors import ConfigurationError
from ccb_luigi.process.drips import Drips

MOST_BYTES = 64 << 20
"""Of an answer; luigid's are a few thousand."""

_STATUSES = {
    401: "it wants a user and a password, or others (401)",
    403: "it doesn't let us in (403)",
    407: "a proxy wants a user and a password (407)",
}
_PASSING = (408, 425, 429)
_PAGE = re.compile(rb"\s*(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)


class NoAnswer(Exception):
    """What came instead of an answer, in words. ``transient``: at another moment it may be another thing."""

    def __init__(self, words: str, *, transient: bool = False) -> None:
        super().__init__(words)
        self.transient = transient


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Leaves the redirection as what it is here: no answer."""


class _InTime(HTTPResponse):
    """An answer, also a proxy's, that is over at a moment, however slowly it comes."""

    def __init__(self, until: float, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(Drips(sock, until))


def _timed(kind: type[HTTPConnection], host: str, timeout: float, **options: Any) -> HTTPConnection:
    """A connection whose steps, and whose answers as a whole, take no longer than ``timeout``."""
    made = kind(host, timeout=timeout, **options)
    made.response_class = partial(_InTime, time.monotonic() + timeout)  # type: ignore[assignment]
    return made


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_timed, HTTPConnection), req)


class _OverTls(urllib.request.HTTPSHandler):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._tls = context

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_timed, HTTPSConnection), req, context=self._tls)


@dataclass(frozen=True, slots=True)
class Peer:
    """Whoever is to answer at an address."""

    address: str = field(repr=False)
    name: str
    _login: str = field(repr=False)
    _opener: urllib.request.OpenerDirector = field(repr=False)

    def ask(self, seconds: float, path: str = "", body: bytes | None = None, kind: str = "") -> bytes:
        """The answer to a GET, or to a POST of ``body``, whose media type is ``kind``.

        Raises:
            NoAnswer: there was none, or not one of success.
        """
        told = {"Authorization": self._login, "Content-Type": kind}
        headers = {name: value for name, value in told.items() if value}
        request = urllib.request.Request(self.address + path, body, headers)  # noqa: S310 - see peer()
        try:
            with closing(self._opener.open(request, timeout=seconds)) as answer:
                found = _whole(answer)
        except urllib.error.HTTPError as error:
            with closing(error):
                raise _refused(error) from None
        except (OSError, HTTPException, ValueError) as error:
            raise NoAnswer(broken(error), transient=not _is_for_good(error)) from None
        if _PAGE.match(found):
            raise NoAnswer("it answered with a web page (a login, a proxy?)")
        return found


def peer(url: str, setting: str, example: str) -> Peer:
    """Whoever answers at ``url`` (http or https), which is the value of ``setting``.

    The environment's proxies count as ever (``http_proxy``, ``no_proxy``), but not for this machine.

    Raises:
        ConfigurationError: that is no address such as ``example``.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError
        proxy = _proxy(parts)
        name = _name(parts) + (f" (through the proxy {_name(urlsplit(proxy))})" if proxy else "")
    except ValueError:
        raise ConfigurationError(f"{setting} is not an address such as {example}") from None
    handlers: list[urllib.request.BaseHandler] = [
        _NoRedirect(),
        _Plain(),
        urllib.request.ProxyHandler({parts.scheme: proxy} if proxy else {}),
    ]
    if parts.scheme == "https":
        handlers.append(_OverTls(ssl.create_default_context()))
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
    return Peer(bare, name, _basic(parts), urllib.request.build_opener(*handlers))


def _basic(parts: SplitResult) -> str:
    if not parts.username:
        return ""
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _name(parts: SplitResult) -> str:
    host = parts.hostname or ""
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _proxy(parts: SplitResult) -> str:
    """The environment's proxy on the way there, or nothing."""
    found = urllib.request.getproxies().get(parts.scheme, "")
    if (
        not found
        or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2])
        or is_here(parts.hostname or "")
    ):
        return ""
    return found if "//" in found else f"http://{found}"


def is_here(host: str) -> bool:
    """Whether a name, an address or a socket's path is this machine's own."""
    if host.startswith("/"):
        return True
    try:
        found = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return all(_is_own(family, address) for family, _, _, _, address in found)


def _is_own(family: int, address: tuple[object, ...]) -> bool:
    """The way to an address of one's own begins at that address. (Nothing is sent.)"""
    host = ip_address(str(address[0]).partition("%")[0])
    if host.is_loopback or host.is_unspecified:
        return True
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return bool(probe.getsockname()[0] == address[0])
    except OSError:
        return False


def _whole(answer: HTTPResponse) -> bytes:
    found = answer.read(MOST_BYTES + 1)
    # http.client misses neither what was promised, if it reads with a limit, nor the end of a head.
    if answer.length or answer.headers.defects:
        raise IncompleteRead(b"")
    if len(found) > MOST_BYTES:
        raise NoAnswer("it answered without an end")
    return found


def _refused(error: urllib.error.HTTPError) -> NoAnswer:
    code = error.code
    if 300 <= code < 400:
        to = urlsplit(error.headers.get("Location") or "")
        where = f" to {_name(to)}" if to.scheme in ("http", "https") and to.hostname else ""
        return NoAnswer(f"it sends us elsewhere (redirect {code}{where})")
    words = _STATUSES.get(code, f"it answered with status {code}")
    return NoAnswer(words, transient=code >= 500 or code in _PASSING)


def _is_for_good(error: Exception) -> bool:
    """Whether another try will meet the same: a certificate, or what isn't HTTP at all."""
    reason = _cause(error)
    not_http = isinstance(error, BadStatusLine) and not isinstance(error, RemoteDisconnected)
    return isinstance(reason, ssl.SSLCertVerificationError) or not_http


def _cause(error: Exception) -> Exception:
    """What urllib has wrapped. (Errors of TLS have a ``reason`` as well: a word.)"""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return reason if isinstance(reason, Exception) else error


def broken(error: Exception) -> str:
    """Why nothing came back, without a word of the other side's."""
    reason = _cause(error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "its certificate is another host's, expired, or of no CA that this machine trusts"
    if isinstance(reason, (IncompleteRead, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, EOFError)):
        return "it broke off in the middle"  # RemoteDisconnected is a ConnectionResetError
    if isinstance(reason, ssl.SSLError):
        return "TLS fails: does it speak TLS?"
    if isinstance(reason, socket.gaierror):
        return "its name can't be resolved"
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(reason, HTTPException):
        return "something answers that isn't HTTP"
    if tunnel := re.search(r"Tunnel connection failed: (\d{3})", str(reason)):
        return f"the proxy doesn't let us through ({tunnel[1]})"
    return (
        reason.strerror if isinstance(reason, OSError) else None
    ) or f"it can't be asked ({type(error).__name__})"
