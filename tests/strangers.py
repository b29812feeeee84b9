"""Whatever may answer at an address: servers that are nobody's, and what a user is told of each.

One listener of one thread each, gone with its block.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

HOST = "127.0.0.1"
Behaviour = Callable[[socket.socket], None]

PAGE = b"<!DOCTYPE html><html><body>Welcome. Please log in.</body></html>"


def http(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """One HTTP answer; ``length``: what it claims to hold."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def saying(words: bytes) -> Behaviour:
    """Hears a request out, answers with these bytes and hangs up."""

    def behave(client: socket.socket) -> None:
        heard = b""
        while b"\r\n\r\n" not in heard and (more := client.recv(1 << 16)):
            heard += more
        head, _, body = heard.partition(b"\r\n\r\n")
        length = next(
            (int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0
        )
        while len(body) < length and (more := client.recv(1 << 16)):
            body += more
        client.sendall(words)

    return behave


def greeting(words: bytes) -> Behaviour:
    """Speaks first, and hears nothing."""

    def behave(client: socket.socket) -> None:
        client.sendall(words)
        client.shutdown(socket.SHUT_WR)
        while client.recv(1 << 16):
            pass

    return behave


def hanging_up(client: socket.socket) -> None:
    """Ends the connection after the first byte."""
    client.recv(1)


DRIPS = 500
"""So many bytes, and no more: who waits for the last of them is told of it, not waited for."""


def dripping(words: bytes) -> Behaviour:
    """Begins so, and goes on with a byte now and then, for about ten seconds."""

    def behave(client: socket.socket) -> None:
        client.sendall(words)
        gone = threading.Event()
        for _ in range(DRIPS):
            client.sendall(b"7")
            gone.wait(0.02)

    return behave


ANSWERS: dict[str, tuple[Behaviour, str]] = {
    "SSH": (greeting(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), "something answers that isn't HTTP"),
    "hangs up": (hanging_up, "it broke off in the middle"),
    "200 HTML": (saying(http("200 OK", PAGE, "Content-Type: text/html")), "it answered with a web page"),
    "401": (
        saying(http("401 Unauthorized", PAGE, 'WWW-Authenticate: Basic realm="x"')),
        "it wants a user and a password",
    ),
    "403": (saying(http("403 Forbidden", PAGE)), "it doesn't let us in (403)"),
    "407": (saying(http("407 Proxy Authentication Required")), "a proxy wants a user and a password (407)"),
    "404": (saying(http("404 Not Found", PAGE)), "it answered with status 404"),
    "502": (saying(http("502 Bad Gateway", PAGE)), "it answered with status 502"),
    "503": (saying(http("503 Service Unavailable")), "it answered with status 503"),
    "redirect": (
        saying(http("302 Found", b"", "Location: https://login.example.com/secret?token=canary")),
        "it sends us elsewhere (redirect 302 to https://login.example.com:443)",
    ),
    "redirect in place": (saying(http("307 Temporary Redirect", b"", "Location: /there")), "(redirect 307)"),
    "half an answer": (saying(http("200 OK", b'{"respon', length=500)), "it broke off in the middle"),
    "half a head": (saying(b"HTTP/1.1 200 OK\r\nContent-Le"), "it broke off in the middle"),
    "half a chunk": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n500\r\nabc"),
        "it broke off in the middle",
    ),
}
"""What an HTTP client meets → how that is told."""

NOT_HTTP: dict[str, Behaviour] = {
    "SSH": ANSWERS["SSH"][0],
    "HTTP": greeting(http("400 Bad Request", PAGE)),
    "hangs up": hanging_up,
    "nonsense": greeting(bytes(range(256)) * 16),
}
"""What a client of another protocol meets."""


@contextmanager
def answering(behave: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server that does so with each client."""
    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=_accept, args=(listener, behave, context), daemon=True).start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, behave: Behaviour, context: ssl.SSLContext | None) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, behave, context), daemon=True).start()


def _serve(client: socket.socket, behave: Behaviour, context: ssl.SSLContext | None) -> None:
    with suppress(OSError), client:
        if context is None:
            behave(client)
        else:
            with context.wrap_socket(client, server_side=True) as inside:
                behave(inside)


@contextmanager
def black_hole() -> Iterator[int]:
    """The port of a server that takes every connection and never says anything."""
    with socket.create_server((HOST, 0), backlog=64) as listener:
        yield listener.getsockname()[1]


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that is taken, and where nobody listens."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield bound.getsockname()[1]
