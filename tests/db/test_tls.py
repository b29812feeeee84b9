"""TLS to both servers: the right CA is let in; another CA, another host and plain text are refused.

The embedded servers know no TLS: a proxy in front of them ends it, with certificates made here.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from pymongo import MongoClient
from sqlalchemy import text
from world import D1, World, at, document

from ccb_luigi.database import postgres
from ccb_luigi.errors import CcbError, SourceError, TargetError
from ccb_luigi.settings import Settings
from ccb_luigi.sources import mongo as mongo_source
from ccb_luigi.sources import source

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Authority:
    """A CA, and the file that clients know it by."""

    ca: trustme.CA
    file: Path

    def server(self, host: str = HOST) -> ssl.SSLContext:
        """What a server needs to be ``host``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(host).configure_cert(context)
        return context


@contextmanager
def tls_in_front_of(port: int, context: ssl.SSLContext, *, asked: bool = False) -> Iterator[int]:
    """The port of a proxy that ends TLS. ``asked``: PostgreSQL's way, eight plain bytes before it."""
    listener = socket.create_server((HOST, 0))
    with ExitStack() as stack:
        stack.callback(listener.close)
        # A blocked accept() isn't woken by close().
        stack.callback(listener.shutdown, socket.SHUT_RDWR)
        threading.Thread(target=_accept, args=(listener, port, context, asked), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(listener: socket.socket, port: int, context: ssl.SSLContext, asked: bool) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, port, context, asked), daemon=True).start()


def _serve(client: socket.socket, port: int, context: ssl.SSLContext, asked: bool) -> None:
    with suppress(OSError):  # the client found the certificate wanting
        if asked:
            client.recv(8, socket.MSG_WAITALL)
            client.sendall(b"S")
        outside = context.wrap_socket(client, server_side=True)
        inside = socket.create_connection((HOST, port))
        threading.Thread(target=_pump, args=(inside, outside), daemon=True).start()
        _pump(outside, inside)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("theirs"))


def authority(directory: Path) -> Authority:
    found = Authority(trustme.CA(), directory / "ca.pem")
    found.ca.cert_pem.write_to_path(found.file)
    return found


def one_line(work: Callable[[], object], kind: type[CcbError], *secrets: str) -> str:
    with pytest.raises(kind) as caught:
        work()
    line = str(caught.value)
    assert "\n" not in line
    for secret in secrets:
        assert secret not in line
    return line


# --- PostgreSQL -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """PostgreSQL's settings, without the address of the server."""

    settings: Settings

    @property
    def port(self) -> int:
        return int(urlsplit(self.settings.postgres_url).port or 0)

    @property
    def password(self) -> str:
        return str(urlsplit(self.settings.postgres_url).password)

    def through(self, port: int, ca: Path) -> Settings:
        parts = urlsplit(self.settings.postgres_url)
        server = f"{parts.username}:{parts.password}@{HOST}:{port}"
        url = parts._replace(netloc=server, query=f"sslmode=verify-full&sslrootcert={ca}").geturl()
        return replace(self.settings, postgres_url=url)

    def refused(self, port: int, ca: Path) -> str:
        settings = self.through(port, ca)
        line = one_line(lambda: ask(settings), TargetError, self.password, str(ca))
        assert "CCB_POSTGRES_URL" in line
        return line


@pytest.fixture
def target(database_url: str) -> Target:
    # Were it tried again, the test would take too long.
    return Target(Settings(postgres_url=database_url, retry_seconds=600))


def ask(settings: Settings) -> Any:
    """Whether the connection of a transaction is encrypted, as libpq has it."""

    def work(connection: Any) -> Any:
        connection.execute(text("SELECT 1"))
        return postgres.driver_connection(connection).info.ssl_in_use

    try:
        return postgres.of_process(settings).run(work)
    finally:
        postgres.of_process(settings).engine.dispose()


def test_postgresql_is_trusted_by_the_right_ca(target: Target, ours: Authority) -> None:
    with tls_in_front_of(target.port, ours.server(), asked=True) as port:
        assert ask(target.through(port, ours.file)) is True


def test_postgresql_with_a_certificate_of_another_ca_is_refused(
    target: Target, ours: Authority, theirs: Authority
) -> None:
    with tls_in_front_of(target.port, theirs.server(), asked=True) as port:
        assert "not signed by a CA of sslrootcert" in target.refused(port, ours.file)


def test_postgresql_with_another_hosts_certificate_is_refused(target: Target, ours: Authority) -> None:
    with tls_in_front_of(target.port, ours.server("pg.example.com"), asked=True) as port:
        assert "another host's" in target.refused(port, ours.file)


def test_postgresql_without_tls_is_refused(target: Target, ours: Authority) -> None:
    assert "no TLS" in target.refused(target.port, ours.file)


def test_a_ca_file_that_is_not_there_is_told(target: Target, ours: Authority, tmp_path: Path) -> None:
    with tls_in_front_of(target.port, ours.server(), asked=True) as port:
        assert "sslrootcert names no file" in target.refused(port, tmp_path / "nowhere.pem")


# --- MongoDB ----------------------------------------------------------------------------------------


@pytest.fixture
def patient_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyMongo looks for a server that suits it for ten seconds; here it has one."""

    def client(uri: str, **options: Any) -> Any:
        return MongoClient(uri, **options | {"serverSelectionTimeoutMS": 1000})

    monkeypatch.setattr(mongo_source, "MongoClient", client)


def mongo_through(world: World, port: int, ca: Path) -> Settings:
    uri = f"mongodb://{HOST}:{port}/?tls=true&tlsCAFile={ca}&directConnection=true"
    return replace(world.settings, mongo_uri=uri)


def mongo_port(world: World) -> int:
    return int(urlsplit(world.settings.mongo_uri).port or 0)


def read(settings: Settings) -> list[bytes]:
    with source.opened(settings) as origin:
        return list(origin.by_ids(["a"]))


def test_mongodb_is_trusted_by_the_right_ca(world: World, ours: Authority) -> None:
    world.put(document("a", "A", at(D1)))
    with tls_in_front_of(mongo_port(world), ours.server()) as port:
        assert read(mongo_through(world, port, ours.file)) == [world.raw("a")]


@pytest.mark.usefixtures("patient_for_a_second")
def test_mongodb_of_another_ca_or_host_is_refused(world: World, ours: Authority, theirs: Authority) -> None:
    for context in (theirs.server(), ours.server("mongo.example.com")):
        with tls_in_front_of(mongo_port(world), context) as port:
            settings = mongo_through(world, port, ours.file)
            line = one_line(lambda settings=settings: read(settings), SourceError, str(ours.file))  # type: ignore[misc]
            assert "not signed by a CA of tlsCAFile, or is another host's (CCB_MONGO_URI: " in line


@pytest.mark.usefixtures("patient_for_a_second")
def test_mongodb_without_tls_is_refused(world: World, ours: Authority) -> None:
    """Like mongod, the server here hangs up on what isn't its protocol. (SecantusDB waits for more.)"""
    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=_hang_up, args=(listener,), daemon=True).start()
        settings = mongo_through(world, listener.getsockname()[1], ours.file)
        line = one_line(lambda: read(settings), SourceError, str(ours.file))
        listener.shutdown(socket.SHUT_RDWR)
    assert "does the server speak TLS? (CCB_MONGO_URI: " in line


def _hang_up(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client:
                client.recv(1)


def test_a_ca_file_of_mongodb_that_is_not_there_is_told(world: World, tmp_path: Path) -> None:
    settings = mongo_through(world, mongo_port(world), tmp_path / "nowhere.pem")
    assert "CCB_MONGO_URI" in one_line(lambda: read(settings), CcbError, "nowhere")
