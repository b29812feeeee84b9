"""The morning page, of made-up facts: what it says, in which words, and that nothing breaks out of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from ccb_luigi import tables
from ccb_luigi.errors import STATUSES, TargetError
from ccb_luigi.load import markers, quarantine
from ccb_luigi.load.quarantine import Entry
from ccb_luigi.load.reconcile import Reconciliation
from ccb_luigi.load.recount import Lost, Recount
from ccb_luigi.load.status import Day, InTable, Proven, Sweep
from ccb_luigi.process.events import Event
from ccb_luigi.process.streams import printable
from ccb_luigi.report import charts, morning, page, verdict, words
from ccb_luigi.report.charts import Bar
from ccb_luigi.report.facts import CodeCount, Facts, Failure
from ccb_luigi.settings import LANGUAGES, Settings
from ccb_luigi.telemetry import display

D = date(2026, 11, 22)
NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
ALL = dict.fromkeys(markers.STEPS, 7)
PROOF = Reconciliation(7, 5, 1, 0, 1, *[Decimal("1234567.89")] * 2, *[Decimal("2345678.90")] * 2)


def ago(days: int) -> date:
    return D - timedelta(days=days)


def facts(
    *,
    started: int | None = 29,
    rejected: int = 0,
    absent: dict[int, set[str]] | None = None,
    differs: tuple[int, ...] = (),
    quarantined: dict[int, int] | None = None,
    **more: Any,
) -> Facts:
    """Thirty dates, complete but for what is said; days are counted back from ``D``."""
    days = []
    for back in reversed(range(30)):
        gone = (absent or {}).get(back, set())
        rows = {step: count for step, count in ALL.items() if step not in gone}
        if started is None or back > started:
            rows = {}
        proven = False if back in differs else True if "reconciliacoes" in rows else None
        days.append(Day(ago(back), rows, {}, proven, (quarantined or {}).get(back, 0)))
    return Facts(
        day=D,
        nightly_days=7,
        days=tuple(days),
        started=None if started is None else ago(started),
        proofs={day.day: PROOF for day in days if day.proven},
        open_rejections=tuple(entry(f"id{n}") for n in range(rejected)),
        read_at=NOW,
        **more,
    )


def entry(mongo_id: str, codes: tuple[str, ...] = ("ausente",)) -> Entry:
    return Entry(mongo_id, D, list(codes), {}, NOW, NOW, 2)


def swept(motivo: str | None = None, **counts: int) -> Sweep:
    found = dict.fromkeys(Sweep.__dataclass_fields__, 0) | {"lidos_origem": 3000}
    found |= {"contratos_destino": 2000, **counts}
    ended = {"terminada_em": datetime(2026, 11, 22, 23, 5, tzinfo=UTC), "ok": motivo is None}
    return Sweep(**{**found, **ended, "motivo": motivo})


EVERYTHING = set(markers.STEPS)


# --- the verdict ----------------------------------------------------------------------------------------

VERDICTS = {
    "good": (
        facts(),
        "good",
        "Tudo certo: 22/11/2026 está completa e conferida, e nada falta nos últimos 30 dias.",
        "All well: 22 Nov 2026 is complete and proven, and nothing is missing in the last 30 days.",
        "",
    ),
    "good, since the first date": (
        facts(started=2),
        "good",
        "Tudo certo: 22/11/2026 está completa e conferida, e nada falta nos últimos 3 dias.",
        "All well: 22 Nov 2026 is complete and proven, and nothing is missing in the last 3 days.",
        "",
    ),
    "empty": (
        facts(started=None),
        "bad",
        "Nada foi migrado ainda.",
        "Nothing has been migrated yet.",
        "ccb-luigi run --full",
    ),
    "one rejection": (
        facts(rejected=1),
        "attention",
        "De 22/11/2026: 7 lidos, 6 nas tabelas, 1 rejeitados; conferida. Um documento rejeitado espera"
        " correção na origem.",
        "Of 22 Nov 2026: 7 read, 6 in the tables, 1 rejected; proven. One rejected document waits to"
        " be corrected at the source.",
        "ccb-luigi quarantine list",
    ),
    "many rejections": (
        facts(rejected=1200),
        "attention",
        "De 22/11/2026: 7 lidos, 6 nas tabelas, 1 rejeitados; conferida. Ao todo 1.200 documentos rejeitados"
        " esperam correção na origem.",
        "Of 22 Nov 2026: 7 read, 6 in the tables, 1 rejected; proven. In all 1,200 rejected documents wait"
        " to be corrected at the source.",
        "ccb-luigi quarantine list",
    ),
    "a date is missing": (
        facts(absent={0: EVERYTHING}),
        "bad",
        "Falta migrar 22/11/2026.",
        "22 Nov 2026 has not been migrated.",
        "ccb-luigi run --date 2026-11-22",
    ),
    "six dates miss something": (
        facts(absent={back: {"parcelas"} for back in (0, 1, 2, 4, 5, 6)}),
        "bad",
        "A migração de 6 datas começou e não terminou:"
        " 16/11/2026, 17/11/2026, 18/11/2026, 20/11/2026, e mais 2.",
        "The migration of 6 dates has begun and not ended:"
        " 16 Nov 2026, 17 Nov 2026, 18 Nov 2026, 20 Nov 2026, and 2 more.",
        "ccb-luigi run --since 2026-11-16 --until 2026-11-22",
    ),
    "an old date was begun": (
        facts(absent={20: {"reconciliacoes"}}),
        "bad",
        "A migração de 02/11/2026 começou e não terminou.",
        "The migration of 2 Nov 2026 has begun and not ended.",
        "ccb-luigi run --date 2026-11-02",
    ),
    "an old date was never run": (
        facts(absent={7: EVERYTHING}),
        "attention",
        "15/11/2026 nunca foi executada, e o `nightly` já não volta até ela.",
        "15 Nov 2026 has never been run, and `nightly` no longer goes back to it.",
        "ccb-luigi run --date 2026-11-15",
    ),
    "old dates were never run": (
        facts(absent={9: EVERYTHING, 8: EVERYTHING}),
        "attention",
        "2 datas nunca foram executadas (13/11/2026, 14/11/2026), e o `nightly` já não volta até elas.",
        "2 dates have never been run (13 Nov 2026, 14 Nov 2026), and `nightly` no longer goes back to them.",
        "ccb-luigi run --since 2026-11-13 --until 2026-11-14",
    ),
    "a proof failed": (
        facts(absent={1: {"reconciliacoes"}}, differs=(1,)),
        "bad",
        "Origem e destino diferem em 21/11/2026: essa data não está provada.",
        "Source and target differ on 21 Nov 2026: that date is not proven.",
        "ccb-luigi rerun --date 2026-11-21",
    ),
    "the breaker tripped": (
        facts(absent={0: EVERYTHING}, quarantined={0: 6}),
        "bad",
        "Documentos rejeitados demais em 22/11/2026: nada dessa data foi carregado.",
        "Too many documents rejected on 22 Nov 2026: nothing of that date was loaded.",
        "ccb-luigi quarantine list --date 2026-11-22",
    ),
    "the sweep refused": (
        facts(
            rejected=1,
            absent={7: EVERYTHING},
            failures=(Failure("varreduras", D, "the collection is empty"),),
        ),
        "bad",
        "A varredura não terminou bem: não se sabe se falta algo nas tabelas. O motivo está logo abaixo.",
        "The sweep did not end well: nobody knows whether the tables lack something. The reason is below.",
        "ccb-luigi sweep",
    ),
    "the last sweep met nothing": (
        facts(sweep=swept("origem_vazia")),
        "bad",
        "A varredura de 22/11/2026 23:05 não encontrou nenhum documento na origem e não marcou nada.",
        "The sweep of 22 Nov 2026 23:05 met no document in the source, and marked nothing.",
        "ccb-luigi sweep",
    ),
    "too much had vanished for the last sweep": (
        facts(sweep=swept("muitos_sumidos", sumidos=1500)),
        "bad",
        "A varredura de 22/11/2026 23:05 não achou na origem 1.500 de 2.000 contratos e não marcou nenhum.",
        "The sweep of 22 Nov 2026 23:05 did not find 1,500 of 2,000 contracts in the source, and marked"
        " none.",
        "ccb-luigi sweep",
    ),
    "the last sweep left a document": (
        facts(sweep=swept("em_aberto", em_aberto=1)),
        "bad",
        "A varredura de 22/11/2026 23:05 deixou um documento da origem fora das tabelas e da quarentena.",
        "The sweep of 22 Nov 2026 23:05 left one document of the source neither in the tables nor in"
        " quarantine.",
        "ccb-luigi sweep",
    ),
    "the last sweep waits for a date": (
        facts(sweep=swept("disjuntor")),
        "bad",
        "A varredura deixou documentos à espera de datas que rejeições demais retêm.",
        "The sweep left documents waiting for dates that too many rejections hold back.",
        "",
    ),
    "the last sweep failed for a reason that nobody knows here": (
        facts(sweep=swept("novo_motivo")),
        "bad",
        "A varredura de 22/11/2026 23:05 não terminou bem: não se sabe se falta algo nas tabelas.",
        "The sweep of 22 Nov 2026 23:05 did not end well: nobody knows whether the tables lack something.",
        "ccb-luigi sweep",
    ),
    "five never trip it": (
        facts(absent={0: EVERYTHING}, quarantined={0: 5}),
        "bad",
        "Falta migrar 22/11/2026.",
        "22 Nov 2026 has not been migrated.",
        "ccb-luigi run --date 2026-11-22",
    ),
}


@pytest.mark.parametrize("state", VERDICTS)
def test_the_headline_says_what_is_wrong_and_what_to_do(state: str) -> None:
    known, level, portuguese, english, command = VERDICTS[state]
    headline = verdict.judge(known)[0]
    assert headline.level == level
    assert headline.said("pt") == portuguese
    assert headline.said("en") == english
    assert headline.command == command


def test_a_command_that_would_meet_the_same_trouble_again_waits_until_that_is_mended() -> None:
    down = tuple(Failure(step, D, "MongoDB can't be reached", 13) for step in ("contratos", "varreduras"))
    found = verdict.judge(facts(absent={0: EVERYTHING, 1: {"parcelas"}}, failures=down))
    assert [(point.key, point.mend_first) for point in found] == [("missing", True), ("sweep", True)]
    assert "once the reason below is mended: ccb-luigi run" in Tags(page.render(
        facts(absent={0: EVERYTHING}, failures=down)
    )).everything()  # fmt: skip
    (quiet,) = verdict.judge(facts(absent={0: EVERYTHING}))
    assert not quiet.mend_first


def test_a_sweep_that_waits_for_a_date_that_is_held_back_is_not_a_second_trouble() -> None:
    failures = (Failure("contratos", D, "51 of 60", 11), Failure("varreduras", D, "9 documents wait", 11))
    found = verdict.judge(facts(absent={0: EVERYTHING}, quarantined={0: 6}, failures=failures))
    assert [(point.key, point.command) for point in found] == [
        ("breaker", "ccb-luigi quarantine list --date 2026-11-22"),
        ("sweep_waits", ""),
    ]


def test_the_worst_comes_first_and_nothing_is_left_out() -> None:
    found = verdict.judge(
        facts(
            absent={3: EVERYTHING, 2: EVERYTHING, 12: EVERYTHING, 1: {"reconciliacoes"}},
            differs=(1,),
            quarantined={2: 99},
            rejected=3,
        )
    )
    assert [point.key for point in found] == ["differs", "breaker", "missing", "gap", "also_rejected"]
    assert found[0].level == "bad"


@pytest.mark.parametrize(
    ("backs", "pt", "en", "command"),
    [
        (
            (40,),
            "Sumiram das tabelas linhas que 13/10/2026 tinha carregado: 1.500 (parcelas).",
            "Rows that 13 Oct 2026 had loaded are no longer in the tables: 1,500 (parcelas).",
            "ccb-luigi rerun --date 2026-10-13",
        ),
        (
            (2, 1),
            "Sumiram das tabelas linhas que 2 datas tinham carregado (20/11/2026, 21/11/2026): 3.000"
            " (parcelas).",
            "Rows that 2 dates had loaded (20 Nov 2026, 21 Nov 2026) are no longer in the tables: 3,000"
            " (parcelas).",
            "ccb-luigi rerun --since 2026-11-20 --until 2026-11-21",
        ),
    ],
)
def test_rows_that_are_gone_come_first_also_of_dates_that_are_not_on_the_page(
    backs: tuple[int, ...], pt: str, en: str, command: str
) -> None:
    lost = [Lost(ago(back), "parcelas", 1500, 7) for back in backs]
    known = facts(rejected=1, recount=Recount(NOW, 9, lost))
    for day in known.days:
        day.lost.update({each.table: each.rows for each in lost if each.day == day.day})
    point, also = verdict.judge(known)
    assert (point.level, point.said("pt"), point.said("en"), point.command) == ("bad", pt, en, command)
    assert also.key == "also_rejected"
    assert page.render(known).count('<tr class="lost">') == len([back for back in backs if back < 30])
    assert verdict.judge(facts(recount=Recount(NOW, 9)))[0].key == "good"


# --- words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", words.WORDS)
def test_every_text_is_there_in_both_languages_and_speaks_of_the_same(key: str) -> None:
    both = words.WORDS[key]
    assert len(both) == len(LANGUAGES)
    assert all(both)
    slots = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in both]
    assert slots[0] == slots[1]
    assert both[0].count("`") == both[1].count("`")


def test_what_is_counted_has_a_singular_and_a_plural() -> None:
    counted = [key for key in words.WORDS if key.endswith((".one", ".many"))]
    stems = {key.rsplit(".", 1)[0] for key in counted}
    assert {f"{stem}{end}" for stem in stems for end in (".one", ".many")} == set(counted)


@pytest.mark.parametrize(
    ("value", "portuguese", "english"),
    [
        (1234567, "1.234.567", "1,234,567"),
        (Decimal("1234567.80"), "1.234.567,80", "1,234,567.80"),
        (Decimal("-0.01"), "-0,01", "-0.01"),
        (3.14159, "3,1", "3.1"),
        (1234.5, "1.234", "1,234"),
        (date(2026, 2, 1), "01/02/2026", "1 Feb 2026"),
        (datetime(2026, 2, 1, 2, 3, tzinfo=UTC), "01/02/2026 02:03", "1 Feb 2026 02:03"),
    ],
)
def test_values_are_written_as_each_language_does(value: Any, portuguese: str, english: str) -> None:
    assert words.write("pt", value) == portuguese
    assert words.write("en", value) == english


def test_a_margin_names_weekday_day_and_month() -> None:
    assert words.short("pt", D) == "dom 22/11"
    assert words.short("en", D) == "Sun 22 Nov"


# --- charts -----------------------------------------------------------------------------------------------


def test_bars_stand_in_proportion_and_what_is_missing_is_not_drawn_as_zero() -> None:
    drawn = charts.bars([Bar("a", 50), Bar("b", None, missing=True), Bar("c", None), Bar("d", 100)], "kind")
    heights = re.findall(r'height="([\d.]+)"><title>(\w)', drawn)
    assert heights == [("32", "a"), ("3", "b"), ("64", "d")]
    assert re.findall(r'class="gap"[^>]*><title>(\w)', drawn) == ["b"]
    assert re.findall(r'<rect x="([\d.]+)" y="0"', drawn) == ["232.5"]  # 3 * 75 + 7.5


@pytest.mark.parametrize("points", [[], [Bar("a", 0)], [Bar("a", None)]])
def test_a_chart_of_nothing_is_an_empty_chart(points: list[Bar]) -> None:
    assert charts.bars(points).startswith("<svg")


def test_a_duration_is_a_share_of_the_longest_and_the_usual_one_a_tick() -> None:
    drawn = charts.span(2.0, 4.0, 8.0)
    assert 'width="25" height="6"' in drawn
    assert 'class="usual" x="50"' in drawn
    assert "usual" not in charts.span(2.0, None, 8.0)
    assert charts.span(0.0, 0.0, 0.0).startswith("<svg")


# --- the page ---------------------------------------------------------------------------------------------

VOID = {"meta", "input", "br", "rect", "wbr"}


class Tags(HTMLParser):
    """Complains about a tag that nobody closes, and collects text, elements and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {"pt-BR": [], "en": [], "": []}
        self.english: list[str] = []
        self._languages: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID or (tag == "rect" and not self.get_starttag_text().endswith("/>")):  # type: ignore[union-attr]
            self.open.append(tag)
            self._languages.append(dict(attrs).get("lang") or "" if tag == "span" else "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._languages.pop()

    def handle_data(self, data: str) -> None:
        language = next((name for name in reversed(self._languages) if name), "")
        self.text[language].append(data)
        if language in ("", "en"):
            self.english.append(data)

    def said(self, language: str) -> str:
        return " ".join(" ".join(self.text[language]).split())

    def everything(self) -> str:
        """What a reader of English sees, in its order."""
        return " ".join("".join(self.english).split())


FULL = facts(
    absent={2: EVERYTHING, 1: {"reconciliacoes"}, 12: EVERYTHING},
    differs=(1,),
    rejected=25,
    quarantined={0: 25},
    rejections=(CodeCount("ausente", 25, 24),),
    findings=(CodeCount("saldo_final", 3, 0), CodeCount("codigo_novo", 1, 1)),
    flagged={D: 4},
    seconds={(ago(n), step): 1.5 + n for n in range(5) for step in markers.STEPS},
    failures=(Failure("contratos", ago(2), "MongoDB can't be reached"), Failure("x", None, "no date")),
)
PAGES = {"full": FULL, **{name: known for name, (known, *_) in VERDICTS.items()}}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed_and_needs_nothing_but_itself(name: str) -> None:
    html = page.render(PAGES[name])
    found = Tags(html)
    assert not {tag for tag, _ in found.seen} & {"script", "link", "img", "iframe", "object", "a", "form"}
    attributes = {attribute for _, attributes in found.seen for attribute in attributes}
    assert not {a for a in attributes if a.startswith("on") or a in ("src", "href", "style", "action")}
    assert "url(" not in html
    assert "@import" not in html
    assert "http://" not in html.replace("http-equiv", "")
    assert "https://" not in html
    policy = next(attrs for tag, attrs in found.seen if attrs.get("http-equiv"))
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert "{" not in found.said("pt-BR") + found.said("en"), "a value was not filled in"


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_stand_in_every_page_and_a_switch_shows_one(name: str) -> None:
    found = Tags(page.render(PAGES[name], language="en"))
    tongues = [attrs["lang"] for tag, attrs in found.seen if tag == "span" and "lang" in attrs]
    assert tongues == ["pt-BR", "en"] * (len(tongues) // 2)
    headline = verdict.judge(PAGES[name])[0]
    for language, tag in (("pt", "pt-BR"), ("en", "en")):
        assert headline.said(language).replace("`", "") in found.said(tag)
    checked = [attrs["id"] for tag, attrs in found.seen if tag == "input" and "checked" in attrs]
    assert checked == ["en"]
    html = next(attrs for tag, attrs in found.seen if tag == "html")
    assert html["lang"] == "en"


def test_the_page_tells_all_that_is_known() -> None:
    text = Tags(page.render(FULL))
    portuguese, neutral = text.said("pt-BR"), text.said("")
    assert "1.234.567,89" in portuguese
    assert "Um campo obrigatório falta ou é nulo. Corrigir o campo" in portuguese
    assert "O último saldo não é zero. Conferir o cronograma" in portuguese
    assert "e mais 5:" in portuguese, "25 documents, of which 20 are listed"
    assert "MongoDB can't be reached" in neutral
    assert "ccb-luigi rerun --date 2026-11-21" in neutral
    assert "Código desconhecido, de um programa mais novo" in portuguese
    assert "Unknown code, of a newer program" in text.said("en")
    assert "id19" in neutral
    assert "id20" not in neutral
    assert "1,234,567.89" in text.said("en")
    assert "A required field is missing or null. Correct the field" in text.said("en")


def test_a_sweep_that_went_well_is_told_with_what_it_did_before_what_stands_below() -> None:
    known = facts(sweep=swept(carregados=1839, marcados_excluidos=4, reaparecidos=2), closed=3)
    said = Tags(page.render(known)).everything()
    line = (
        "Last sweep, 22 Nov 2026 23:05: 3,000 documents of the source compared with 2,000 contracts;"
        " 1,839 loaded, 4 marked as gone from the source, 2 back again."
    )
    assert line in said
    assert "3 rejections were closed in the last 24 hours" in said
    places = [said.index(each) for each in ("All well", "What is new: 22 Nov 2026", line, "Dates and tables")]
    assert places == sorted(places)
    assert "No sweep has ended yet." in Tags(page.render(facts())).everything()


def test_the_last_row_of_the_dates_says_what_the_tables_hold_and_what_is_an_estimate() -> None:
    held = {name: InTable(1000 + n) for n, name in enumerate(tables.BY_NAME)}
    held["parcelas"] = InTable(10_400_000, about=True)
    said = Tags(page.render(facts(in_tables=held, absent={20: {"parcelas"}}))).everything()
    row = "in the tables 1,000 1,001 1,002 1,003 1,004 1,005 ≈ 10.4M 1,007"
    assert said.replace(" ", "").count(row.replace(" ", "")) == 1, "not below the earlier dates again"
    (row_of_status,) = zip(*(column.cells for column in display.status_table([], held).columns), strict=True)
    assert row_of_status == (
        *("in tables", "", "1000", "1001", "1002", "1003", "1004", "1005", "~10.4M", "1007", "", ""),
    )


@pytest.mark.parametrize(
    ("shown", "proven", "said"),
    [
        (0, Proven(0, None, None), "0 of 3 dates complete (-: missing; quar: open rejections)"),
        (2, Proven(2, ago(2), D), "2 of 3 dates complete (-: missing; quar: open rejections)"),
        (
            1,
            Proven(12, date(2026, 3, 3), D),
            "1 of 3 dates complete; 12 dates proven in all, 2026-03-03 to 2026-11-22"
            " (-: missing; quar: open rejections)",
        ),
        (
            0,
            Proven(12, date(2026, 3, 3), date(2026, 4, 10)),
            "12 dates proven in all, 2026-03-03 to 2026-04-10; none of the 3 shown here is complete:"
            " `ccb-luigi status --until 2026-04-10` shows the last (-: missing; quar: open rejections)",
        ),
    ],
)
def test_who_loaded_old_dates_is_not_told_that_nothing_is_there(
    shown: int, proven: Proven, said: str
) -> None:
    days = [Day(ago(n), dict(ALL) if n < shown else {}) for n in range(3)]
    assert display.complete_line(days, proven, {}) == said


def test_a_failure_is_told_once_dated_and_with_the_place_in_the_runbook() -> None:
    message = f"{D}: 51 of 60 documents were rejected; see `ccb-luigi quarantine list --date {D}`"
    for where in ("/opt/docs/runbook.md#exit-code-11", "https://wiki.example.com/runbook#exit-code-11"):
        failures = (Failure("contratos", D, message, 11, where),)
        html = page.render(facts(absent={0: EVERYTHING}, failures=failures))
        told = message.removeprefix(f"{D}: ")
        meant = "Too many documents were rejected (circuit breaker). See what was rejected"
        assert f"22 Nov 2026 reading the documents: {meant}" in Tags(html).everything()
        assert f"Line of the log: {told} Step by step: {where}" in Tags(html).everything()
        linked = [attrs.get("href") for tag, attrs in Tags(html).seen if tag == "a"]
        assert linked == ([where] if where.startswith("https://") else [])


def test_a_rejection_is_told_with_the_fields_that_have_it() -> None:
    entries = tuple(replace(entry(f"id{n}", ("ausente",)), erros=erros) for n, erros in enumerate(
        [{f"operation.parcelas.PrevisaoDeParcela.{n}.ValorDoJuros": ["ausente: missing"]} for n in range(9)]
        + [{f"field{n}": ["ausente: missing", "nul: a NUL"]} for n in (1, 1, 2, 3)]
    ))  # fmt: skip
    assert quarantine.places(entries)[:2] == [
        ("ausente", "operation.parcelas.PrevisaoDeParcela.*.ValorDoJuros", 9),
        ("ausente", "field1", 2),
    ]
    known = replace(facts(rejections=(CodeCount("ausente", 13, 0),)), open_rejections=entries)
    said = Tags(page.render(known)).everything()
    assert "PrevisaoDeParcela.*.ValorDoJuros 9 field1 2 field2 1 and one more field" in said
    assert "field3" not in said


def test_a_field_s_name_is_written_as_it_is_where_a_sentence_begins_with_it() -> None:
    said = Tags(page.render(facts(rejections=(CodeCount("cpf_cnpj_invalido", 1, 0),)))).everything()
    assert "taxId has neither the shape" in said


def test_the_matrix_shows_recent_and_wrong_dates_first_and_the_others_on_demand() -> None:
    html = page.render(FULL)
    above, _, below = html.partition("<details>")
    dates = re.compile(r'<th scope="row"><time datetime="([\d-]+)">')
    assert dates.findall(above) == [str(ago(n)) for n in range(7)]
    assert dates.findall(below) == [str(ago(n)) for n in range(7, 30)]
    cells = dict(re.findall(r'<time datetime="([\d-]+)">.*?</th><td[^>]*>(.)</td>', html))
    assert [cells[str(ago(n))] for n in (0, 1, 2, 12)] == ["✓", "≠", "✕", "–"]


def test_dates_before_the_first_one_are_not_shown_as_missing() -> None:
    html = page.render(facts(started=2))
    assert "✕</td>" not in html
    assert len(re.findall(r'<th scope="row"><time', html)) == 3


def test_both_sides_of_a_date_that_differs_are_shown_with_the_difference() -> None:
    wrong = replace(PROOF, soma_prestacoes_destino=PROOF.soma_prestacoes_origem - Decimal("1830.53"))
    html = page.render(replace(facts(differs=(3,)), proofs={D: PROOF, ago(3): wrong}))
    portuguese = Tags(html).said("pt-BR")
    assert portuguese.count("-1.830,53") == 2  # of the date, and of all dates together
    assert "2.343.848,37" in portuguese  # 2,345,678.90 - 1,830.53


class Visible(HTMLParser):
    """The words that a reader of one language sees as the page's own: no names, no ids, no log."""

    def __init__(self, html: str, language: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._open: list[bool] = []
        self._language = language
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID - {"rect"}:
            return
        given = dict(attrs)
        other = tag == "span" and given.get("lang") not in (None, self._language)
        self._open.append(
            other or tag in ("q", "code", "style", "label") or given.get("class") in ("id", "code", "place")
        )

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open):
            self.words += re.findall(r"\w+", data.lower())


# Words that sentences of one language can't do without, and that the other one hasn't; and names of steps.
FOREIGN = {
    "pt-BR": set(re.findall(r"\w+", "the is not has was of and can with what be which its failed this that")),
    "en": set(re.findall(r"\w+", "não de da foi uma dos que para ou em contratos varreduras lidos")),
}
KINDS = [
    *((code, step) for code in (0, *STATUSES) for step in ("contratos", "varreduras")),
    *((14, step) for step in (*markers.STEPS, "migration", "")),
]


@cache
def pages_of_every_failure() -> dict[str, str]:
    """What → the page, which holds both languages."""
    pages = {name: page.render(known) for name, known in PAGES.items()}
    for code, step in KINDS:
        failed = Failure(
            step, D, f"{D}: the server is not there, and that was not its fault", code, "/x.md#y"
        )
        pages[f"{code} {step}"] = page.render(facts(absent={0: EVERYTHING}, failures=(failed,)))
    failed = Failure("", None, "the server is not there, and that was not its fault", 14)
    for key in ("running", "stopped", "unread"):
        pages[key] = page.render_without_facts(key, D, NOW, failure=failed)
    return pages


@pytest.mark.parametrize("language", FOREIGN)
def test_a_page_in_one_language_has_no_sentence_in_the_other_whatever_fails(language: str) -> None:
    for name, html in pages_of_every_failure().items():
        assert set(Visible(html, language).words) & FOREIGN[language] == set(), name


def test_every_exit_status_is_told_in_both_languages_with_what_to_do() -> None:
    for code, status in STATUSES.items():
        assert not status.significado.endswith("."), code
        assert status.providencia.endswith("."), code
        assert status.action.endswith("."), code
        assert status.providencia.count("`") == status.action.count("`"), code
        failed = Failure("parcelas", D, "words of the log", code)
        html = page.render(facts(absent={0: EVERYTHING}, failures=(failed,)))
        said = {name: " ".join(Visible(html, name).words) for name in FOREIGN}
        assert " ".join(re.findall(r"\w+", status.significado.lower())) in said["pt-BR"]
        assert " ".join(re.findall(r"\w+", status.meaning.lower())) in said["en"]
        assert "words of the log" in html


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>",
    "{{ 7 * 7 }}",
    "a\u202egpj.exe",
    "line\nbreak\x00",
    "x" * 255,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_comes_from_a_document_stays_text(text: str) -> None:
    known = replace(
        FULL,
        open_rejections=(entry(text, (text,)),),
        rejections=(CodeCount(text, 1, 1),),
        findings=(CodeCount(text, 1, 1),),
        failures=(Failure(text, D, text),),
    )
    html = page.render(known)
    found, harmless = Tags(html), Tags(page.render(replace(known, open_rejections=(entry("id"),))))
    assert not {tag for tag, _ in found.seen} & {"script", "img"}
    assert [tag for tag, _ in found.seen] == [tag for tag, _ in harmless.seen]
    shown = [line for line in found.text[""] if line == printable(text)]
    assert shown, "the id itself is readable"


@pytest.mark.parametrize("key", ["running", "stopped", "unread"])
def test_a_page_without_facts_says_why(key: str) -> None:
    failure = Failure("", None, "<PostgreSQL> can't be reached", 14, "runbook.md#exit-code-14")
    html = page.render_without_facts(key, D, NOW, failure=failure)
    found = Tags(html)
    assert "<PostgreSQL> can't be reached Step by step: runbook.md#exit-code-14" in found.everything()
    assert words.say("pt", key) in found.said("pt-BR")
    assert words.say("en", key) in found.said("en")
    assert "<PostgreSQL> can't be reached" in found.said("")


# --- writing it, around a night -------------------------------------------------------------------------


class Night:
    """A night whose database can't be reached, or whose facts are made up."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: Facts | None = None) -> None:
        self.directory = tmp_path / "pages"
        self.complaints: list[str] = []
        self.failures: list[Event] = []
        self.settings = Settings(report_dir=str(self.directory))

        def read(settings: Settings, day: date, count: int = 30) -> Facts:
            if known is None:
                raise TargetError("PostgreSQL can't be reached")
            return known

        monkeypatch.setattr(morning, "read", read)

    def around(self) -> Any:
        return morning.around(self.settings, D, self.failures, self.complaints.append)

    def page(self, name: str = "ultimo.html") -> str:
        return (self.directory / name).read_text(encoding="utf-8")


def test_after_a_night_its_page_and_the_latest_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(tmp_path, monkeypatch, facts())
    with night.around():
        assert words.say("pt", "running") in night.page(), "should it be killed, this is what stays"
        assert not (night.directory / "ccb-2026-11-22.html").exists()
    assert "Tudo certo" in night.page()
    assert night.page() == night.page("ccb-2026-11-22.html")
    assert night.complaints == []


@pytest.mark.parametrize(("language", "tag"), [("pt", "pt-BR"), ("en", "en")])
@pytest.mark.parametrize("known", [None, facts()], ids=["unread", "read"])
def test_the_page_of_a_night_shows_the_language_of_the_settings_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: Facts | None, language: str, tag: str
) -> None:
    night = Night(tmp_path, monkeypatch, known)
    night.settings = replace(night.settings, language=language)
    with night.around():
        assert f'<html lang="{tag}">' in night.page()
    assert f'<html lang="{tag}">' in night.page()


def test_the_page_tells_why_a_step_failed_unless_a_later_try_succeeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(tmp_path, monkeypatch, facts(absent={0: {"parcelas"}}))
    with night.around():
        night.failures += [
            Event("failed", "parcelas", D, message="disk full"),
            Event("failed", "parcelas", D, message="disk full"),
            Event("failed", "clientes", D, message="connection lost"),
        ]
    assert night.page().count("disk full") == 1
    assert "connection lost" not in night.page()


def test_a_night_that_stops_leaves_a_page_that_says_so_and_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(tmp_path, monkeypatch, facts())
    with pytest.raises(TargetError), night.around():
        raise TargetError("PostgreSQL can't be reached")
    assert words.say("pt", "stopped") in night.page("ccb-2026-11-22.html")
    assert "PostgreSQL can&#39;t be reached" in night.page()
    with pytest.raises(ZeroDivisionError), night.around():
        raise ZeroDivisionError("Maria's CPF")
    assert "unexpected ZeroDivisionError" in night.page()
    assert "Maria" not in night.page()


def test_a_database_that_can_not_be_read_afterwards_is_told_in_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(tmp_path, monkeypatch)
    with night.around():
        pass
    assert words.say("pt", "unread") in night.page()
    assert night.complaints == []


def test_a_page_that_fails_is_a_complaint_and_never_the_nights_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(tmp_path, monkeypatch, facts())
    night.directory.write_text("not a directory")
    with night.around():
        pass
    assert [line.split(":")[0] for line in night.complaints] == ["the morning page was not written"] * 2
    night.directory.unlink()
    monkeypatch.setattr(page, "render", lambda facts, language: 1 / 0)
    with night.around():
        pass
    assert "unexpected ZeroDivisionError" in night.complaints[-1]


def test_without_a_directory_there_is_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night = Night(tmp_path, monkeypatch, facts())
    night.settings = Settings()
    with night.around():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_date_that_was_marked_before_it_was_over_is_bad_news() -> None:
    known = facts()
    days = (*known.days[:-2], replace(known.days[-2], early=True), known.days[-1])
    headline = verdict.judge(replace(known, days=days))[0]
    assert headline.level == "bad"
    assert headline.said("en").startswith("21 Nov 2026 was marked before it was over")
    assert headline.command == "ccb-luigi nightly"


def test_a_date_of_which_all_was_rejected_is_not_told_as_loaded() -> None:
    nothing = Reconciliation(9, 0, 0, 0, 9)
    headline = verdict.judge(replace(facts(rejected=9), proofs={D: nothing}))[0]
    assert headline.said("en").startswith(
        "Of 22 Nov 2026: 9 read, 0 in the tables, 9 rejected; proven. In all 9 "
    )
