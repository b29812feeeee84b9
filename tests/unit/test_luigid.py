"""The central scheduler: nothing that answers at its address, or stops answering, costs a night."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import luigi
import pytest
from luigi import configuration
from luigi.scheduler import Scheduler
from strangers import ANSWERS, HOST, Behaviour, answering, black_hole, closed_port, http, saying

from ccb_luigi.orchestration import luigid, runner
from ccb_luigi.settings import Settings

SECRET = "canary-senha"


def json_answer(response: Any) -> bytes:
    return http("200 OK", json.dumps(response).encode(), "Content-Type: application/json")


NOT_LUIGID = {
    name: saying(json_answer(answer))
    for name, answer in {
        "other JSON": {"status": "ok"},
        "null": None,
        "a list": [1],
        "a number": 7,
        "no pause": {"response": {}},
        "another response": {"response": "fine"},
    }.items()
} | {"deep JSON": saying(http("200 OK", b"[" * 100_000)), "not UTF-8": saying(http("200 OK", b"\xff\xfe\0"))}
STRANGERS = NOT_LUIGID | {name: behave for name, (behave, _) in ANSWERS.items()}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No luigi.cfg and no proxies but those of the test, and no waiting."""
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.lower().endswith("_proxy") or each.startswith("LUIGI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(luigid, "SECONDS_TO_FIND", 0.5)
    monkeypatch.setattr(luigid, "SECONDS_BETWEEN_TRIES", 0.01)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert all("\n" not in line and SECRET not in line for line in found)
    return [line for line in found if "luigid" in line]


# --- at the beginning -------------------------------------------------------------------------------


@pytest.mark.parametrize("stranger", STRANGERS)
def test_whoever_is_not_luigid_is_told_in_one_warning(
    stranger: str, caplog: pytest.LogCaptureFixture
) -> None:
    with answering(STRANGERS[stranger]) as port:
        assert luigid.reachable(f"http://me:{SECRET}@{HOST}:{port}/") == ""
    (line,) = warnings(caplog)
    assert line.startswith(f"luigid does not answer at http://{HOST}:{port} (CCB_SCHEDULER_URL): ")
    assert line.endswith(": running without it")
    words = ANSWERS[stranger][1] if stranger in ANSWERS else "something answers that isn't luigid"
    assert words in line


def test_nobody_a_silent_one_a_dead_name_and_no_address_are_warnings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with closed_port() as closed, black_hole() as hole:
        for url in (f"http://{HOST}:{closed}", f"http://{HOST}:{hole}", "http://nobody.invalid:8082", SECRET):
            assert luigid.reachable(url) == ""
    refused, silent, unknown, none = warnings(caplog)
    assert "connection refused" in refused
    assert "no answer in time" in silent
    assert "can't be resolved" in unknown
    assert "is not an address such as http://host:8082" in none


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"])
def test_the_environments_proxies_do_not_stand_before_a_luigid_of_this_machine(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [HOST, "localhost", socket.gethostname()]
    with closed_port() as dead, central() as (port, _):
        monkeypatch.setenv(name, f"http://{HOST}:{dead}")
        for host in [each for each in names if _leads_here(each)]:
            assert luigid.reachable(f"http://{host}:{port}")
    assert warnings(caplog) == []


def _leads_here(host: str) -> bool:
    try:
        return socket.gethostbyname(host) == HOST  # where the server listens
    except OSError:
        return False


def test_without_an_address_nobody_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    assert luigid.reachable("") == ""
    assert warnings(caplog) == []


# --- in the middle ----------------------------------------------------------------------------------


class central:  # noqa: N801
    """Luigi's own scheduler behind its API. After so many calls somebody else answers there, for so many."""

    def __init__(self, calls: int = 1 << 30, then: Behaviour | None = None, times: int = 1 << 30) -> None:
        self.calls, self.then, self.times = calls, then, times
        self.scheduler = Scheduler(prune_on_get_work=True)
        self.asked: list[str] = []
        self._serving = answering(self._behave)

    def __enter__(self) -> tuple[int, list[str]]:
        return self._serving.__enter__(), self.asked

    def __exit__(self, *error: Any) -> None:
        self._serving.__exit__(*error)

    def _behave(self, client: socket.socket) -> None:
        if self.then and len(self.asked) >= self.calls and self.times > 0:
            self.times -= 1
            self.then(client)
            return
        heard = b""
        while b"\r\n\r\n" not in heard or len(heard.partition(b"\r\n\r\n")[2]) < _length(heard):
            heard += client.recv(1 << 16)
        head, _, body = heard.partition(b"\r\n\r\n")
        method = head.split()[1].decode().rpartition("/")[2]
        self.asked.append(method)
        arguments = json.loads(parse_qs(body.decode())["data"][0])
        client.sendall(json_answer({"response": getattr(self.scheduler, method)(**arguments)}))


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))


class Chore(luigi.Task):
    """Leaves a file; ``number`` of them depend on each other."""

    directory = luigi.Parameter()
    number = luigi.IntParameter()

    def requires(self) -> list[luigi.Task]:
        return [Chore(directory=self.directory, number=self.number - 1)] if self.number else []

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"{self.directory}/{self.number}")

    def run(self) -> None:
        self.set_status_message(f"{self.number}")
        with self.output().open("w") as file:
            file.write("done")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., bool]]:
    """Builds three chores with luigid at a port; whether that was asked to the end."""
    config = configuration.get_config()
    for section, name, value in (("worker", "keep_alive", "true"), ("worker", "wait_interval", "0.01")):
        config.set(section, name, value)

    def build(port: int, patience: float = 0) -> bool:
        settings = Settings(scheduler_url=f"http://{HOST}:{port}", retry_seconds=patience)
        return runner._build([Chore(directory=str(tmp_path), number=2)], settings, 1)

    yield build
    config.clear()
    configuration.LuigiConfigParser._instance = None


def done(directory: Path) -> int:
    return len(list(directory.glob("[0-9]")))


def test_a_luigid_that_answers_is_asked_to_the_end(built: Callable[..., bool], tmp_path: Path) -> None:
    with central() as (port, asked):
        assert built(port)
    assert done(tmp_path) == 3
    assert asked.count("get_work") >= 3


def test_what_failed_too_often_in_an_earlier_run_is_tried_by_the_next_one(
    built: Callable[..., bool], tmp_path: Path
) -> None:
    served = central()
    ids = [Chore(directory=str(tmp_path), number=n).task_id for n in range(3)]
    for _ in range(3):
        served.scheduler.add_task(
            worker="earlier", task_id=ids[0], status="FAILED", retry_policy_dict={"retry_count": 3}
        )
    assert served.scheduler.task_list("DISABLED", "").keys() == {ids[0]}
    with served as (port, asked):
        assert built(port)
    assert done(tmp_path) == 3
    assert (asked.count("task_list"), asked.count("re_enable_task")) == (1, 1)


def test_a_paused_luigid_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    served = central()
    served.scheduler.pause()
    with served as (port, _):
        assert luigid.reachable(f"http://{HOST}:{port}") == ""
    assert "is paused" in warnings(caplog)[0]


CHANGES = ("502", "200 HTML", "hangs up", "redirect", "401", "SSH", "half an answer")


@pytest.mark.parametrize("calls", [1, 3, 6, 9], ids=lambda n: f"after {n}")
@pytest.mark.parametrize("stranger", CHANGES)
def test_a_luigid_that_turns_into_something_else_ends_no_run(
    stranger: str,
    calls: int,
    built: Callable[..., bool],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with central(calls, ANSWERS[stranger][0]) as (port, _):
        assert not built(port)
    assert done(tmp_path) == 3
    (line,) = warnings(caplog)
    assert "running without it" in line


@pytest.mark.parametrize(("patience", "times"), [(60, 3), (0, 1)], ids=["waited for", "found again"])
def test_a_luigid_that_is_back_is_asked_again(
    patience: float,
    times: int,
    built: Callable[..., bool],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with central(5, ANSWERS["502"][0], times) as (port, _):
        assert built(port, patience)
    assert done(tmp_path) == 3
    assert warnings(caplog) == []


def test_one_that_goes_away_again_and_again_is_given_up(
    built: Callable[..., bool],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(luigid.Luigid, "_answered", lambda *_, **__: _raise())
    with central() as (port, _):
        assert not built(port)
    assert done(tmp_path) == 3
    assert warnings(caplog) == [f"luigid went away {runner.TRIES} times: running without it"]


def _raise() -> None:
    raise luigid.NoAnswer("gone")


def test_a_silent_luigid_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(luigid, "SECONDS_OF_A_REPLY", 0.05)
    with black_hole() as port:
        lost = luigid.Luigid(f"http://{HOST}:{port}", 0.1)
        assert lost.ping(worker="w") is None
        assert not lost.lost, "a ping alone proves nothing"
        assert lost.get_work(worker="w")["task_id"] is None
        assert lost.lost
        assert lost.add_task(worker="w", task_id="t") is None
