"""Settings: ``luigi.cfg``, section ``[ccb]``; the environment (``CCB_<NAME>``) stands above it, empty or not.

A secret may also stand in a file of its own (``CCB_<NAME>_FILE``, or a credential of systemd).

Read when asked for, never at import. Nothing here ever becomes a Luigi parameter: those are shown in
the visualizer and in logs.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from ccb_luigi.codes import FINDINGS, USUAL, Strictness
from ccb_luigi.errors import STATUSES, ConfigurationError

LONGEST_OVERLAP = 168
"""Hours. What is committed a week late is the sweep's."""

LOCAL = "local"
"""The executor that is processes of this machine."""

LANGUAGES = ("pt", "en")
"""Of what people are told: the morning page holds both, an alert is in one."""

_CHOICES = {
    "log_format": ("auto", "text", "json"),
    "language": LANGUAGES,
    # ``{"text": ...}``, a message with an adaptive card, the card alone; or what the address wants.
    "alert_webhook_format": ("auto", "text", "teams", "card"),
}
_MOST = {
    "max_rejected_share": 1,
    "overlap_hours": LONGEST_OVERLAP,
    "emission_days": 36_500,  # a century is as good as never
}

IMPATIENCE = 5.0
"""Seconds that a person waits for a server that is away, unless told otherwise: a person isn't a night."""

SHORTEST_FORGET_KEY = 16
"""Characters."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked. Addresses hold passwords: like the key, they stay out of ``repr``."""

    mongo_uri: str = field(default="mongodb://127.0.0.1:27017", repr=False)
    mongo_database: str = "ccb"
    mongo_collection: str = "contratos"
    source: str = ""
    source_covers_until: str = ""
    postgres_url: str = field(default="", repr=False)
    timezone: str = "America/Sao_Paulo"
    max_rejected_share: float = 0.05
    reject_findings: str = ""
    emission_days: int = USUAL.emission_days
    nightly_days: int = 7
    report_dir: str = ""
    metrics_dir: str = ""
    pushgateway_url: str = field(default="", repr=False)
    language: str = "pt"
    log_format: str = "auto"
    nightly_sweep: bool = True
    deadline: str = ""
    overlap_hours: float = 1.0
    shard_documents: int = 20_000
    workers: int = 2
    scheduler_url: str = field(default="", repr=False)
    pool_size: int = 2
    retry_seconds: float = 60.0
    lock_seconds: float = 600.0
    forget_key: str = field(default="", repr=False)
    alert_mail_to: str = ""
    alert_mail_from: str = ""
    alert_smtp: str = field(default="smtp://localhost", repr=False)
    alert_webhook: str = field(default="", repr=False)
    alert_webhook_format: str = "auto"
    runbook_url: str = "docs/runbook.md"
    # More transforming processes than four would wait for one COPY.
    processes: int = field(default_factory=lambda: min(os.cpu_count() or 1, 4))
    executor: str = LOCAL
    impatient: bool = field(default=False, metadata={"setting": False})
    """Whether somebody waits for an answer, and nobody said how long a server may be away."""

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (KeyError, OSError, ValueError):
            raise ConfigurationError("CCB_TIMEZONE is not the name of a time zone") from None
        for name, most in _MOST.items():
            if not 0 <= getattr(self, name) <= most:
                raise ConfigurationError(f"CCB_{name.upper()} must lie between 0 and {most}")
        counts = (self.workers, self.pool_size, self.processes, self.nightly_days, self.shard_documents)
        if min(counts) < 1:
            raise ConfigurationError(
                "workers, pool_size, processes, nightly_days and shard_documents must be at least 1"
            )
        if 0 < len(self.forget_key) < SHORTEST_FORGET_KEY:
            raise ConfigurationError(f"CCB_FORGET_KEY needs at least {SHORTEST_FORGET_KEY} characters")
        if self.deadline and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", self.deadline):
            raise ConfigurationError("CCB_DEADLINE is not a time of day such as 06:00")
        if self.pushgateway_url and not self.pushgateway_url.startswith(("http://", "https://")):
            raise ConfigurationError("CCB_PUSHGATEWAY_URL must begin with http:// or https://")
        if self.executor != LOCAL and not re.fullmatch(r"(tcp|tls)://[^\s/@]+:\d+", self.executor):
            raise ConfigurationError(
                "CCB_EXECUTOR must be local, or the address of a Dask scheduler: tcp://HOST:PORT or tls://HOST:PORT"
            )
        if self.source_covers_until:
            if not self.source:
                raise ConfigurationError("CCB_SOURCE_COVERS_UNTIL is about a dump, and CCB_SOURCE names none")
            _ = self.covers_until
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigurationError(f"CCB_{name.upper()} must be one of {', '.join(choices)}")
        if unknown := self.strictness.promoted - FINDINGS.keys():
            raise ConfigurationError(f"CCB_REJECT_FINDINGS: unknown code {sorted(unknown)[0]}")

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose midnights part the partitions."""
        return ZoneInfo(self.timezone)

    @property
    def strictness(self) -> Strictness:
        """What the rules of findings take from the settings."""
        promoted = frozenset(self.reject_findings.replace(",", " ").split())
        return Strictness(promoted, self.emission_days)

    @property
    def covers_until(self) -> datetime | None:
        """Until when the dump holds all that there is, if anybody says so; local without an offset."""
        if not self.source_covers_until:
            return None
        try:
            moment = datetime.fromisoformat(self.source_covers_until)
        except ValueError:
            moment = None
        if moment is None or len(self.source_covers_until) <= len("2026-11-20"):
            raise ConfigurationError(
                "CCB_SOURCE_COVERS_UNTIL (--covers-until) is not a moment such as 2026-11-20T00:00"
            )
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    @property
    def first_seconds(self) -> float:
        """For how long a server is tried that has not answered yet; one that has may come back later."""
        return min(self.retry_seconds, IMPATIENCE) if self.impatient else self.retry_seconds

    @property
    def night_end(self) -> time | None:
        """The time of day at which ``nightly`` has to be over; ``None``: it takes as long as it takes."""
        return time.fromisoformat(self.deadline) if self.deadline else None

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """[start, end) of the partition ``day`` as local midnights (23 or 25 hours on some days)."""
        start = datetime.combine(day, time(), self.zone)
        if day == date.max:
            return start, datetime.max.replace(tzinfo=UTC)
        return start, datetime.combine(day + timedelta(days=1), time(), self.zone)

    def runbook(self, code: int | None) -> str:
        """Where the runbook says what to do about an exit status: an address, or a file as a whole path."""
        page = Path(self.runbook_url)
        where = str(page.resolve()) if page.is_file() else self.runbook_url
        return f"{where}#exit-code-{code}" if code in STATUSES else where

    def yesterday(self) -> date:
        """The last day that is over in the zone of the partitions."""
        return now().astimezone(self.zone).date() - timedelta(days=1)


@cache
def somebody_waits() -> bool:
    """Whether a person is at the other end: reads what is said as it is said, and can type.

    Asked once, for processes that are forked too: those of Luigi have another stdin.
    """
    return os.isatty(0) and os.isatty(2)


def now() -> datetime:
    """What this host's clock says: wherever it decides which dates are over."""
    return datetime.now(UTC)


def load(
    environ: Mapping[str, str] | None = None, only: Collection[str] | None = None, *, files: bool = True
) -> Settings:
    """The settings of this process.

    ``only`` these of them, and without ``files`` from the environment alone: for who has to work also where
    the others are wrong.

    Raises:
        ConfigurationError: a value can't be read, or a file isn't one.
    """
    environ = os.environ if environ is None else environ
    section = _section(environ) if files else {}
    found: dict[str, Any] = {}
    for item in fields(Settings):
        if not item.metadata.get("setting", True) or (only is not None and item.name not in only):
            continue
        name = f"CCB_{item.name.upper()}"
        text = environ.get(name) or ("" if item.repr else _secret(name, environ))
        if name not in environ:
            text = text or section.get(item.name, "")
        if not text:  # as a variable: what a file below says counts no more, and the default does
            continue
        try:
            found[item.name] = _READERS[str(item.type)](text)
        except ValueError:
            kind = "neither true nor false" if item.type == "bool" else "not a number"
            raise ConfigurationError(f"{name} is {kind}") from None
    named = _database_of(found.get("mongo_uri", ""))
    if named and found.setdefault("mongo_database", named) != named:
        raise ConfigurationError(  # without the name: it may be a part of a password
            "CCB_MONGO_URI names another database than CCB_MONGO_DATABASE: leave one of them out (the one to"
            " authenticate against is `?authSource=`)"
        )
    return Settings(**found, impatient="retry_seconds" not in found and somebody_waits())


def _database_of(uri: str) -> str:
    """The database in the path of MongoDB's address. ``admin`` is where users are, and no contracts."""
    path = re.match(r"mongodb(?:\+srv)?://[^/]*/([^/?@]*)(?:\?|$)", uri)
    named = unquote(path[1]) if path else ""
    return "" if named == "admin" else named


def _secret(name: str, environ: Mapping[str, str]) -> str:
    """What stands in the file that ``<NAME>_FILE`` names, else in systemd's credential ``<name>``.

    Raises:
        ConfigurationError: the file can't be read. (A credential that isn't there was not given.)
    """
    named, given = environ.get(f"{name}_FILE"), environ.get("CREDENTIALS_DIRECTORY")
    if not named and not given:
        return ""
    path = Path(named) if named else Path(given or "", name.lower())
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError) and not named:
            return ""
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        source = f"{name}_FILE names a file that" if named else f"the credential {name.lower()}"
        raise ConfigurationError(f"{source} can't be read: {reason}") from None


def _switch(text: str) -> bool:
    """``true``, ``yes``, ``on``, ``1`` or their opposites, as in any file of this kind."""
    found = ConfigParser.BOOLEAN_STATES.get(text.strip().lower())
    if found is None:
        raise ValueError
    return found


_READERS: dict[str, Callable[[str], str | int | float | bool]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": _switch,
}


_Files = tuple[tuple[str, tuple[int, ...]], ...]
_parsed: dict[_Files, Mapping[str, str]] = {}
"""The last files that could all be read: a run asks dozens of times, while one process waits for another."""


def _section(environ: Mapping[str, str]) -> Mapping[str, str]:
    """``[ccb]`` of the files that Luigi itself reads, the last one winning."""
    paths = ("/etc/luigi/luigi.cfg", "luigi.cfg", environ.get("LUIGI_CONFIG_PATH", ""))
    files = tuple((path, state) for path in paths if path and (state := _state(path)))
    if (known := _parsed.get(files)) is not None:
        return known
    section, whole = _parse([path for path, _ in files])
    if whole:
        _parsed.clear()
        _parsed[files] = section
    return section


def _state(path: str) -> tuple[int, ...] | None:
    """What differs when a file has been changed; ``None``: there is no such file."""
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _parse(paths: list[str]) -> tuple[Mapping[str, str], bool]:
    """``[ccb]`` of the files, and whether all could be opened: as Luigi does, others are passed over.

    Without interpolation: a password may hold ``%`` and ``$``.
    """
    parser = ConfigParser(interpolation=None)
    try:
        opened = parser.read(paths, encoding="utf-8")
    except (Error, UnicodeDecodeError) as error:
        place = getattr(error, "source", None) or "luigi.cfg"
        raise ConfigurationError(f"{place} can't be read as a configuration file") from None
    section = dict(parser["ccb"]) if parser.has_section("ccb") else {}
    return MappingProxyType(section), len(opened) == len(paths)
