"""How to add a column, a finding, a field of a schedule's row, a kind of value: lists of edits.

A recipe says which files a change touches, and nothing else has to be touched: ``test_recipes.py`` performs
each on a copy of the tree and runs the copy. Follow one when you do the same; the last step is always
``make docs``.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
COPIED = ("ccb_luigi", "tests", "docs", "pyproject.toml", "luigi.cfg")
MADE = "docs/data-dictionary.md"
"""What `make docs` writes."""


@dataclass(frozen=True)
class Edit:
    """``text`` goes into the file where ``after`` ends: a regular expression that it must match once."""

    file: str
    after: str
    text: str


@dataclass(frozen=True)
class Recipe:
    """``new``: path → content of the files that weren't there."""

    name: str
    edits: tuple[Edit, ...]
    new: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> set[str]:
        """All that it touches."""
        return {edit.file for edit in self.edits} | {*self.new, MADE}

    def perform(self, tree: Path) -> None:
        """Everything but `make docs`."""
        for edit in self.edits:
            path = tree / edit.file
            content = path.read_text(encoding="utf-8")
            (place,) = re.finditer(edit.after, content)
            path.write_text(content[: place.end()] + edit.text + content[place.end() :], encoding="utf-8")
        for name, content in self.new.items():
            (tree / name).write_text(content, encoding="utf-8")


def copy(place: Path) -> Path:
    """The tree, without what others made in it."""
    place.mkdir()
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
        else:
            shutil.copy(source, place / name)
    return place


def contents(tree: Path) -> dict[str, bytes]:
    """Path → a hash of each file, but for what running leaves behind."""
    return {
        path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in tree.rglob("*")
        if path.is_file() and not {"__pycache__", ".hypothesis", ".pytest_cache"}.intersection(path.parts)
    }


# --- words that the recipes share --------------------------------------------------------------------

CONTRACT, TABLES, WORDS = "ccb_luigi/documents/contract.py", "ccb_luigi/tables.py", "ccb_luigi/dictionary.py"
CODES = "ccb_luigi/codes.py"
OF_WORDS = "tests/unit/test_dictionary.py"
"""The test that each recipe has to pass, with those that it names."""
RULES_BY_HAND = "tests/unit/test_schema_rules.py"
FORMS_BY_HAND = "tests/db/test_columns.py"
VIEWS = "ccb_luigi/views.sql"
REVISIONS = "ccb_luigi/migrations/versions"


def last(table: str) -> str:
    """In ``tables.py``, behind the last column of a table: a new one is the last in the database, too."""
    return rf"(?ms)^{table} = _table\(\n.*?(?=^(    CheckConstraint|\)\n))"


def meaning_of_last(table: str) -> str:
    """In ``dictionary.py``, behind the meaning of its last column."""
    return rf'(?ms)^    "{table}": \(\n.*?(?=^        \}},\n)'


def shown_to_analysts(table: str) -> str:
    """In ``views.sql``, behind the last column of the view; what they may not see, ``test_roles`` lists."""
    return rf"(?s)VIEW analise\.{table} .*?(?=\nFROM public\.{table}\b)"


def of_kind(name: str) -> str:
    """In ``test_columns.py``, in front of the columns of a kind: every form is put into each."""
    return rf"(?m)^{name} = \{{\n"


def revision(table: str, column: str, kind: str, finite: str = "") -> dict[str, str]:
    """A new column; of a number the table's one check with it, which is validated after the migration."""
    revisions = sorted((REPOSITORY / REVISIONS).glob("[0-9]*.py"))
    before = revisions[-1].name[:4]
    number = f"{int(before) + 1:04}"
    (check,) = re.findall(
        rf"(?s)CONSTRAINT {table}_finitos_check CHECK \((.*?)\)\n\)", revisions[0].read_text(encoding="utf-8")
    )
    with_it = f"""
        ALTER TABLE {table} DROP CONSTRAINT {table}_finitos_check;
        ALTER TABLE {table} ADD CONSTRAINT {table}_finitos_check CHECK (
            {check.strip()}
            AND {finite}
        ) NOT VALID;"""
    return {
        f"{REVISIONS}/{number}_{column}.py": f'''"""{table}.{column}."""

from alembic import op

revision = "{number}"
down_revision = "{before}"


def upgrade() -> None:
    """Adds the column, which is null in old rows."""
    op.execute("""
        ALTER TABLE {table} ADD COLUMN {column} {kind};
        ALTER TABLE staging.{table} ADD COLUMN {column} {kind};{with_it if finite else ""}
    """)
'''
    }


# --- the recipes -------------------------------------------------------------------------------------

COLUMN = Recipe(
    "a column: the rate of default interest",
    (
        Edit(CONTRACT, r'    "CET_ANUAL": RATE,\n', '    "TaxaDeMora": RATE,\n'),
        Edit(TABLES, last("operacoes"), '    _from("operation.TaxaDeMora", "taxa_mora", Rate),\n'),
        Edit(
            WORDS,
            meaning_of_last("operacoes"),
            '            "taxa_mora": ("Taxa de juros de mora ao mês, em por cento", "1.00"),\n',
        ),
        Edit(RULES_BY_HAND, r"operation\.CET_ANUAL rate\n", "operation.TaxaDeMora rate\n"),
        Edit(FORMS_BY_HAND, of_kind("RATES"), '    "operacoes.taxa_mora": "operation.TaxaDeMora",\n'),
        Edit(VIEWS, shown_to_analysts("operacoes"), ", taxa_mora"),
    ),
    revision(*("operacoes", "taxa_mora", "numeric"), "taxa_mora < 'Infinity' AND taxa_mora > '-Infinity'"),
)

FINDING = Recipe(
    "a finding: grace of less than no months",
    (
        Edit(
            CODES,
            r"(?=    \"valor_zero\": Code\()",
            '    "carencia_negativa": Code(\n'
            '        "Carencia is below zero",\n'
            '        "Carencia é menor que zero",\n'
            "        *_DAYS,\n"
            "    ),\n",
        ),
        Edit(
            "ccb_luigi/documents/sanity.py",
            r'            yield "valor_zero", .*\n',
            '    if (operation.get("Carencia") or 0) < 0:\n'
            '        yield "carencia_negativa", "operation.Carencia"\n',
        ),
        Edit(
            "tests/flagged.py",
            r'    "valor_zero": _set\(.*\n',
            '    "carencia_negativa": _set("operation.Carencia", -1),\n',
        ),
        Edit(
            "tests/unit/test_findings.py",
            r'(?=    "valor_zero": \(\n)',
            '    "carencia_negativa": ({"operation.Carencia": "-1"}, {"operation.Carencia"}),\n',
        ),
    ),
)

FIELD_OF_A_ROW = Recipe(
    "an optional amount in a schedule's row: a fine",
    (
        Edit(CONTRACT, r'    "ValorDoSaldoAtual": MONEY,\n', '    "ValorDaMulta": MONEY,\n'),
        Edit(TABLES, last("parcelas"), '    _from("ValorDaMulta", "valor_multa", Money),\n'),
        Edit(
            WORDS,
            meaning_of_last("parcelas"),
            '            "valor_multa": ("Multa contratual, em reais", "0.00"),\n',
        ),
        Edit(
            RULES_BY_HAND,
            r"(?<=PrevisaoDeParcela\[\]\.ValorDoSaldoAtual money\n)",
            "operation.parcelas.PrevisaoDeParcela[].ValorDaMulta money\n",
        ),
        Edit(FORMS_BY_HAND, of_kind("MONEY"), '    "parcelas.valor_multa": f"{_ROW}.ValorDaMulta",\n'),
        Edit(VIEWS, shown_to_analysts("parcelas"), ", p.valor_multa"),
    ),
    revision("parcelas", "valor_multa", "numeric(15, 2)", "valor_multa <> 'NaN'"),
)

KIND = Recipe(
    "a kind of value: a currency, with the column that holds one",
    (
        Edit(
            "ccb_luigi/documents/kinds.py",
            r'    "zip_code": Kind\(.*\n',
            '    "currency": Kind("string", values.currency, "text"),\n',
        ),
        Edit(
            "ccb_luigi/documents/values.py",
            r"(?=\n\ndef zip_code\()",
            "\n\ndef currency(value: Any) -> str | None:\n"
            '    """Three letters, in capitals. Raises ``tipo_invalido``, ``nul``."""\n'
            "    found = text(value)\n"
            "    if found is not None and not (len(found) == 3 and found.isascii() and found.isalpha()):\n"
            '        raise Unreadable("tipo_invalido")\n'
            "    return found and found.upper()\n",
        ),
        Edit(CONTRACT, r'    "CET_ANUAL": RATE,\n', '    "Moeda": _null("string", "currency"),\n'),
        Edit(TABLES, last("operacoes"), '    _from("operation.Moeda", "moeda"),\n'),
        Edit(WORDS, meaning_of_last("operacoes"), '            "moeda": ("Moeda do contrato", "BRL"),\n'),
        Edit(RULES_BY_HAND, r"operation\.CET_ANUAL rate\n", "operation.Moeda currency\n"),
        Edit(RULES_BY_HAND, r"(?<=^WORDS = \{)|(?<=\nWORDS = \{)", '"currency", '),
        Edit(FORMS_BY_HAND, of_kind("OTHERS"), '    "operacoes.moeda",\n'),
        Edit("tests/db/test_text.py", of_kind("CLOSED"), '    "operacoes.moeda",\n'),
        Edit(VIEWS, shown_to_analysts("operacoes"), ", moeda"),
    ),
    revision("operacoes", "moeda", "text"),
)
