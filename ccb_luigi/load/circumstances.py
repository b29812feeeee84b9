"""What makes doubtful whatever a run says: a clock that is wrong, dates that were cut by another zone,
documents whose time nobody can read.

A date is over when this host's clock says so. The host's is held against both servers' at the beginning of a
night: minutes off are told, a day off is refused, since then the night would look at other dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, text

from ccb_luigi import settings as settings_module
from ccb_luigi.errors import CcbError, NotOver
from ccb_luigi.load import markers
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source

ZONE = "fuso"
"""In an extraction's marker: by whose midnights its date was cut."""

TOLD, REFUSED = timedelta(minutes=1), timedelta(days=1)
"""From where on another clock's difference to this host's is told, and refused."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A sentence for people, in both languages."""

    pt: str
    en: str

    def said(self, language: str) -> str:
        """The sentence."""
        return self.pt if language == "pt" else self.en


def off(theirs: datetime, began: datetime, ended: datetime) -> timedelta:
    """How far a clock is ahead of this host's (negative: behind) that was read between two of its moments."""
    if theirs > ended:
        return theirs - ended
    return min(theirs - began, timedelta())


def spelled(span: timedelta, days: str = "days") -> str:
    """Minutes, hours or days of a difference, without its sign."""
    span = abs(span)
    minutes = int(span.total_seconds() // 60)
    if span < timedelta(hours=2):
        return f"{minutes} min"
    return f"{minutes // 60} h" if span < timedelta(days=2) else f"{span.days} {days}"


def of_tables(connection: Connection, settings: Settings, until: date) -> list[Doubt]:
    """What PostgreSQL's clock, the markers of the last dates up to ``until`` and the quarantine tell."""
    return [
        *_of_clock("PostgreSQL", _of_postgres(connection)),
        *_of_zones(connection, settings, until),
        *_of_timeless(connection),
    ]


def of_night(connection: Connection, settings: Settings, until: date) -> list[Doubt]:
    """The same with MongoDB's clock; to be called before a night chooses its dates, by this host's clock.

    Raises:
        NotOver: it is a day or more apart from one of the servers'.
    """
    clocks = {"PostgreSQL": _of_postgres(connection), "MongoDB": _of_mongodb(settings)}
    far = {name: apart for name, apart in clocks.items() if apart and abs(apart) >= REFUSED}
    wrong = [f"{name}'s is {_direction(apart)} it" for name, apart in far.items()]
    if wrong:
        raise NotOver(
            "this host's clock says which dates are over, and can't be right beside the servers':"
            f" {', '.join(wrong)}; set the wrong one (NTP), then start the night again"
        )
    found = [doubt for name, apart in clocks.items() for doubt in _of_clock(name, apart)]
    return [*found, *_of_zones(connection, settings, until), *_of_timeless(connection)]


def _direction(apart: timedelta) -> str:
    return f"{spelled(apart)} {'ahead of' if apart > timedelta() else 'behind'}"


def _of_postgres(connection: Connection) -> timedelta:
    began = settings_module.now()
    theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return off(theirs, began, settings_module.now())


def _of_mongodb(settings: Settings) -> timedelta | None:
    """``None``: a dump has none, or nobody tells. That MongoDB can't be reached, the night itself says."""
    if settings.source:
        return None
    try:
        with source.live(settings) as server:
            server.command({"ping": 1}, "admin")  # connects: the answer alone is to take time
            began = settings_module.now()
            told = server.command({"hello": 1}, "admin").get("localTime")
            ended = settings_module.now()
    except CcbError:
        return None
    return off(told.replace(tzinfo=told.tzinfo or UTC), began, ended) if isinstance(told, datetime) else None


def _of_clock(name: str, apart: timedelta | None) -> list[Doubt]:
    if apart is None or abs(apart) < TOLD:
        return []
    ahead = apart > timedelta()
    return [
        Doubt(
            f"O relógio do {name} está {spelled(apart, 'dias')} {'adiantado' if ahead else 'atrasado'} em"
            " relação ao desta máquina: qual dos dois está errado? (NTP)",
            f"{name}'s clock is {_direction(apart)} this host's: which of the two is wrong? (NTP)",
        )
    ]


def _of_zones(connection: Connection, settings: Settings, until: date) -> list[Doubt]:
    """Dates among the last ones that were cut by another zone than this run's."""
    query = text("""
        SELECT contagens->>:key AS fuso, min(particao), max(particao) FROM table_updates
        WHERE target_table = :step AND particao BETWEEN :first AND :until AND contagens->>:key <> :zone
        GROUP BY 1 ORDER BY 2
    """)
    first = until - timedelta(days=settings.nightly_days - 1)
    values = {"key": ZONE, "step": markers.EXTRACTION, "zone": settings.timezone}
    now = settings.timezone
    return [
        Doubt(
            f"Datas entre {begin} e {end} foram cortadas pelo fuso {zone}, e não por {now}: o que caiu"
            " entre um corte e outro, a varredura carrega; `ccb-luigi rerun` refaz uma data pelo de agora.",
            f"Dates between {begin} and {end} were cut by the zone {zone}, not by {now}: what lies between"
            " the cuts, the sweep loads; `ccb-luigi rerun` does a date again by today's.",
        )
        for zone, begin, end in connection.execute(query, values | {"first": first, "until": until})
    ]


def _of_timeless(connection: Connection) -> list[Doubt]:
    """Documents that no date brings: each counts once, with the date that met it first."""
    number = connection.execute(
        text("""
            SELECT count(*) FROM controle.quarentena
            WHERE resolvido_em IS NULL AND jsonb_exists(erros, 'updatedAt')
        """)
    ).scalar_one()
    if not number:
        return []
    if number == 1:
        return [
            Doubt(
                "De um documento rejeitado o updatedAt não pode ser lido: não se sabe a que data pertence, e"
                " ele conta uma só vez, com a primeira data que o encontrou.",
                "The updatedAt of one rejected document can't be read: nobody can say which date it belongs"
                " to, and it counts once, with the first date that met it.",
            )
        ]
    return [
        Doubt(
            f"De {number} documentos rejeitados o updatedAt não pode ser lido: não se sabe a que data"
            " pertencem, e cada um conta uma só vez, com a primeira data que o encontrou.",
            f"The updatedAt of {number:,} rejected documents can't be read: nobody can say which date they"
            " belong to, and each counts once, with the first date that met it.",
        )
    ]
