"""The one sentence on top: whether all is well, what is wrong, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from ccb_luigi.errors import CircuitBroken, command_for
from ccb_luigi.load.status import SWEEP, Sweep
from ccb_luigi.report.facts import Facts
from ccb_luigi.report.words import say


class Severity(StrEnum):
    """How bad it is."""

    GOOD = "good"
    ATTENTION = "attention"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Point:
    """A sentence (a key of ``words`` and its values), and the command that helps.

    ``mend_first``: it helps once the reason of tonight's failure is mended.
    """

    level: Severity
    key: str
    values: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    mend_first: bool = False

    def said(self, language: str) -> str:
        """The sentence."""
        return say(language, self.key, **self.values)


def judge(facts: Facts) -> list[Point]:
    """What the facts come to, the worst first: that is the headline, and there is always one.

    The last ``nightly_days`` dates must be complete, and so must any date that was begun. An older date
    without a trace may have had no documents (``run --full`` leaves such dates out): that it was never run
    is said, as less than a failure.
    """
    if facts.started is None:
        return [Point(Severity.BAD, "empty", command="ccb-luigi run --full")]
    points = [*_of_recount(facts), *_of_dates(facts)]
    swept = next((failure for failure in facts.failures if failure.step == SWEEP), None)
    if swept and swept.exit_code == CircuitBroken.exit_code:
        points.append(Point(Severity.BAD, "sweep_waits"))
    elif swept:
        points.append(Point(Severity.BAD, "sweep", command="ccb-luigi sweep", mend_first=True))
    elif facts.sweep and not facts.sweep.ok:  # the last one, by day or in another night
        points.append(_of_sweep(facts.sweep))
    points.sort(key=lambda point: point.level is not Severity.BAD)
    if facts.open_rejections:
        key = "also_rejected"
        values: dict[str, Any] = {"n": len(facts.open_rejections)}
        if not points and (proof := facts.proofs.get(facts.day)):
            key = "rejected"
            values |= {"day": facts.day, "read": proof.lidos}
            values |= {"there": proof.in_tables, "bad": proof.quarentena}
        points.append(Point(Severity.ATTENTION, key, values, "ccb-luigi quarantine list"))
    return points or [_good(facts)]


def _of_sweep(sweep: Sweep) -> Point:
    """Its reason is a code, which each language words."""
    ended = {"moment": sweep.terminada_em}
    if sweep.motivo == "disjuntor":
        return Point(Severity.BAD, "sweep_waits")
    if sweep.motivo == "em_aberto":
        return Point(Severity.BAD, "sweep_open", ended | {"n": sweep.em_aberto}, "ccb-luigi sweep")
    if sweep.motivo == "muitos_sumidos":
        values = ended | {"n": sweep.sumidos, "all": sweep.contratos_destino}
        return Point(Severity.BAD, "sweep_vanished", values, "ccb-luigi sweep")
    key = (
        sweep.motivo
        if sweep.motivo in ("origem_vazia", "leitura_incompleta", "origem_ilegivel")
        else "falhou"
    )
    return Point(Severity.BAD, f"sweep_{key}", ended, "ccb-luigi sweep")


def _of_dates(facts: Facts) -> list[Point]:
    found, begun = facts.states, {day.day for day in facts.days if day.rows}
    points = []
    for key, level, command in (
        ("differs", Severity.BAD, "ccb-luigi rerun --date {first}"),
        ("early", Severity.BAD, "ccb-luigi nightly"),
        ("breaker", Severity.BAD, "ccb-luigi quarantine list --date {first}"),
        ("missing", Severity.BAD, ""),
        ("gap", Severity.ATTENTION, ""),
    ):
        days = [day for day, state in found.items() if state == key]
        if days:
            helps = command.format(first=days[0]) if command else command_for("run", days)
            failed = key == "missing" and any(failure.day in days for failure in facts.failures)
            if key == "missing" and begun.issuperset(days):
                key = "partly"
            points.append(Point(level, key, {"n": len(days), "dates": days}, helps, failed))
    return points


def _of_recount(facts: Facts) -> list[Point]:
    """Rows that are no longer there, also of dates that are older than the page."""
    if facts.recount is None or not facts.recount.lost:
        return []
    found = facts.recount
    names = ", ".join(name for name, number in found.rows.items() if number)
    values = {"n": len(found.days), "dates": found.days, "rows": sum(found.rows.values()), "tables": names}
    return [Point(Severity.BAD, "lost", values, found.command)]


def _good(facts: Facts) -> Point:
    since = max(facts.started or facts.day, facts.day - timedelta(days=len(facts.days) - 1))
    return Point(Severity.GOOD, "good", {"day": facts.day, "n": (facts.day - since).days + 1})
