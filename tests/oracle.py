"""Documents made at random, and the tables that they must become: written from the contract alone.

Nothing here calls the package. A ``Version`` knows its document and its rows; ``expected`` puts together
what the tables hold once the given versions have been read, whatever happened meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import bson
from bson import Int64

Document = dict[str, Any]
Row = tuple[Any, ...]

DAY_ZERO = date(2026, 3, 1)
"""What is in the tables before the first run is of this date."""

COLUMNS: dict[str, str] = {
    "clientes": "client_id, nome, tipo_pessoa, cpf_cnpj, data_nascimento, estado_civil, naturalidade, genero,"
    " nome_mae, pep, uf, estrutura, renda_media_mensal, mongo_id, atualizado_em",
    "identidades": "client_id, tipo, numero, orgao_emissor, uf_emissor",
    "enderecos": "client_id, tipo, cep, uf, cidade, logradouro, bairro, numero, complemento",
    "contatos": "client_id, tipo, valor",
    "dados_bancarios": "client_id, banco, agencia, conta",
    "operacoes": "ccb_code, mongo_id, client_id, status, vencimento_primeira_parcela, carencia, finan_iof,"
    " conta, valor_bruto, valor_seguro, valor_cad, valor_iof, valor_liquido, taxa_juros, taxa_juros_anual,"
    " cet,"
    " cet_anual, data_liberacao, data_vencimento_inicial, data_vencimento_final, numero_parcelas,"
    " total_amortizacao, total_taxa_servico, total_seguro, total_taxa_correcao, total_juros,"
    " total_valor_parcelas, criado_em, emitido_em, atualizado_em, excluido_em, extras::text",
    "parcelas": "ccb_code, numero_parcela, data_vencimento, valor_amortizacao, valor_correcao, valor_juros,"
    " valor_seguro, valor_taxa_bancaria, valor_prestacao, valor_saldo_anterior, valor_juros_capitalizados,"
    " valor_saldo_atual",
    "detalhamento_cet": "ccb_code, porcentagem_juros, porcentagem_impostos, porcentagem_tarifas,"
    " porcentagem_servicos",
    "controle.qualidade": "ccb_code, mongo_id, codigo, campo, particao",
}
EIGHT = tuple(COLUMNS)[:8]
STEPS = ("contratos", *EIGHT, "reconciliacoes")
CLIENT_CHILDREN = ("identidades", "enderecos", "contatos", "dados_bancarios")
CONTRACT_CHILDREN = ("parcelas", "detalhamento_cet")

REJECTIONS = {
    "no taxId": "ausente",
    "NaN": "nao_finito",
    "twice": "parcela_repetida",
    "no time": "data_invalida",
    "seconds": "data_ambigua",
}
TIMELESS = ("no time", "seconds")
"""Faults of the update time: nobody can say which date such a version belongs to."""


@dataclass(frozen=True, eq=False)
class Version:
    """One version of one document. ``moment``: its update time; ``fault``: of ``REJECTIONS``, or none."""

    mongo_id: str
    number: int
    code: str
    client: str
    moment: datetime
    rows: int
    fault: str = ""
    flagged: bool = False

    @property
    def day(self) -> date:
        """The date that it belongs to (moments lie between 03:00 and 24:00 UTC: no zone moves them)."""
        return self.moment.date()

    @property
    def tag(self) -> str:
        return f"{self.mongo_id} v{self.number}"

    @property
    def order(self) -> tuple[datetime, bytes]:
        """Newest wins by this."""
        return self.moment, self.mongo_id.encode()

    @property
    def accounts(self) -> list[tuple[str, str, str]]:
        return [("756", str(4100 + n), f"Conta {n} {self.tag}") for n in range(self.number % 3)]

    @property
    def due(self) -> list[date]:
        """Due dates; their day tells the version."""
        day = 1 + self.number % 28
        return [date(2026 + (3 + n) // 12, 1 + (3 + n) % 12, day) for n in range(self.rows)]

    def document(self) -> Document:
        """As the source holds it. The borrower's data name the version."""
        spread = self.number % 4
        moment: Any = self.moment
        if self.fault == "no time":
            moment = "ontem"
        elif self.fault == "seconds":
            moment = int(self.moment.timestamp())
        elif spread == 1:
            moment = self.moment.isoformat()
        elif spread == 2:
            moment = Int64(int(self.moment.timestamp() * 1000))
        found: Document = {
            "_id": self.mongo_id,
            "clientId": self.client,
            "name": f"  Nome\t{self.tag} \\N ",
            "taxId": "398.259.791-94",
            "type": "PF",
            "birthDate": self._day(date(1980, 2, 3)),
            "motherName": f"Mãe {self.tag}",
            "pep": "false",
            "averageMonthlyIncome": "5.432,10",
            "identity": {"number": f"RG {self.tag}", "issuer": "SSP", "issuerState": "MG"}
            if spread
            else None,
            "address": {"zipCode": "39999-000", "state": "MG", "city": f"Cidade {self.tag}"},
            "contacts": {"email": "", "phone": [f"{n} {self.tag}" for n in range(1 + spread)]},
            "bankData": [
                {"bankNumber": bank, "branchNumber": int(branch), "accountNumber": account}
                for bank, branch, account in self.accounts
            ],
            "operation": self._operation(),
            "status": f"Status {self.tag}",
            "ccbCode": self.code,
            "createdAt": "2026-01-05T12:00:00+00:00",
            "updatedAt": moment,
            "guarantors": [{"name": f"Aval {self.tag}"}],
        }
        if self.fault == "no taxId":
            del found["taxId"]
        return found

    def _operation(self) -> Document:
        total = f"{100 * max(self.rows, 1)}.00"
        schedule = [
            {
                "NumeroDaParcela": str(number),
                "DataDeVencimento": self._day(due),
                "ValorDaAmortizacao": "100.00",
                "ValorDoJuros": 0,
                "ValorDaPrestacao": 100.0,
                "ValorDoSaldoAnterior": f"{100 * (self.rows - number + 1)}.00",
                "ValorDoSaldoAtual": f"{100 * (self.rows - number)}",
            }
            for number, due in enumerate(self.due, 1)
        ]
        if self.fault == "twice":
            schedule = 2 * (schedule or [{"NumeroDaParcela": "1", "DataDeVencimento": "2026-04-01"}])
        return {
            "VencimentoPrimeiraParcela": "2026-04-10",
            "FinanIOF": False,
            "ValorBruto": float("nan") if self.fault == "NaN" else total,
            "ValorLiquido": total,
            "CET_ANUAL": "12.50",
            "NumeroDeParcelas": 99 if self.flagged else self.rows,
            "parcelas": {"PrevisaoDeParcela": schedule[0] if len(schedule) == 1 else schedule},
            "detalhamentoDaCET": {"PorcentagemDeJuros": f"{self.number}.25"} if self.number % 5 else None,
        }

    def _day(self, day: date) -> Any:
        """A day in one of its forms: they mean the same (contract §1)."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        forms = (f"{day}T00:00:00", f"{day}T00:00:00.000Z", midnight, Int64(midnight.timestamp() * 1000))
        return forms[self.number % 4]

    def table_rows(self) -> dict[str, list[Row]]:
        """The rows that the version has for each table, all columns of ``COLUMNS``."""
        spread, total = self.number % 4, Decimal(100 * max(self.rows, 1))
        number_of_rows = 99 if self.flagged else self.rows
        extras = json.dumps({"guarantors": [{"name": f"Aval {self.tag}"}]}, ensure_ascii=False)
        birth, issued = date(1980, 2, 3), datetime(2026, 1, 5, 12, tzinfo=UTC)
        nothing, costs = (None,) * 6, (None, None, None, Decimal("12.50"), None, None, None)
        name, mother = f"Nome\t{self.tag} \\N", f"Mãe {self.tag}"
        person = (name, "PF", "39825979194", birth, None, None, None, mother, False, None, None)
        contract = (
            f"Status {self.tag}",
            date(2026, 4, 10),
            None,
            False,
            None,
            total,
            None,
            None,
            None,
            total,
        )
        last = (issued, None, self.moment, None, extras)
        return {
            "clientes": [(self.client, *person, Decimal("5432.10"), self.mongo_id, self.moment)],
            "identidades": [
                (self.client, "CPF", "39825979194", None, None),
                *([(self.client, "RG", f"RG {self.tag}", "SSP", "MG")] if spread else []),
            ],
            "enderecos": [
                (self.client, "residencial", "39999000", "MG", f"Cidade {self.tag}", None, None, None, None)
            ],
            "contatos": [(self.client, "telefone", f"{n} {self.tag}") for n in range(1 + spread)],
            "dados_bancarios": [(self.client, *account) for account in self.accounts],
            "operacoes": [
                (
                    self.code,
                    self.mongo_id,
                    self.client,
                    *contract,
                    *costs,
                    number_of_rows,
                    *nothing,
                    *last,
                )
            ],
            "parcelas": [self._parcela(number, due) for number, due in enumerate(self.due, 1)],
            "detalhamento_cet": [(self.code, Decimal(f"{self.number}.25"), None, None, None)]
            if self.number % 5
            else [],
            "controle.qualidade": [
                (self.code, self.mongo_id, code, f"operation.{path}", self.day)
                for code, path in self.findings
            ],
        }

    @property
    def findings(self) -> list[tuple[str, str]]:
        """A wrong number of instalments; where there is none at all, that too."""
        wrong = [("numero_parcelas", "NumeroDeParcelas")] if self.flagged else []
        none = [("sem_cronograma", "parcelas.PrevisaoDeParcela")] if self.flagged and not self.rows else []
        return wrong + none

    def _parcela(self, number: int, due: date) -> Row:
        before, after = Decimal(100 * (self.rows - number + 1)), Decimal(100 * (self.rows - number))
        paid = (Decimal(100), None, Decimal(0), None, None, Decimal(100))
        return (self.code, number, due, *paid, before, None, after)


State = dict[str, Version]
"""``_id`` → the version that the source holds."""


@dataclass
class Source:
    """A source that changes. Codes may move, but never to one that another document has or had.

    ``rivals`` share a code with another document; those and the unreadable ones never change.
    """

    random: random.Random
    days: list[date]
    state: State = field(default_factory=dict)
    _serial: int = 0
    _fixed: set[str] = field(default_factory=set)

    def begin(self, documents: int, day: date) -> None:
        """Documents of one date, all of them good: what earlier runs have loaded."""
        for _ in range(documents):
            self._new(day, good=True)

    def change(self, documents: int, *, rivals: bool = True) -> None:
        """So many changes: new documents, newer versions, rivals for a code, documents without a time."""
        for _ in range(documents):
            chance, changeable = self.random.random(), sorted(self.state.keys() - self._fixed)
            if chance < 0.35 or not changeable:
                self._new(self.random.choice(self.days))
            elif chance < 0.4 and rivals:
                self._rival(self.state[self.random.choice(changeable)])
            elif chance < 0.42:
                fault = TIMELESS[self._next() % 2]
                self._add(f"t{self._serial}", fault, self.days[0], fault=fault, fixed=True)
            elif chance < 0.45:
                del self.state[self.random.choice(changeable)]
            else:
                self._update(self.state[self.random.choice(changeable)])

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _moment(self, earliest: datetime | None, days: list[date]) -> datetime:
        day = self.random.choice([d for d in days if earliest is None or d >= earliest.date()] or days[-1:])
        moment = datetime(day.year, day.month, day.day, 3, tzinfo=UTC) + timedelta(
            seconds=self.random.randrange(20 * 3600)
        )
        return moment if earliest is None or moment > earliest else earliest + timedelta(milliseconds=1)

    def _client(self) -> str:
        return f"k{self.random.randrange(1 + len(self.state) // 3)}"

    def _new(self, day: date, good: bool = False) -> None:
        number = self._next()
        name = self.random.choice(["a", "B", "é", "_"])
        fault = "" if good else self._fault()
        self._add(f"{name}{number}", f"C{number}", day, fault=fault)

    def _fault(self) -> str:
        return self.random.choice(["no taxId", "NaN", "twice"]) if self.random.random() < 0.06 else ""

    def _add(self, mongo_id: str, code: str, day: date, *, fault: str = "", fixed: bool = False) -> None:
        self.state[mongo_id] = Version(
            mongo_id,
            self._serial,
            code,
            self._client(),
            self._moment(None, [day]),
            self.random.choice([0, 1, 2, 3, 12]),
            fault,
            flagged=self.random.random() < 0.1,
        )
        if fixed:
            self._fixed.add(mongo_id)

    def _rival(self, of: Version) -> None:
        if of.fault or sum(v.code == of.code for v in self.state.values()) > 1:
            return
        number = self._next()
        self._fixed.add(of.mongo_id)
        self._add(f"r{number}", of.code, self.random.choice(self.days), fixed=True)

    def _update(self, old: Version) -> None:
        number = self._next()
        moves = self.random.random()
        self.state[old.mongo_id] = Version(
            old.mongo_id,
            number,
            f"C{number}" if moves < 0.1 else old.code,
            self._client() if moves > 0.8 else old.client,
            self._moment(old.moment, self.days),
            self.random.choice([0, 1, 2, 5, 9]),
            self._fault(),
            flagged=self.random.random() < 0.1,
        )


def belongs(version: Version, day: date) -> bool:
    """Whether the date's extraction reads it."""
    return version.fault in TIMELESS or version.day == day


@dataclass
class Expected:
    """What the database holds afterwards."""

    tables: dict[str, Counter[Row]]
    quarantine: dict[str, tuple[list[str], set[date], Version]]
    """``mongo_id`` → codes, the dates that it may stand under, and the version."""
    staged: dict[tuple[str, date], int]
    """(step, date) → ``linhas`` of its marker, but for documents whose time can't be read."""


def expected(begun: Iterable[Version], read: Mapping[date, Iterable[Version]]) -> Expected:
    """The tables once ``begun`` was loaded and each date has read its versions, in whatever order."""
    reads = {day: list(versions) for day, versions in read.items()}
    versions = [*begun, *(version for day in reads for version in reads[day])]
    newest: dict[str, Version] = {}
    good: dict[str, Version] = {}
    for version in sorted(versions, key=lambda v: v.number):
        newest[version.mongo_id] = version
        if not version.fault:
            good[version.mongo_id] = version
    owners: dict[str, Version] = {}
    clients: dict[str, Version] = {}
    for version in sorted(good.values(), key=lambda v: v.order):
        owners[version.code] = version
    for version in sorted((v for v in versions if not v.fault), key=lambda v: v.order):
        clients[version.client] = version
    tables: dict[str, Counter[Row]] = defaultdict(Counter)
    for version in clients.values():
        for name in ("clientes", *CLIENT_CHILDREN):
            tables[name].update(version.table_rows()[name])
    for version in owners.values():
        for name in ("operacoes", *CONTRACT_CHILDREN, "controle.qualidade"):
            tables[name].update(version.table_rows()[name])
    rejected = {
        v.mongo_id: ([REJECTIONS[v.fault]], set(reads) if v.fault in TIMELESS else {v.day}, v)
        for v in newest.values()
        if v.fault
    }
    losers = {v.mongo_id: (["ccb_duplicado"], {v.day}, v) for v in good.values() if owners[v.code] is not v}
    return Expected(dict(tables), rejected | losers, dict(_marked(reads)))


def _marked(reads: Mapping[date, list[Version]]) -> Iterator[tuple[tuple[str, date], int]]:
    for day, versions in reads.items():
        dated = [version for version in versions if version.fault not in TIMELESS]
        yield ("contratos", day), len(dated)
        yield ("reconciliacoes", day), len(dated)
        rows = [version.table_rows() for version in versions if not version.fault]
        for name in EIGHT:
            yield (name, day), sum(len(of[name]) for of in rows)


def differences(found: Mapping[str, Any], wanted: Expected, *, again: bool = False) -> list[str]:
    """Every difference in one line; ``found`` is what ``arena.read`` returns. Nothing: all is well.

    ``again``: a rerun may pass over what can't have changed, so that its loads stage fewer rows.
    """
    said: list[str] = []
    for name in COLUMNS:
        rows, rights = Counter(found[name]), wanted.tables.get(name, Counter())
        said += [f"{name}: lost {row[:3]}" for row in (rights - rows).elements()]
        said += [f"{name}: unexpected or double {row[:3]}" for row in (rows - rights).elements()]
    said += _quarantine_differences(found["quarentena"], wanted)
    marked = {(step, day): lines for step, day, lines in found["markers"] if day > DAY_ZERO}
    staged = Counter(wanted.staged)
    for mongo_id, _, day, *_ in found[
        "quarentena"
    ]:  # whoever has no date counts with the one it stands under
        if mongo_id in wanted.quarantine and wanted.quarantine[mongo_id][2].fault in TIMELESS:
            staged.update({("contratos", day): 1, ("reconciliacoes", day): 1})
    for (step, day), lines in staged.items():
        rows = marked.get((step, day))
        fewer = again and step in EIGHT and rows is not None and rows < lines
        if rows != lines and not fewer:
            said.append(f"marker {step}:{day}: {rows} rows, not {lines}")
    said += [f"marker {key} of nothing" for key in marked.keys() - staged.keys()]
    proofs = {day: (read, ok) for day, read, ok in found["proofs"]}
    for (step, day), lines in staged.items():
        if step == "reconciliacoes" and proofs.get(day) != (lines, True):
            said.append(f"proof of {day}: {proofs.get(day)}, not {lines} documents")
    said += [f"staging.{name} holds {n} rows" for name, n in found["staging"].items() if n]
    return said


def _quarantine_differences(entries: list[Row], wanted: Expected) -> Iterator[str]:
    open_ = Counter(entry[0] for entry in entries)
    yield from (f"quarantine: {name} {n} times" for name, n in open_.items() if n > 1)
    yield from (f"quarantine: {name} is missing" for name in wanted.quarantine.keys() - open_.keys())
    for mongo_id, codes, day, raw, digest in entries:
        if mongo_id not in wanted.quarantine:
            yield f"quarantine: {mongo_id} ({codes}) is too much"
            continue
        right, days, version = wanted.quarantine[mongo_id]
        if codes != right or day not in days:
            yield f"quarantine: {mongo_id} has {codes} of {day}, not {right} of {sorted(days)}"
        if bytes(raw) != bson.encode(version.document()) or digest != hashlib.sha256(raw).hexdigest():
            yield f"quarantine: {mongo_id} keeps other bytes than {version.tag}"
