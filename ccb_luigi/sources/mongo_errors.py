"""What PyMongo raises, in our words: without the address (it holds the password) and without data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    CursorNotFound,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)
from pymongo.errors import ConfigurationError as MongoConfigurationError

from ccb_luigi.errors import CcbError, ConfigurationError, SourceError, unreachable

SNAPSHOT_TOO_OLD = 239
NO_SNAPSHOT = 246
"""What a standalone server says; of others it may be meant for the moment alone."""


@contextmanager
def translated(client: Any = None) -> Iterator[None]:
    """PyMongo's errors as ours; ``client`` tells which servers were meant."""
    try:
        yield
    except PyMongoError as error:
        raise _ours(error, _place(client)) from None


def _place(client: Any) -> str:
    """The setting, and the servers that it leads to, as far as is known."""
    servers = client.topology_description.server_descriptions() if client is not None else ()
    names = ", ".join(sorted(f"{host}:{port}" if port else host for host, port in servers))
    return f"CCB_MONGO_URI: {names}" if names else "CCB_MONGO_URI"


_LOGIN = 18
_FORBIDDEN = 13
_ATLAS = 8000
"""Atlas' own, for what its proxy refuses: a login, and an action as well."""


def _ours(error: PyMongoError, place: str) -> CcbError:
    if isinstance(error, BulkWriteError):  # its text quotes documents
        return SourceError(
            "MongoDB: not every document was written: one of that _id is there already, or the user may not"
            " write"
        )
    if isinstance(error, OperationFailure):
        return _of_server(error)
    if isinstance(error, MongoConfigurationError):
        return of_configuration(error)
    if isinstance(error, (AutoReconnect, ConnectionFailure)):
        text = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return SourceError(
                "MongoDB: the server's certificate is not signed by a CA of tlsCAFile, or is another host's"
                f" ({place})"
            )
        if "SSL handshake failed" in text:  # a broken network does that as well
            return SourceError(
                f"MongoDB: the TLS handshake broke off; does the server speak TLS? ({place})",
                transient=True,
            )
        return SourceError(f"{unreachable('MongoDB', text)} ({place})", transient=True)
    return SourceError(
        f"MongoDB: the read failed ({type(error).__name__}): the log of the server may say more"
    )


def of_configuration(error: Exception) -> CcbError:
    """A wrong setting; but PyMongo says so too where DNS can't tell the servers of ``mongodb+srv``."""
    cause = error.__cause__
    if isinstance(cause, OSError) or type(cause).__module__ in ("dns.resolver", "dns.exception"):
        return SourceError(
            "MongoDB can't be reached: its name can't be resolved, or has no SRV record (CCB_MONGO_URI)",
            transient=True,
        )
    if isinstance(error, (InvalidURI, ValueError)):
        return ConfigurationError("CCB_MONGO_URI is not a MongoDB connection string")
    return ConfigurationError("CCB_MONGO_URI: host, option or TLS setting is wrong")


def _of_server(error: OperationFailure) -> SourceError:
    if refusal := _refusal(error):
        return SourceError(f"MongoDB: {refusal}")
    transient = is_transient(error)
    advice = "the same command reads again" if transient else "the log of the server says more"
    advice = _ADVICE.get(error.code or 0, advice)
    return SourceError(
        f"MongoDB: the server ended the read ({_code_name(error)}{error.code}): {advice}",
        transient=transient,
    )


def is_refused(error: OperationFailure) -> bool:
    """Whether the server lets this user not in, or not read."""
    return bool(_refusal(error))


def _refusal(error: OperationFailure) -> str:
    login = "user or password is wrong (CCB_MONGO_URI)"
    right = "the user may not read the collection (role `read`)"
    if error.code == _ATLAS:
        said = str((error.details or {}).get("errmsg", ""))
        if "bad auth" in said:
            return login
        return right if "not allowed" in said else f"{login}, or {right}"
    return {_LOGIN: login, _FORBIDDEN: right}.get(error.code or 0, "")


def is_transient(error: OperationFailure) -> bool:
    """Whether a new read may well not meet it."""
    labelled = any(error.has_error_label(label) for label in _PASSING_LABELS)
    return isinstance(error, CursorNotFound) or labelled or error.code in _TRANSIENT


def _code_name(error: OperationFailure) -> str:
    """The server's word for the code: ``CursorNotFound, ``. A name, never a message: that may quote data."""
    name = str((error.details or {}).get("codeName", ""))
    return f"{name}, " if name.isalnum() and name.isascii() else ""


_PASSING_LABELS = ("RetryableError", "TransientTransactionError", "SystemOverloadedError")

_MEMORY = "it needs more memory than the server gives a query: is there an index on updatedAt?"
_ADVICE = {
    50: "it took longer than the server allows: raise defaultMaxTimeMS",
    146: _MEMORY,
    292: _MEMORY,
    175: "an index or the collection was dropped or renamed meanwhile; the same command reads again",
    365: "the server is short of cache; the same command reads again",
    11601: "an administrator ended it; the same command reads again",
    16500: "too many requests at once (the limit of Cosmos DB); the same command reads again",
}

# By the server's own table of codes (error_codes.yml): what it calls retriable, interrupted, a snapshot or a
# cursor that is no more, a node whose view of the shards is too old, overload; and a lock. Not what a new
# read meets again, such as a limit of time or memory.
_TRANSIENT = frozenset([
    6, 7, 24, 43, 46, 63, 89, 91, 112, 133, 134, 136, 143, 145, 150, 175, 189, 199, 202, 203, 211, 216, 234,
    237, 239, 246, 249, 250, 262, 272, 279, 314, 317, 343, 355, 365, 384, 402, 407, 433, 442, 449, 450,
    9001, 10058, 10107, 11600, 11601, 11602, 13388, 13435, 13436, 16500,
])  # fmt: skip
