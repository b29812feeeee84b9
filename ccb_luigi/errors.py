"""Every failure that a user can meet: one base class, an exit status each, one line of text each.

The texts name the place (partition, ``_id``, field, table, column) and what to do, never a value:
they end in logs, in Luigi's visualizer and in mails.
"""

import re
import traceback


class CcbError(Exception):
    """Base of all errors of this project; ``exit_code`` is the status the command line ends with."""

    exit_code = 1
    transient = False
    """Whether the same call may succeed a moment later."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class PartitionFailed(CcbError):
    """A partition did not complete, for a reason that none of the classes below names."""

    exit_code = 10


class NotOver(CcbError):
    """A date that has not ended was asked for: it can't be marked yet (contract §3.1)."""

    exit_code = 2


class CircuitBroken(CcbError):
    """More documents of a partition were rejected than the set share (contract §3.9)."""

    exit_code = 11


class NotReconciled(CcbError):
    """The counts or sums of a partition differ between source and target (contract §3.10)."""

    exit_code = 12


class NotCovered(CcbError):
    """A date was loaded without a marker: the dump doesn't say that it holds all of it (contract §3.1)."""

    exit_code = 24


class SourceError(CcbError):
    """MongoDB (or the dump) can't be reached or read."""

    exit_code = 13


class TargetError(CcbError):
    """PostgreSQL can't be reached, or refused a statement."""

    exit_code = 14


class ConfigurationError(CcbError):
    """A setting is missing or makes no sense."""

    exit_code = 15


class Busy(CcbError):
    """Another run holds the lock that this one needs, and kept it longer than we wait."""

    exit_code = 16


class SchemaOutdated(CcbError):
    """The database's schema is not the one that this version of the code was written for."""

    exit_code = 17


class StagingIncomplete(CcbError):
    """Staging holds fewer (or more) rows than the extraction's marker says."""

    exit_code = 18


class SweepRefused(CcbError):
    """A sweep would have to believe that contracts are gone which may well be there; it marks none."""

    exit_code = 19

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotProven(CcbError):
    """A verification found rows that aren't what the documents say."""

    exit_code = 20


class NotTold(CcbError):
    """An alert could not be delivered on every way that is set."""

    exit_code = 22


class PreflightFailed(CcbError):
    """Something was found that would fail the night."""

    exit_code = 25


_WHY_NOT = (
    ("no space left on device", "the server's disk is full"),
    ("connection refused", "nothing listens at its address (connection refused)"),
    ("timed out|timeout expired", "no answer in time"),
    ("no route to host|network is unreachable", "no way leads to its address"),
    (
        "name or service not known|temporary failure in name resolution|no address associated"
        "|nodename nor servname|nome ou serviço desconhecido|falha temporária na resolução",
        "its name can't be resolved",
    ),
    (
        r"ProtocolError\(|response to SSL negotiation|(expected|waiting for) authentication request",
        "something else answers at its address",
    ),
    ("no such file or directory", "there is no such socket"),
    ("SSL SYSCALL error", "it broke off in the TLS handshake"),
    ("starting up|shutting down|in recovery|not accepting|not yet accepting", "it is starting, or stopping"),
)


def unreachable(who: str, said: str) -> str:
    """That a server can't be reached, and why, as far as the driver's words tell: they aren't repeated."""
    why = next((words for pattern, words in _WHY_NOT if re.search(pattern, said, re.IGNORECASE)), "")
    return f"{who} can't be reached: {why}" if why else f"{who} can't be reached, or the connection broke"


def words_of(error: Exception) -> str:
    """One line without data: ours as it is; of any other its kind and its place, since its text may quote."""
    if isinstance(error, CcbError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} in {place.name}, line {place.lineno}"


MEANINGS = {
    1: "something unexpected",
    2: "the command line is wrong, or names a date that is not over",
    10: "a date failed",
    11: "too many documents were rejected (circuit breaker)",
    12: "source and target differ",
    13: "MongoDB can't be reached or read",
    14: "PostgreSQL can't be reached, or refused a statement",
    15: "a setting is missing or wrong",
    16: "another run holds a lock",
    17: "the tables are missing or of another version",
    18: "staging does not hold what the extraction wrote",
    19: "a sweep refused: too much would count as gone",
    20: "rows are not what the documents say",
    21: "the deadline passed before the night's work was done",
    22: "an alert could not be delivered",
    23: "it is done, but its output could not be written",
    24: "a dump does not reach the end of a date: it was loaded without a marker",
    25: "preflight found what would fail the night",
    129: "its terminal is gone (SIGHUP)",
    130: "interrupted",
    143: "ended by SIGTERM",
}
"""What each exit status says, in a few words; the README's table tells what to do."""
