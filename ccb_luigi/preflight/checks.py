"""The table of checks, and how they are asked: one after another, each with a time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ccb_luigi.errors import CcbError
from ccb_luigi.preflight import addresses, host, source, target, target_settings
from ccb_luigi.preflight.lines import Level, Line, grey
from ccb_luigi.settings import Settings

SECONDS = 25.0
"""Of a check. A black hole costs twice ten of them, and only once: what else it would be asked isn't."""


@dataclass(frozen=True, slots=True)
class Check:
    """``needs``: the check without whose green or yellow this one can't be asked."""

    name: str
    ask: Callable[[Settings], Line]
    needs: str = ""


MONGODB, POSTGRESQL, REVISION = "MongoDB", "PostgreSQL", "tables"

CHECKS = (
    Check("Python", host.python),
    Check(MONGODB, source.answers),
    Check("MongoDB version", source.version, MONGODB),
    Check("MongoDB encryption", source.encryption, MONGODB),
    Check("MongoDB rights", source.rights, MONGODB),
    Check("MongoDB database", source.address, MONGODB),
    Check("MongoDB collection", source.collection, MONGODB),
    Check("MongoDB index", source.index, MONGODB),
    Check("MongoDB clock", source.clock, MONGODB),
    Check(POSTGRESQL, target.answers),
    Check("PostgreSQL version", target.version, POSTGRESQL),
    Check("PostgreSQL encoding", target.encoding, POSTGRESQL),
    Check("PostgreSQL encryption", target.encryption, POSTGRESQL),
    Check("PostgreSQL pooler", target.pooler, POSTGRESQL),
    Check("PostgreSQL primary", target.writable, POSTGRESQL),
    Check("PostgreSQL session", target_settings.session, POSTGRESQL),
    Check("PostgreSQL durability", target_settings.durability, POSTGRESQL),
    Check("PostgreSQL log", target_settings.log, POSTGRESQL),
    Check("PostgreSQL clock", target.clock, POSTGRESQL),
    Check("PostgreSQL password", target.password, POSTGRESQL),
    Check("PostgreSQL connections", target.connections, POSTGRESQL),
    Check("PostgreSQL disk", target.room, POSTGRESQL),
    Check("publications", target.publications, POSTGRESQL),
    Check(REVISION, target.revision, POSTGRESQL),
    Check("role", target.rights, REVISION),
    Check("row-level security", target.row_security, REVISION),
    Check("views and codes", target.texts, REVISION),
    Check("forget key", target.forget_key, REVISION),
    Check("dates", target.dates, REVISION),
    Check("luigid", addresses.scheduler),
    Check("mail", addresses.mail),
    Check("webhook", addresses.webhook),
    Check("Pushgateway", addresses.pushgateway),
    Check("Dask", addresses.dask),
    Check("morning page", lambda s: host.directory(s.report_dir, "CCB_REPORT_DIR", "the morning page")),
    Check("metrics", lambda s: host.directory(s.metrics_dir, "CCB_METRICS_DIR", "the metrics")),
)


def run(settings: Settings, begun: Callable[[str], None] = lambda _: None) -> Iterator[tuple[Check, Line]]:
    """Asks them all; ``begun`` is told which is next."""
    impatient = replace(
        settings, retry_seconds=0.0, impatient=False, pool_size=max(settings.pool_size, len(CHECKS))
    )
    found: dict[str, Line] = {}
    for check in CHECKS:
        begun(check.name)
        before = found.get(check.needs)
        if before and before.level in (Level.RED, Level.GREY):
            line = Line(Level.GREY, f"not known: needs {check.needs}", needs=check.needs)
        elif settings.source and check.needs == MONGODB:
            line = grey("a dump is read")
        else:
            line = _in_time(check, impatient)
        found[check.name] = line
        yield check, line


def _in_time(check: Check, settings: Settings) -> Line:
    """In a thread that nobody waits for longer: a driver may wait for ever."""
    answer: list[Line] = []

    def ask() -> None:
        try:
            answer.append(check.ask(settings))
        except CcbError as error:
            answer.append(grey(str(error)))
        except Exception as error:  # noqa: BLE001 - its text may quote an address
            answer.append(grey(f"unexpected {type(error).__name__}"))

    thread = threading.Thread(target=ask, name=check.name, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return answer[0] if answer else grey(f"no answer within {SECONDS:g} s")
