"""PostgreSQL: whatever answers at its address is one line with status 14, and is tried again."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from strangers import HOST, NOT_HTTP, Behaviour, answering, black_hole, closed_port

from ccb_luigi.database import connecting, postgres, refusals
from ccb_luigi.errors import CcbError
from ccb_luigi.settings import Settings

PASSWORD = "canary-senha"


def told(server: str, options: str = "") -> CcbError:
    database = postgres.Postgres(
        Settings(postgres_url=f"postgresql://loader:{PASSWORD}@{server}/ccb{options}")
    )
    with pytest.raises(CcbError) as caught, database.transaction():
        pass
    line = str(caught.value)
    assert "\n" not in line
    for said in (PASSWORD, "loader", "OpenSSH", "Bad Request"):
        assert said not in line
    assert caught.value.exit_code == 14
    return caught.value


@pytest.mark.parametrize("stranger", NOT_HTTP)
@pytest.mark.parametrize("tls", ["prefer", "disable"])
def test_whatever_is_not_postgresql_is_named_with_its_address_and_tried_again(
    stranger: str, tls: str
) -> None:
    with answering(NOT_HTTP[stranger]) as port:
        error = told(f"{HOST}:{port}", f"?sslmode={tls}")
    assert error.transient
    assert str(error).startswith("PostgreSQL can't be reached")
    assert f"(CCB_POSTGRES_URL: {HOST}:{port})" in str(error)
    assert ("something else answers at its address" in str(error)) == (stranger != "hangs up")


def test_nobody_a_silent_one_a_dead_name_and_no_socket_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connecting.CONNECT, "connect_timeout", 2)  # libpq knows none shorter
    with closed_port() as port:
        line = str(told(f"localhost:{port}"))
    assert f"nothing listens at its address (connection refused) (CCB_POSTGRES_URL: localhost:{port})" in line
    with black_hole() as port:
        assert f"no answer in time (CCB_POSTGRES_URL: {HOST}:{port})" in str(told(f"{HOST}:{port}"))
    error = told("nobody.invalid:5432")
    assert "its name can't be resolved (CCB_POSTGRES_URL)" in str(error)
    assert error.transient
    assert "there is no such socket (CCB_POSTGRES_URL)" in str(told("", f"?host={tmp_path}"))


def offering_tls(context: ssl.SSLContext) -> Behaviour:
    def behave(client: object) -> None:
        client.recv(8)  # type: ignore[attr-defined]
        client.sendall(b"S")  # type: ignore[attr-defined]
        with context.wrap_socket(client, server_side=True) as inside:  # type: ignore[arg-type]
            inside.recv(1 << 16)

    return behave


def test_a_certificate_of_somebody_else_is_told_and_no_other_try_made(tmp_path: Path) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for authority, host, words in (
        (theirs, HOST, "not signed by a CA of sslrootcert"),
        (ours, "pg.example.com", "another host's"),
    ):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(host).configure_cert(context)
        with answering(offering_tls(context)) as port:
            error = told(f"{HOST}:{port}", f"?sslmode=verify-full&sslrootcert={tmp_path / 'ca.pem'}")
        assert words in str(error)
        assert not error.transient


@pytest.mark.parametrize(
    "said",
    [
        'conexão com o servidor em "db.example.com" (10.0.0.1), porta 5432 falhou: x',
        'connection to server at "db.example.com" (::1), port 5432 failed: x',
        'connection to server at "db.example.com", port 5432 failed: x',
    ],
)
def test_the_address_is_found_in_what_libpq_says_in_any_language(said: str) -> None:
    assert refusals._place(said) == "CCB_POSTGRES_URL: db.example.com:5432"
    assert refusals._place('FATAL: role "ana" does not exist') == "CCB_POSTGRES_URL"
