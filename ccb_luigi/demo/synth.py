"""Synthetic contracts: as the origination system writes them, with invented borrowers.

A document depends on (seed, position, until, days) alone: a larger ``n`` begins with the documents of a
smaller one.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import bson
from bson import ObjectId
from pymongo.collection import Collection

from ccb_luigi.demo import people
from ccb_luigi.demo.people import below, chance, pick, token
from ccb_luigi.demo.schedule import Row, add_months, amount, annual, loan, two_decimals, with_decimal
from ccb_luigi.documents.rawbson import Document

BATCH = 1000
# Newest-wins needs clients with several contracts: about every twelfth contract is a known client's.
_KNOWN_CLIENT = 0.085
_KEPT_CLIENT = 0.11
_KEPT = 200
_GRACE = 0.6
_MAX_AGE_DAYS = 700
# Instalments as they are agreed, each as often as it stands here: 13 on average.
_TERMS = (
    *(1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 6, 6, 6, 6, 6, 6, 7, 8, 8, 9, 9, 9, 10, 10, 10, 10),
    *(12,) * 22,
    *(15, 15, 15, 16, 18, 18, 18, 18, 20, 24, 24, 24, 24, 24, 24, 30, 36, 36, 48),
)
_STATUS = ("Enviada", "Enviada", "Enviada", "Assinada", "Assinada", "Alterada", "Liquidada", "Cancelada")
# A Weyl sequence by the golden ratio: every stretch of it is spread evenly over [0, 2^64).
_GOLDEN = 0x9E3779B97F4A7C15
_CODES = 10**7


def contracts(
    n: int, seed: int, *, until: date, days: int = 10, timezone: str = "America/Sao_Paulo"
) -> Iterator[Document]:
    """``n`` valid documents, ready for BSON, whose arithmetic holds to the cent.

    Their ``updatedAt`` is spread evenly over the ``days`` local days of ``timezone`` that end with ``until``
    (in no order, and a second at least from midnight); they were created in the two years before.
    """
    random = Random(seed)  # noqa: S311  # the same documents again is the point
    moments = _moments(until, days, ZoneInfo(timezone))
    last_created = until - timedelta(days=days + 1)
    series = pick(random, people.LETTERS[:26]), below(random, _CODES), below(random, 1000)
    kept: list[people.Client] = []
    for number, updated in zip(range(n), moments, strict=False):
        yield _contract(random, _borrower(random, kept), _code(series, number), last_created, updated)


def write_bson(documents: Iterable[Document], path: Path) -> int:
    """Writes a dump as mongodump does (documents end to end; gzip for ``.gz``); returns the count."""
    count = 0
    with ExitStack() as stack:
        file = stack.enter_context(path.open("wb"))
        write = file.write
        if path.suffix == ".gz":  # no name and no time in it: the same documents, the same bytes
            write = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0)).write
        for document in documents:
            write(bson.encode(document))
            count += 1
    return count


def write_mongo(documents: Iterable[Document], collection: Collection[Any]) -> int:
    """Inserts the documents, a thousand at a time; returns the count.

    Raises:
        BulkWriteError: an ``_id`` is there already; the other documents of its batch have been inserted.
    """
    count, source = 0, iter(documents)
    while batch := list(islice(source, BATCH)):
        collection.insert_many(batch, ordered=False)
        count += len(batch)
    return count


def _moments(until: date, days: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Endless moments in UTC, to the millisecond, spread evenly over the local days."""
    first = until - timedelta(days=days - 1)
    midnights = [
        datetime.combine(first + timedelta(days=day), time(), zone).astimezone(UTC) for day in range(days + 1)
    ]
    position = 0
    while True:
        position = (position + _GOLDEN) % 2**64
        day, rest = divmod(position * days, 2**64)
        length = (midnights[day + 1] - midnights[day]) // timedelta(milliseconds=1) - 2000
        yield midnights[day] + timedelta(milliseconds=1000 + rest * length // 2**64)


def _borrower(random: Random, kept: list[people.Client]) -> people.Client:
    """A new client, or one of the few that were kept in order to come again."""
    if kept and chance(random, _KNOWN_CLIENT):
        again = kept.pop(below(random, len(kept)))
        if chance(random, 0.2):
            kept.append(again)
        return people.moved(random, again)
    new = people.client(random)
    if chance(random, _KEPT_CLIENT) and len(kept) < _KEPT:
        kept.append(deepcopy(new))  # whoever gets the document may change it
    return new


def _code(series: tuple[str, int, int], number: int) -> str:
    """A ``ccbCode`` that no other document of the seed has, and hardly one of another seed."""
    letter, start, suffix = series
    lap, digits = divmod(number, _CODES)
    scattered = (start + digits * 7_368_787) % _CODES  # coprime to 10^7, so no two are alike
    return f"{chr((ord(letter) - 65 + lap) % 26 + 65)}{scattered:07d}-{suffix:03d}"


def _contract(
    random: Random, client: people.Client, code: str, last_created: date, updated: datetime
) -> Document:
    day = last_created - timedelta(days=below(random, _MAX_AGE_DAYS))
    # Office hours: the day is the same in UTC and in Brazil.
    in_the_day = timedelta(hours=12) + timedelta(microseconds=below(random, 36_000_000_000))
    created = datetime.combine(day, time(), UTC) + in_the_day
    emitted = created + timedelta(milliseconds=60_000 + below(random, 5_000_000))
    return {
        "_id": _mongo_id(random, created),
        **client,
        "guarantors": _guarantors(random),
        "operation": _operation(random, day, client["type"]),
        "bank": None,
        "sendVortx": "True" if chance(random, 0.85) else "False",
        "status": pick(random, _STATUS),
        "updatedAt": updated,
        "createdAt": created.isoformat(timespec="microseconds"),
        "ccbCode": code,
        "emitedAt": emitted.replace(microsecond=emitted.microsecond // 1000 * 1000),
    }


def _mongo_id(random: Random, created: datetime) -> str | ObjectId:
    if not chance(random, 0.1):
        return token(random, 20)
    tail = below(random, 2**32) << 32 | below(random, 2**32)
    return ObjectId(int(created.timestamp()).to_bytes(4, "big") + tail.to_bytes(8, "big"))


def _guarantors(random: Random) -> list[Document] | None:
    if not chance(random, 0.03):
        return None
    guarantor = people.client(random)
    return [{"name": guarantor["name"], "taxId": guarantor["taxId"]}]


def _operation(random: Random, released: date, person: str) -> Document:
    net = _net(random, person)
    rate = Decimal(12_000 + below(random, 33_000)).scaleb(-4)  # 1.2 to 4.5 % a month, four decimals
    first = _first_due(random, released)
    insurance = net * (50 + below(random, 250)) // 10_000 if chance(random, 0.12) else 0
    fee = 100 * (50 + below(random, 450)) if chance(random, 0.1) and net > 500_000 else 0
    terms = loan(net, rate, released, first, pick(random, _TERMS), seguro=insurance, cad=fee)
    rows, cet = terms.schedule.rows, terms.cet
    return {
        "VencimentoPrimeiraParcela": first.isoformat(),
        "Carencia": 1 - rows[0].numero if chance(random, 0.3) else None,
        "FinanIOF": True,
        "Conta": str(110_000_000 + below(random, 9_000_000)),
        "ValorBruto": amount(terms.bruto),
        "ValorDoSeguro": amount(insurance),
        "ValorDaCAD": amount(fee),
        "ValorDoIOF": amount(terms.iof),
        "ValorLiquido": with_decimal(net),
        "TaxaDeJuros": str(rate),
        "TaxaDeJurosAnual": two_decimals(annual(rate)),
        "CET": two_decimals(cet.mes),
        "CET_ANUAL": two_decimals(cet.ano),
        "DataDeLiberacao": released.isoformat(),
        "DataDeVencimentoInicial": first.isoformat(),
        "DataDeVencimentoFinal": rows[-1].vencimento.isoformat(),
        "NumeroDeParcelas": rows[-1].numero,
        "parcelas": {"PrevisaoDeParcela": list(_parcelas(rows))},
        "TotalDeAmortizacao": amount(terms.schedule.total_amortizacao),
        "TotalDaTaxaDeServico": "0",
        "TotalDoSeguro": "0",
        "TotalDaTaxaDeCorrecao": "0",
        "TotalDeJuros": amount(terms.schedule.total_juros),
        "TotalDoValorDasParcelas": two_decimals(terms.schedule.total_parcelas),
        "detalhamentoDaCET": {
            "PorcentagemDeJuros": two_decimals(cet.juros),
            "PorcentagemDeImpostos": two_decimals(cet.impostos),
            "PorcentagemDeTarifas": two_decimals(cet.tarifas),
            "PorcentagemDeServicos": two_decimals(cet.servicos),
        },
    }


def _parcelas(rows: list[Row]) -> Iterator[Document]:
    """The rows as the source writes them. Most of the time of a document goes here: no text is made twice."""
    before, payment = amount(rows[0].saldo_anterior), amount(rows[-1].prestacao)
    for row in rows:
        after = amount(row.saldo_atual)
        yield {
            "NumeroDaParcela": str(row.numero),
            "DataDeVencimento": f"{row.vencimento.isoformat()}T00:00:00",
            "ValorDaAmortizacao": amount(row.amortizacao),
            "ValorDaCorrecao": "0",
            "ValorDoJuros": amount(row.juros),
            "ValorDoSeguro": "0",
            "ValorTaxaBancaria": "0",
            "ValorDaPrestacao": payment if row.numero else "0",
            "ValorDoSaldoAnterior": before,
            "ValorDoJurosCapitalizados": "0",
            "ValorDoSaldoAtual": after,
        }
        before = after


def _net(random: Random, person: str) -> int:
    """What the borrower gets, in cents: mostly round sums, the small ones more often."""
    low, high = (1_500, 60_000) if person == "PF" else (20_000, 500_000)
    share = random.random() * random.random()
    reais = low + int(share * (high - low)) // 50 * 50
    return reais * 100 + (below(random, 5_000) if chance(random, 0.1) else 0)


def _first_due(random: Random, released: date) -> date:
    """With grace the next 5th, 10th, ... 25th past a month and some days; without, a month at most."""
    month = add_months(released, 1)
    if not chance(random, _GRACE):
        return month - timedelta(days=below(random, 6))
    day = month + timedelta(days=3 + below(random, 38))
    if day.day > 25:
        return add_months(day.replace(day=5), 1)
    return day.replace(day=-(-day.day // 5) * 5)
