"""HTTP with what others run: only a whole answer of success is one, and all else is told in a few words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest
import strangers
import trustme
from strangers import ANSWERS, HOST, answering, black_hole, closed_port, dripping, http, saying

from ccb_luigi.errors import ConfigurationError
from ccb_luigi.process import web
from ccb_luigi.process.web import NoAnswer

SECRET = "canary-senha"
PATH = f"/hooks/{SECRET}"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def peer(url: str) -> web.Peer:
    return web.peer(url, "CCB_URL", "http://host")


def told(url: str, seconds: float = 5) -> NoAnswer:
    """What is told of whoever answers at ``url``, which holds a secret in each of its parts."""
    asked = peer(url)
    assert SECRET not in asked.name + repr(asked)
    with pytest.raises(NoAnswer) as caught:
        asked.ask(seconds, body=b"x", kind="text/plain")
    assert caught.value.__cause__ is None
    line = str(caught.value)
    assert "\n" not in line
    for said in (SECRET, "canary", "Welcome", "OpenSSH", "token"):
        assert said not in line
    return caught.value


@pytest.mark.parametrize("stranger", ANSWERS)
def test_whatever_else_answers_is_told_in_one_line(stranger: str) -> None:
    behave, words = ANSWERS[stranger]
    with answering(behave) as port:
        assert words in str(told(f"http://me:{SECRET}@{HOST}:{port}{PATH}"))


def test_what_may_pass_is_told_from_what_will_not() -> None:
    passing = {"502", "503", "hangs up", "half an answer", "half a head", "half a chunk"}
    for stranger, (behave, _) in ANSWERS.items():
        with answering(behave) as port:
            assert told(f"http://{HOST}:{port}").transient == (stranger in passing), stranger


def test_nobody_and_a_silent_one_are_told_apart() -> None:
    with closed_port() as port:
        assert str(told(f"http://{HOST}:{port}")) == "nothing listens there (connection refused)"
    with black_hole() as port:
        assert str(told(f"http://{HOST}:{port}", 0.1)) == "no answer in time"
        assert str(told(f"https://{HOST}:{port}", 0.1)) == "no answer in time"
    assert str(told("http://nobody.invalid")) == "its name can't be resolved"


HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPPING = {
    "its first line": b"HTTP/1.1 20",
    "its head": HEAD + b"X: ",
    "its body": HEAD + b"Content-Length: 100000\r\n\r\n",
    "a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n10000\r\n",
    "a body of no length": HEAD + b"\r\n",
}


@pytest.mark.parametrize("begun", DRIPPING)
def test_one_who_answers_drop_by_drop_is_waited_for_as_a_silent_one_is(begun: str) -> None:
    with answering(dripping(DRIPPING[begun])) as port:
        assert str(told(f"http://{HOST}:{port}", 0.2)) == "no answer in time"


def test_a_whole_answer_comes_back_as_it_is() -> None:
    for answer in (http("200 OK", b"taken"), http("202 Accepted"), http("204 No Content")):
        with answering(saying(answer)) as port:
            assert peer(f"http://{HOST}:{port}").ask(5, body=b"x", kind="text/plain") in (b"taken", b"")


def test_an_answer_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_BYTES", 1000)
    with answering(saying(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 2000)) as port:
        assert str(told(f"http://{HOST}:{port}")) == "it answered without an end"


# --- TLS --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context(authority: trustme.CA, host: str) -> ssl.SSLContext:
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(found)
    return found


@pytest.fixture
def trusted(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


@pytest.mark.usefixtures("trusted")
def test_the_right_certificate_is_trusted_and_no_other(authority: trustme.CA) -> None:
    fine = saying(http("200 OK", b"taken"))
    with answering(fine, context(authority, HOST)) as port:
        assert peer(f"https://{HOST}:{port}").ask(5, body=b"x", kind="text/plain") == b"taken"
    for other in (context(authority, "other.example.com"), context(trustme.CA(), HOST)):
        with answering(fine, other) as port:
            found = told(f"https://{HOST}:{port}")
            assert "its certificate is another host's, expired, or of no CA" in str(found)
            assert not found.transient


@pytest.mark.usefixtures("trusted")
def test_one_who_answers_drop_by_drop_over_tls_is_waited_for_no_longer(authority: trustme.CA) -> None:
    with answering(dripping(DRIPPING["its body"]), context(authority, HOST)) as port:
        assert str(told(f"https://{HOST}:{port}", 0.5)) == "no answer in time"
    with answering(dripping(b"")) as port:
        assert str(told(f"https://{HOST}:{port}", 0.5)) in (
            "no answer in time",
            "TLS fails: does it speak TLS?",
        )


def test_a_server_without_tls_is_told() -> None:
    with answering(ANSWERS["SSH"][0]) as port:
        assert str(told(f"https://{HOST}:{port}")) == "TLS fails: does it speak TLS?"


# --- proxies ----------------------------------------------------------------------------------------


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with closed_port() as port:
        proxy = f"http://me:{SECRET}@{HOST}:{port}"
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        yield f"http://{HOST}:{port}"


def own_names() -> list[str]:
    names = [HOST, "localhost", "0.0.0.0", socket.gethostname()]
    return [name for name in names if web.is_here(name)]


@pytest.mark.usefixtures("dead_proxy")
def test_a_proxy_is_not_asked_the_way_to_this_machine() -> None:
    assert own_names()[:3] == [HOST, "localhost", "0.0.0.0"]
    for host in (HOST, "localhost"):
        with answering(saying(http("200 OK", b"taken"))) as port:
            assert peer(f"http://{host}:{port}").ask(5, body=b"x", kind="text/plain") == b"taken"
    assert all("proxy" not in peer(f"http://{name}:1").name for name in own_names())


def test_a_socket_s_path_is_this_machine_s_and_a_name_that_nobody_knows_is_not() -> None:
    assert web.is_here("/run/postgresql")
    assert not web.is_here("nobody.invalid")


def test_a_proxy_on_the_way_is_named(dead_proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("http://192.0.2.1:8082", "https://nobody.invalid"):
        assert peer(url).name.endswith(f" (through the proxy {dead_proxy})")
        assert str(told(url)) == "nothing listens there (connection refused)"
    monkeypatch.setenv("no_proxy", "192.0.2.1")
    assert "proxy" not in peer("http://192.0.2.1:8082").name


def test_a_proxy_that_does_not_let_us_through_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(strangers.ANSWERS["407"][0]) as port:
        monkeypatch.setenv("http_proxy", f"{HOST}:{port}")
        monkeypatch.setenv("https_proxy", f"{HOST}:{port}")
        assert "a proxy wants a user and a password (407)" in str(told("http://192.0.2.1:8082"))
        assert str(told("https://192.0.2.1")) == "the proxy doesn't let us through (407)"


def test_a_proxy_that_answers_drop_by_drop_is_waited_for_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(dripping(DRIPPING["its head"])) as port:
        monkeypatch.setenv("https_proxy", f"{HOST}:{port}")
        assert str(told("https://192.0.2.1", 0.2)) == "no answer in time"


@pytest.mark.parametrize(
    "address", ["", "host:8082", "ftp://host", "http://", "http://host:x", "http://host:0"]
)
def test_what_is_no_address_is_none(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^CCB_URL is not an address such as http://host$"):
        peer(address)
