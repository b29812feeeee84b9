"""What PyMongo raises, in our words: without the address (it holds the password) and without data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    CursorNotFound,
    OperationFailure,
    PyMongoError,
)
from pymongo.errors import (
    ConfigurationError as MongoConfigurationError,
)

from ccb_luigi.errors import CcbError, ConfigurationError, SourceError, unreachable

SNAPSHOT_TOO_OLD = 239


@contextmanager
def translated() -> Iterator[None]:
    """PyMongo's errors as ours."""
    try:
        yield
    except PyMongoError as error:
        raise _ours(error) from None


_WRONG_LOGIN = (18, 8000)
_FORBIDDEN = 13


def _ours(error: PyMongoError) -> CcbError:
    if isinstance(error, OperationFailure):
        if error.code in _WRONG_LOGIN:
            return SourceError("MongoDB: user or password is wrong (CCB_MONGO_URI)")
        if error.code == _FORBIDDEN:
            return SourceError("MongoDB: the user may not read the collection (role `read`)")
        if error.code == _OUT_OF_TIME:
            return SourceError("MongoDB: the read took longer than the server allows: raise defaultMaxTimeMS")
        transient = isinstance(error, CursorNotFound) or error.has_error_label("RetryableError")
        transient = transient or error.code in _TRANSIENT
        advice = "the same command reads again" if transient else "the log of the server says more"
        return SourceError(
            f"MongoDB: the server ended the read ({_code_name(error)}{error.code}): {advice}",
            transient=transient,
        )
    if isinstance(error, MongoConfigurationError):
        return ConfigurationError("CCB_MONGO_URI: host, option or TLS setting is wrong")
    if isinstance(error, (AutoReconnect, ConnectionFailure)):
        text = str(error)
        if "Name or service not known" in text or "nodename nor servname" in text:
            return SourceError("MongoDB: host is unknown (CCB_MONGO_URI)")
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return SourceError(
                "MongoDB: the server's certificate is not signed by a CA of tlsCAFile, or is another host's"
                " (CCB_MONGO_URI)"
            )
        if "SSL handshake failed" in text:  # a broken network does that as well
            return SourceError(
                "MongoDB: the TLS handshake broke off; does the server speak TLS? (CCB_MONGO_URI)",
                transient=True,
            )
        return SourceError(f"{unreachable('MongoDB', text)} (CCB_MONGO_URI)", transient=True)
    return SourceError(
        f"MongoDB: the read failed ({type(error).__name__}): the log of the server may say more"
    )


def _code_name(error: OperationFailure) -> str:
    """The server's word for the code: ``CursorNotFound, ``. A name, never a message: that may quote data."""
    name = str((error.details or {}).get("codeName", ""))
    return f"{name}, " if name.isalnum() and name.isascii() else ""


_OUT_OF_TIME = 50

# The server's own list of retryable reads; and a cursor or plan that was killed, a node whose view of the
# shards or of the past is too old, a lock: what a new read doesn't meet again.
_TRANSIENT = frozenset(
    {6, 7, 24, 43, 63, 89, 91, 112, 133, 134, 150, 175, 189, 202, 234, 237, 239, 246, 262, 317, 384}
    | {9001, 10107, 11600, 11602, 13388, 13435, 13436}
)
