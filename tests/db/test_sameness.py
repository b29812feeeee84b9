"""Two programs' rows are the same, or it is told which columns of which rows aren't: `make same`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bson
import pytest
from flagged import FLAGGED
from variants import VARIANTS
from world import D1, World, at, document, of_dump, rejected, unfounded

from benchmarks import sameness
from benchmarks.databases import execute
from benchmarks.measure import Failed
from benchmarks.sameness import KEYS, Compared
from ccb_luigi.demo import synth
from ccb_luigi.demo.servers import Postgres
from ccb_luigi.demo.spoiled import SPOILED
from ccb_luigi.settings import Settings

COPY = "ccb_sameness_copy"


@pytest.fixture
def loaded(database_url: str, tmp_path: Path) -> World:
    """Contracts A to E in the tables, with a finding each, and a rejected document."""
    dump = tmp_path / "documents.bson"
    good = [unfounded(document(code.lower(), code, at(D1), client=code)) for code in "ABCDE"]
    dump.write_bytes(b"".join(map(bson.encode, [*good, rejected(document("r", "R", at(D1)))])))
    world = World(
        replace(Settings(postgres_url=database_url, max_rejected_share=1), **of_dump(dump, D1), processes=1)
    )
    world.migrate(D1)
    return world


@pytest.fixture
def copy(loaded: World, postgres_server: Postgres) -> Iterator[World]:
    """The same rows in another database."""
    execute(postgres_server.url, f"DROP DATABASE IF EXISTS {COPY}")
    name = loaded.settings.postgres_url.rpartition("/")[2]
    execute(
        postgres_server.url,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    execute(postgres_server.url, f"CREATE DATABASE {COPY} TEMPLATE {name} STRATEGY FILE_COPY")
    yield World(replace(loaded.settings, postgres_url=postgres_server.url_of(COPY)))
    execute(postgres_server.url, f"DROP DATABASE {COPY} WITH (FORCE)")


def compared(loaded: World, copy: World, spool: Path) -> dict[str, Compared]:
    found = sameness.compare(loaded.settings.postgres_url, copy.settings.postgres_url, spool)
    return {each.name: each for each in found}


def test_what_only_clocks_and_numbers_of_rows_tell_apart_is_the_same(
    loaded: World, copy: World, tmp_path: Path
) -> None:
    copy.query("UPDATE clientes SET carregado_em = carregado_em + interval '1 day'")
    copy.query("UPDATE controle.quarentena SET ultima_vez = now()")
    copy.query("UPDATE controle.versoes SET impressao = 'of other rules', escritas = escritas + 1")
    found = compared(loaded, copy, tmp_path)
    assert list(found) == list(KEYS)
    assert all(each.before == each.now > 0 for each in found.values())
    assert found["parcelas"].now == 15
    assert not any(each.differing for each in found.values())
    assert not [*sameness.differences([*found.values()])]


def test_every_row_that_differs_is_told_by_its_key_and_columns_without_a_value(
    loaded: World, copy: World, tmp_path: Path
) -> None:
    copy.query(
        "UPDATE parcelas SET valor_juros = 0.01, valor_correcao = 0"
        " WHERE ccb_code = 'A' AND numero_parcela = 2"
    )
    copy.query("UPDATE parcelas SET valor_juros = 0.01 WHERE ccb_code = 'B' AND numero_parcela = 1")
    copy.query("UPDATE operacoes SET cet_anual = 12.5 WHERE ccb_code = 'C'")  # it is 12.50
    copy.query("UPDATE clientes SET pep = false WHERE client_id = 'A'")  # it is null
    copy.query("DELETE FROM enderecos WHERE client_id = 'D'")
    copy.query("INSERT INTO contatos VALUES ('E', 'email', 'canary@example.com')")
    copy.query('UPDATE controle.quarentena SET erros = erros || \'{"name": ["canary"]}\'')
    copy.query("DELETE FROM controle.qualidade WHERE ccb_code = 'A'")
    copy.query("UPDATE controle.versoes SET soma_prestacoes = soma_prestacoes + 1 WHERE ccb_code = 'B'")
    found = compared(loaded, copy, tmp_path)
    assert {name: (each.differing, each.columns) for name, each in found.items() if each.differing} == {
        "clientes": (1, {"pep": 1}),
        "enderecos": (1, {}),
        "contatos": (1, {}),
        "operacoes": (1, {"cet_anual": 1}),
        "parcelas": (2, {"valor_juros": 2, "valor_correcao": 1}),
        "controle.quarentena": (1, {"erros": 1}),
        "controle.qualidade": (1, {}),
        "controle.versoes": (1, {"soma_prestacoes": 1}),
    }
    assert found["parcelas"].examples == [
        "ccb_code 'A', numero_parcela 2",
        "ccb_code 'B', numero_parcela 1",
    ]
    assert found["enderecos"].examples == ["tipo 'residencial', client_id 'D' (only before)"]
    assert found["contatos"].examples == ["tipo 'email', client_id 'E' (only now)"]
    told = "\n".join(sameness.differences([*found.values()]))
    assert "parcelas: valor_juros (2), valor_correcao (1)\n  ccb_code 'A', numero_parcela 2" in told
    assert "canary" not in told


def test_the_synthetic_documents_of_the_dump_hold_every_kind_and_are_always_the_same() -> None:
    number = 3 * sameness.EVERY
    found = [*sameness.synthetic(number)]
    assert found == [*sameness.synthetic(number)]
    plain = synth.contracts(number, sameness.SEED, until=sameness.LAST, days=sameness.DAYS)
    odd = sum(raw != bson.encode(good) for raw, good in zip(found, plain, strict=True))
    kinds = len(SPOILED) + len(FLAGGED) + len(VARIANTS)
    assert kinds * 0.9 < odd <= 3 * sameness.CLUSTER


def test_a_tree_whose_program_would_not_be_the_one_that_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="isn't the program in"):
        sameness.migrate(tmp_path, "postgresql://nowhere", tmp_path / "documents.bson")
