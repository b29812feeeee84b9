"""Facts and verdict as one self-contained page, in both languages at once.

Whatever comes from outside (ids above all) goes through the template's escaping, and an id's unprintable
characters are spelled out: a text that turns the direction of writing can't dress up as another one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from importlib.resources import files
from statistics import median
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from ccb_luigi import __version__, codes
from ccb_luigi.errors import STATUSES
from ccb_luigi.load import markers, quarantine, reconcile
from ccb_luigi.load.circumstances import Doubt
from ccb_luigi.load.reconcile import Reconciliation
from ccb_luigi.load.status import Day, nights_begin
from ccb_luigi.process.streams import printable
from ccb_luigi.report import charts, verdict, words
from ccb_luigi.report.facts import Facts, Failure
from ccb_luigi.report.verdict import Point, Severity
from ccb_luigi.settings import LANGUAGES
from ccb_luigi.tables import BY_NAME

MOST_DOCUMENTS = 20
"""So many rejected documents are listed one by one."""

MOST_PLACES = 3
"""So many fields are told for each code."""


def render(facts: Facts, *, language: str = "pt", now: datetime | None = None) -> str:
    """The whole page. ``language`` is the one that shows first; both are in it."""
    lines = _matrix(facts)
    return _template().render(
        **_frame(language, verdict.judge(facts), facts.day, now or facts.read_at),
        facts=facts,
        failures=facts.failures,
        matrix=[line for line in lines if line.recent or line.state not in ("", "gap")],
        earlier=[line for line in lines if not line.recent and line.state in ("", "gap")],
        trends=_trends(facts),
        proofs=_proofs(facts),
        durations=_durations(facts),
        documents=facts.open_rejections[:MOST_DOCUMENTS],
        places=quarantine.places(facts.open_rejections),
    )


def render_without_facts(
    key: str, day: date, now: datetime, *, failure: Failure | None = None, language: str = "pt"
) -> str:
    """A page that only says why there is nothing to see: a ``key`` of the words, and what failed."""
    points = [Point(Severity.ATTENTION if key == "running" else Severity.BAD, key)]
    failures = [failure] if failure else []
    return _template().render(**_frame(language, points, day, now), facts=None, failures=failures)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("ccb_luigi.report", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        t=both,
        in_both=in_both,
        short=partial(_each, words.short),
        tables=tuple(BY_NAME),
        meaning=_meaning,
        printable=printable,
        told=_told,
        said=_said,
        step=_step,
        command=command,
        most_places=MOST_PLACES,
    )
    return environment.get_template("page.html")


def _frame(language: str, points: list[Point], day: date, now: datetime | None) -> dict[str, Any]:
    style = files("ccb_luigi.report").joinpath("page.css").read_text(encoding="utf-8")
    return {
        "language": language,
        "style": Markup(style),  # noqa: S704  # our own file
        "points": points,
        "day": day,
        "now": now,
        "version": __version__,
    }


# --- words in both languages --------------------------------------------------------------------------


def both(key: str, **values: Any) -> Markup:
    """The words for ``key`` in both languages, of which the style sheet shows one."""
    return _each(words.say, key, **values)


def in_both(value: Any) -> Markup:
    """A date or number as both languages write it; once where they agree."""
    return _each(words.write, value)


def _each(say: Any, *args: Any, **values: Any) -> Markup:
    found = [_with_code(say(language, *args, **values)) for language in LANGUAGES]
    if found[0] == found[1]:
        return found[0]
    return Markup("").join(
        Markup('<span lang="{}">{}</span>').format("pt-BR" if language == "pt" else language, text)
        for language, text in zip(LANGUAGES, found, strict=True)
    )


def _with_code(text: str) -> Markup:
    parts = re.split("`([^`]*)`", text)
    return Markup("").join(command(part) if n % 2 else escape(part) for n, part in enumerate(parts))


def _told(failure: Failure) -> Markup:
    """What failed and what to do, in both languages; of a status without words, something unexpected."""
    return _each(STATUSES.get(failure.exit_code, STATUSES[1]).said)


def _said(doubt: Doubt) -> Markup:
    return _each(doubt.said)


def _step(step: str) -> Markup:
    """The step by its name in both languages, and by its table where it is one's."""
    key = f"step_{step}"
    name = both(key) if key in words.WORDS else escape(step)
    return name + Markup(" <code>{}</code>").format(step) if step in BY_NAME else name


def command(text: str) -> Markup:
    """A command that breaks between its words alone: not after a hyphen."""
    return Markup("<code>{}</code>").format(Markup(" <wbr>").join(text.split(" ")))


def _meaning(code: str) -> Markup:
    """What the code means and what to do about it, in both languages."""
    row = codes.told(code)
    return _each(row.said) if row else both("unknown_code")


# --- what the sections show ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A date of the matrix: rows, or the sign of what is wrong; ``rejected``: open rejections."""

    day: date
    state: str
    recent: bool
    proof: str
    read: int | str
    rejected: int
    cells: tuple[int | str, ...]


def _matrix(facts: Facts) -> list[Row]:
    """The dates, newest first; from where nothing was ever run, no more."""
    since, states = facts.started or facts.day, facts.states
    shown = [day for day in reversed(facts.days) if day.day >= since or day.rows]
    return [_row(day, states.get(day.day, ""), nights_begin(facts.day, facts.nightly_days)) for day in shown]


def _row(day: Day, state: str, nights_begin: date) -> Row:
    sign = "–" if state in ("gap", "") else "✕"
    proven = "✓" if markers.RECONCILIATION in day.rows else sign
    return Row(
        day=day.day,
        state=state,
        recent=day.day >= nights_begin,
        proof="≠" if state in ("differs", "lost") else proven,
        read=day.rows.get(markers.EXTRACTION, sign),
        rejected=day.quarantined,
        cells=tuple(day.rows.get(name, sign) for name in BY_NAME),
    )


@dataclass(frozen=True, slots=True)
class Trend:
    """A small chart, and its largest and newest value."""

    key: str
    chart: Markup
    most: float | int | None
    last: float | int | None


def _trends(facts: Facts) -> list[Trend]:
    open_now = {day.day: day.quarantined for day in facts.days if day.quarantined}
    took: dict[date, float] = {}
    for (day, _), each in facts.seconds.items():
        took[day] = took.get(day, 0.0) + each
    shown: dict[str, Mapping[date, float]] = {
        "read_per_day": {day: proof.lidos for day, proof in facts.proofs.items()},
        "rejected_per_day": open_now | {day: proof.quarentena for day, proof in facts.proofs.items()},
        "flagged_per_day": {day: facts.flagged.get(day, 0) for day in facts.proofs},
        "seconds_per_day": took,
    }
    return [_trend(facts, key, values) for key, values in shown.items()]


def _trend(facts: Facts, key: str, values: Mapping[date, float]) -> Trend:
    wrong = facts.states
    bars = []
    for each in facts.days:
        value = values.get(each.day)
        label = f"{each.day}: {'-' if value is None else format(value, '.6g')}"
        bars.append(charts.Bar(label, value, each.day in wrong))
    most = max((bar.value for bar in bars if bar.value is not None), default=None)
    return Trend(key, charts.bars(bars, key), most, bars[-1].value)


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a date's proof; ``day`` is ``None`` for all dates of the page together."""

    day: date | None
    dates: int
    rows: tuple[tuple[str, int | Decimal, int | Decimal], ...]
    ok: bool


def _proofs(facts: Facts) -> list[Sides]:
    """The page's date, each date that differs, and all together."""
    chosen = [
        day for day in sorted(facts.proofs, reverse=True) if day == facts.day or not facts.proofs[day].ok
    ]
    found = [_sides(day, [facts.proofs[day]]) for day in chosen]
    if len(facts.proofs) > 1:
        found.append(_sides(None, list(facts.proofs.values())))
    return found


def _sides(day: date | None, proofs: list[Reconciliation]) -> Sides:
    sides = reconcile.total(proofs).sides
    rows = tuple((f"row_{name}", source, target) for name, (source, target) in sides.items())
    return Sides(day, len(proofs), rows, all(each.ok for each in proofs))


@dataclass(frozen=True, slots=True)
class Duration:
    """A step of the page's date, in seconds."""

    step: str
    seconds: float
    chart: Markup


def _durations(facts: Facts) -> list[Duration]:
    by_step: defaultdict[str, list[float]] = defaultdict(list)
    for (_, step), seconds in facts.seconds.items():
        by_step[step].append(seconds)
    usual = {step: median(values) for step, values in by_step.items()}
    took = {step: facts.seconds.get((facts.day, step)) for step in markers.STEPS}
    most = max([*usual.values(), *(each for each in took.values() if each)], default=0.0)
    return [
        Duration(step, seconds, charts.span(seconds, usual.get(step), most))
        for step, seconds in took.items()
        if seconds is not None
    ]
