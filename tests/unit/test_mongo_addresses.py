"""MongoDB: whatever answers at its address, or what it refuses, is one line with the right status."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from typing import Any

import dns.exception
import dns.resolver
import pytest
from pymongo import MongoClient
from pymongo.errors import ConfigurationError as MongoConfigurationError
from pymongo.errors import NetworkTimeout, OperationFailure, PyMongoError
from strangers import HOST, NOT_HTTP, answering, black_hole, closed_port

from ccb_luigi.errors import CcbError, ConfigurationError, SourceError
from ccb_luigi.settings import Settings
from ccb_luigi.sources import mongo
from ccb_luigi.sources.mongo_errors import translated

PASSWORD = "canary-senha"


@pytest.fixture(autouse=True)
def patient_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyMongo looks for a server that suits it for ten seconds; here it has two."""
    moment = {"serverSelectionTimeoutMS": 2000, "connectTimeoutMS": 1500, "socketTimeoutMS": 1500}
    monkeypatch.setattr(mongo, "MongoClient", lambda uri, **how: MongoClient(uri, **how | moment))


def told(uri: str) -> CcbError:
    def ask() -> None:
        source = mongo.MongoSource(Settings(mongo_uri=uri))
        with closing(source):
            source.count()

    with pytest.raises(CcbError) as caught:
        ask()
    line = str(caught.value)
    assert "\n" not in line
    for said in (PASSWORD, "reader", "OpenSSH", "Bad Request"):
        assert said not in line
    return caught.value


def at(port: int) -> str:
    return f"mongodb://reader:{PASSWORD}@{HOST}:{port}/?directConnection=true"


@pytest.mark.parametrize("stranger", NOT_HTTP)
def test_whatever_is_not_mongodb_is_named_with_its_address_and_tried_again(stranger: str) -> None:
    with answering(NOT_HTTP[stranger]) as port:
        error = told(at(port))
    assert (error.exit_code, error.transient) == (13, True)
    assert str(error).startswith("MongoDB can't be reached")
    assert f"(CCB_MONGO_URI: {HOST}:{port})" in str(error)
    assert ("something else answers" in str(error)) == (stranger != "hangs up")


def test_nobody_a_silent_one_and_a_dead_name_are_told_apart() -> None:
    with closed_port() as port:
        assert f"nothing listens at its address (connection refused) (CCB_MONGO_URI: {HOST}:{port})" in str(
            told(at(port))
        )
    with black_hole() as port:
        assert f"no answer in time (CCB_MONGO_URI: {HOST}:{port})" in str(told(at(port)))
    error = told(f"mongodb://reader:{PASSWORD}@nobody.invalid/")
    assert "its name can't be resolved (CCB_MONGO_URI: nobody.invalid:27017)" in str(error)
    assert (error.exit_code, error.transient) == (13, True)


@pytest.mark.parametrize(
    "failure",
    [dns.resolver.NXDOMAIN(), dns.resolver.NoNameservers(), dns.exception.Timeout(), OSError("no way")],
    ids=lambda failure: type(failure).__name__,
)
def test_servers_that_dns_can_not_tell_are_no_wrong_setting(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    error = told(f"mongodb+srv://reader:{PASSWORD}@cluster0.example.com/")
    assert (error.exit_code, error.transient) == (13, True)
    assert "its name can't be resolved, or has no SRV record (CCB_MONGO_URI)" in str(error)


@pytest.mark.parametrize(
    "wrong",
    [
        "mongo//reader:{}@host",
        "mongodb://reader:{}@host:x/",
        "mongodb+srv://reader:{}@host.example.com:27017/",
        "mongodb+srv://reader:{}@10.0.0.1/",
    ],
)
def test_an_address_that_is_none_is_a_wrong_setting(wrong: str) -> None:
    error = told(wrong.format(PASSWORD))
    assert isinstance(error, ConfigurationError)
    assert "CCB_MONGO_URI" in str(error)


# --- what the server answers ------------------------------------------------------------------------


def ours(error: PyMongoError) -> CcbError:
    with pytest.raises(CcbError) as caught, translated():
        raise error
    assert PASSWORD not in str(caught.value)
    return caught.value


def refusal(code: int, **details: Any) -> OperationFailure:
    return OperationFailure(PASSWORD, code, {"errmsg": PASSWORD, "codeName": "Xyz", **details})


# The server's own table: retriable, interrupted, snapshots, cursors, stale shards, overload, locks; Cosmos'.
PASSING = [
    *(6, 7, 24, 43, 89, 91, 112, 133, 134, 136, 150, 175, 189, 202, 216, 237, 239, 246, 249, 250, 262, 272),
    *(314, 317, 343, 355, 365, 384, 402, 407, 433, 449, 9001, 10107, 11600, 11601, 11602, 13388, 13435),
    *(13436, 16500),
]
LASTING = [1, 2, 8, 9, 11, 13, 18, 20, 26, 50, 59, 96, 146, 292, 301, 8000]


@pytest.mark.parametrize("code", PASSING)
def test_what_passes_is_read_again(code: int) -> None:
    error = ours(refusal(code))
    assert isinstance(error, SourceError)
    assert error.transient
    assert f"(Xyz, {code})" in str(error)
    assert str(error).endswith("the same command reads again")


@pytest.mark.parametrize("code", LASTING)
def test_what_a_new_read_meets_again_is_told_at_once(code: int) -> None:
    error = ours(refusal(code))
    assert isinstance(error, SourceError)
    assert not error.transient
    assert "reads again" not in str(error)


@pytest.mark.parametrize("label", ["RetryableError", "TransientTransactionError", "SystemOverloadedError"])
def test_what_the_server_labels_as_passing_is_read_again_whatever_its_code(label: str) -> None:
    assert ours(refusal(1, errorLabels=[label])).transient
    assert not ours(refusal(1, errorLabels=["UnknownTransactionCommitResult"])).transient


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (146, "more memory than the server gives a query: is there an index on updatedAt?"),
        (292, "more memory than the server gives a query: is there an index on updatedAt?"),
        (175, "an index or the collection was dropped or renamed meanwhile"),
        (50, "raise defaultMaxTimeMS"),
        (16500, "too many requests at once"),
        (365, "short of cache"),
    ],
)
def test_a_code_that_one_can_do_something_about_says_what(code: int, words: str) -> None:
    assert words in str(ours(refusal(code)))


@pytest.mark.parametrize(
    ("said", "login", "right"),
    [
        ("bad auth : Authentication failed.", True, False),
        ("user is not allowed to do action [find] on [ccb.contratos]", False, True),
        ("(AtlasError) something new", True, True),
    ],
)
def test_atlas_own_error_is_a_login_or_a_missing_right(said: str, login: bool, right: bool) -> None:
    line = str(ours(refusal(8000, errmsg=f"{said} {PASSWORD}")))
    assert ("user or password is wrong" in line) == login
    assert ("may not read the collection" in line) == right


# --- the look for snapshots -------------------------------------------------------------------------


@pytest.fixture
def sees() -> Callable[[Exception], bool]:
    """What the look for a snapshot comes to if the server answers so."""

    class Collection:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def find_one(self, *_: Any, **__: Any) -> None:
            raise self.error

    def look(error: Exception) -> bool:
        source = object.__new__(mongo.MongoSource)
        source.collection = Collection(error)  # type: ignore[assignment]
        return source._sees(None)  # type: ignore[arg-type]

    return look


@pytest.mark.parametrize("code", [20, 72, 115, 123, 148, 246, 263, 303, 40415])
def test_a_server_that_has_no_snapshots_is_read_without_and_that_is_told(
    code: int, sees: Callable[[Exception], bool], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert not sees(refusal(code))
    assert f"no snapshot ({code})" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_driver_that_knows_of_no_snapshots_there_reads_without(sees: Callable[[Exception], bool]) -> None:
    assert not sees(MongoConfigurationError("Snapshot reads require MongoDB 5.0 or later"))


@pytest.mark.parametrize("code", [code for code in PASSING if code != 246] + [13, 18, 8000])
def test_what_says_nothing_about_snapshots_does_not_give_them_up(
    code: int, sees: Callable[[Exception], bool]
) -> None:
    with pytest.raises(OperationFailure):
        sees(refusal(code))


def test_a_broken_connection_says_nothing_about_snapshots(sees: Callable[[Exception], bool]) -> None:
    with pytest.raises(NetworkTimeout):
        sees(NetworkTimeout("late"))
