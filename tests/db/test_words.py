"""Views, codes, comments and rights: applied again where their text differs, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import Connection, text
from world import D1, World, at, document

from ccb_luigi import codes, dictionary
from ccb_luigi.codes import Code
from ccb_luigi.database import postgres, schema, words
from ccb_luigi.errors import Busy, TargetError
from ccb_luigi.settings import Settings
from ccb_luigi.tables import metadata

# --- databases of another state ----------------------------------------------------------------------

OURS = "CAST(c.relnamespace AS regnamespace)::text IN ('public', 'controle', 'staging', 'analise')"
CATALOGUE = {
    "relations": f"""
        SELECT c.oid::regclass::text, c.relkind::text, c.relpersistence::text, c.reloptions, c.relacl::text,
               obj_description(c.oid, 'pg_class') FROM pg_class c WHERE {OURS}""",
    "columns": f"""
        SELECT c.oid::regclass::text, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, a.attidentity::text, pg_get_expr(d.adbin, d.adrelid), a.attcollation,
               col_description(c.oid, a.attnum)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND {OURS}""",
    "constraints": f"""
        SELECT c.oid::regclass::text, n.conname, n.convalidated, pg_get_constraintdef(n.oid)
        FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid WHERE {OURS}""",
    "indexes": f"""
        SELECT c.oid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE {OURS}""",
    "views": f"""
        SELECT c.oid::regclass::text, pg_get_viewdef(c.oid) FROM pg_class c
        WHERE c.relkind = 'v' AND {OURS}""",
    "functions": f"""
        SELECT c.oid::regprocedure::text, pg_get_functiondef(c.oid), c.proacl::text,
               obj_description(c.oid, 'pg_proc')
        FROM pg_proc c WHERE {OURS.replace("relnamespace", "pronamespace")}""",
    "schemas": r"""
        SELECT nspname, nspacl::text, obj_description(oid, 'pg_namespace') FROM pg_namespace
        WHERE nspname NOT LIKE 'pg\_%temp\_%'""",  # they stay where any session had a temporary table
    "codes": "SELECT codigo, tipo, significado, providencia FROM controle.codigos",
    "texts": "SELECT nome, sha256 FROM controle.textos",
    "revision": "SELECT version_num, 1 FROM controle.alembic_version",
}


@pytest.fixture
def empty(postgres_server: Any) -> Iterator[World]:
    """A database without anything."""
    name = f"words_{uuid4().hex}"
    connection = psycopg2.connect(postgres_server.url)
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    world = World(Settings(postgres_url=postgres_server.url_of(name), retry_seconds=0.1, lock_seconds=30))
    yield world
    postgres.of_process(world.settings).engine.dispose()
    connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


OTHER_WORDS = """
    COMMENT ON TABLE parcelas IS NULL;
    COMMENT ON COLUMN vw_codigos.tipo IS 'x';
    UPDATE controle.codigos SET significado = 'x' WHERE codigo = 'ausente';
    DROP VIEW vw_fluxo_mensal, analise.parcelas;
    DROP FUNCTION staging.limpar(integer);
    DROP VIEW vw_agenda_vencimentos;
    CREATE VIEW vw_agenda_vencimentos AS SELECT ccb_code AS contrato FROM parcelas;
    CREATE OR REPLACE VIEW analise.identidades AS
        SELECT client_id, tipo, orgao_emissor, uf_emissor FROM identidades WHERE false;
    DELETE FROM controle.textos
"""


@pytest.mark.parametrize("made", ["by the first revision alone", "with other words"])
def test_a_database_with_other_words_or_none_becomes_what_a_new_one_is(
    empty: World, world: World, made: str
) -> None:
    if made == "with other words":
        schema.upgrade(empty.settings)
        empty.query(OTHER_WORDS)
    else:
        postgres.of_process(empty.settings).run(lambda c: schema.migrate(c, schema.FIRST))
    before = schema.REVISION if made == "with other words" else schema.FIRST
    assert schema.upgrade(empty.settings) == (before, schema.REVISION)
    for what, statement in CATALOGUE.items():
        new = world.query(f"{statement} ORDER BY 1, 2")
        assert new, what
        assert empty.query(f"{statement} ORDER BY 1, 2") == new, what


# --- nothing to change --------------------------------------------------------------------------------


def apply(world: World, said: list[str] | None = None) -> object:
    """Applies the words; returns the transaction's number, or nothing if it wrote nothing."""

    def work(connection: Connection) -> object:
        postgres.wait_briefly(connection)
        words.apply(connection, (said if said is not None else []).append)
        return connection.execute(text("SELECT CAST(pg_current_xact_id_if_assigned() AS text)")).scalar()

    return postgres.of_process(world.settings).run(work)


def test_an_upgrade_with_nothing_to_change_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = []
    real = words.apply

    def watched(connection: Connection, tell: words.Tell) -> None:
        real(connection, tell)
        numbers.append(connection.execute(text("SELECT pg_current_xact_id_if_assigned()")).scalar())

    monkeypatch.setattr(words, "apply", watched)
    schema.upgrade(world.settings)
    assert numbers == [None]


def test_readers_of_every_view_and_an_upgrade_with_nothing_to_change_do_not_meet(world: World) -> None:
    with psycopg2.connect(world.settings.postgres_url) as reader:
        for one in words.definitions():
            kind, _, name = one.partition(" ")
            if kind == "VIEW":
                reader.cursor().execute(f"SELECT count(*) FROM {name}")
        schema.upgrade(world.settings)
    reader.close()


# --- codes --------------------------------------------------------------------------------------------

NEW = Code("this is new", "Isto é novo", "Fazer 100% de nada: é um exemplo.", "Do nothing.")


def test_a_new_code_a_changed_one_and_one_that_is_gone_need_no_migration(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = codes.FINDINGS["saldo_final"]._replace(significado="Outras palavras")
    findings = codes.FINDINGS | {"novo": NEW, "saldo_final": changed}
    del findings["cet_soma"]
    monkeypatch.setattr(codes, "FINDINGS", findings)
    assert apply(world)
    found = {code: words for code, *words in world.query("SELECT * FROM vw_codigos")}
    assert found["novo"] == ["alerta", "Isto é novo", "Fazer 100% de nada: é um exemplo."]
    assert found["saldo_final"][1] == "Outras palavras"
    assert found.keys() == codes.REJECTIONS.keys() | findings.keys()
    assert apply(world) is None


# --- comments -----------------------------------------------------------------------------------------


def test_a_comment_that_somebody_changed_or_dropped_is_told_again(world: World) -> None:
    said = dict(words.comments())
    places = [
        *("TABLE public.parcelas", "COLUMN public.parcelas.ccb_code", "COLUMN staging.contratos.lote"),
        *("VIEW public.vw_fluxo_mensal", "COLUMN public.vw_fluxo_mensal.mes", "SCHEMA analise"),
        f"FUNCTION public.{next(iter(dictionary.FUNCTIONS))}",
    ]
    for place, other in zip(places, ["'x'", "NULL"] * 4, strict=False):
        assert said[place]
        world.query(f"COMMENT ON {place} IS {other}")
    assert apply(world)
    found = dict(world.query(words._COMMENTS))
    assert {place: found[place] for place in said} == said
    assert apply(world) is None


def test_a_comment_may_hold_quotes_colons_and_percent_signs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = r"d'água: 100% :nome %(x)s \n"
    monkeypatch.setattr(metadata.tables["parcelas"], "comment", strange)
    assert apply(world)
    assert world.one("SELECT obj_description('parcelas'::regclass)") == strange
    assert apply(world) is None


# --- views and functions ------------------------------------------------------------------------------

FLUXO = "public.vw_fluxo_mensal"


@pytest.fixture
def views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``views.sql`` that the test may change."""
    copy = tmp_path / "views.sql"
    copy.write_text(words.VIEWS.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(words, "VIEWS", copy)
    return copy


def change(file: Path, old: str, new: str) -> None:
    before = file.read_text(encoding="utf-8")
    assert before.count(old) == 1
    file.write_text(before.replace(old, new), encoding="utf-8")


def say_nothing_of(monkeypatch: pytest.MonkeyPatch, view: str, column: str) -> None:
    """In a copy of the dictionary: what is put back into a dict comes last, and the order is looked at."""
    about, columns = dictionary.VIEWS[view]
    others = {name: said for name, said in columns.items() if name != column}
    monkeypatch.setitem(dictionary.VIEWS, view, (about, others))


OBJECTS = """
    SELECT c.oid::regclass::text, c.oid::bigint, max(r.xmin::text) FROM pg_class c
    JOIN pg_rewrite r ON r.ev_class = c.oid
    WHERE c.relkind = 'v' AND CAST(c.relnamespace AS regnamespace)::text IN ('public', 'analise')
    GROUP BY c.oid
"""


def test_only_the_view_whose_text_differs_is_replaced_and_stays_the_same_object(
    world: World, views: Path
) -> None:
    before = {name: rest for name, *rest in world.query(OBJECTS)}
    change(views, "WHERE p.numero_parcela >= 1 AND o.excluido_em IS NULL\nGROUP BY", "WHERE false\nGROUP BY")
    with psycopg2.connect(world.settings.postgres_url) as reader:  # of all others
        for name in before.keys() - {"vw_fluxo_mensal"}:
            reader.cursor().execute(f"SELECT count(*) FROM {name}")
        assert apply(world)
    reader.close()
    after = {name: rest for name, *rest in world.query(OBJECTS)}
    assert {name for name in before if after[name] != before[name]} == {"vw_fluxo_mensal"}
    assert after["vw_fluxo_mensal"][0] == before["vw_fluxo_mensal"][0]
    assert apply(world) is None


def test_a_comment_in_the_file_changes_no_view(world: World, views: Path) -> None:
    change(views, "-- Each code is a row of codes.py.\n", "-- Other words.\n-- And more.\n")
    assert apply(world) is None


def test_an_upgrade_gives_up_rather_than_queue_for_a_view_that_is_read(world: World, views: Path) -> None:
    change(views, "WHERE p.numero_parcela >= 1 AND o.excluido_em IS NULL\nGROUP BY", "WHERE false\nGROUP BY")
    impatient = World(Settings(postgres_url=world.settings.postgres_url, retry_seconds=0.1, lock_seconds=10))
    with psycopg2.connect(world.settings.postgres_url) as reader:
        reader.cursor().execute(f"SELECT count(*) FROM {FLUXO}")
        with pytest.raises(Busy, match="nothing was changed"):
            schema.upgrade(impatient.settings)
    reader.close()
    schema.upgrade(impatient.settings)
    assert "WHERE false" in world.one(f"SELECT pg_get_viewdef('{FLUXO}'::regclass)")


def test_a_view_that_was_dropped_is_made_again(world: World) -> None:
    world.query(f"DROP VIEW {FLUXO}; DROP FUNCTION staging.limpar(integer)")
    assert apply(world)
    assert world.query(f"SELECT * FROM {FLUXO}") == []
    assert world.one("SELECT has_function_privilege('public', 'staging.limpar(integer)', 'EXECUTE')") is False
    assert apply(world) is None


@pytest.fixture
def role(world: World) -> Iterator[str]:
    name = f"leitor_{uuid4().hex[:8]}"
    world.query(f"CREATE ROLE {name}")
    yield name
    world.query(f"DROP OWNED BY {name}; DROP ROLE {name}")


RIGHTS = """
    SELECT grantee::regrole::text, privilege_type, is_grantable FROM pg_class c, aclexplode(c.relacl)
    WHERE c.oid = '{}'::regclass ORDER BY 1, 2
"""


def test_a_view_with_other_columns_is_made_anew_with_its_rights_and_what_of_ours_uses_it(
    world: World, views: Path, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """vw_qualidade uses vw_codigos."""
    world.query(
        f"GRANT SELECT ON vw_codigos TO {role} WITH GRANT OPTION; GRANT SELECT ON vw_codigos TO PUBLIC"
    )
    world.query(f"GRANT SELECT ON vw_qualidade TO {role}")
    before = world.query(RIGHTS.format("vw_codigos")), world.query(RIGHTS.format("vw_qualidade"))
    change(
        views,
        "SELECT codigo, tipo, significado, providencia FROM",
        "SELECT codigo, significado, providencia FROM",
    )
    say_nothing_of(monkeypatch, "vw_codigos", "tipo")
    assert apply(world)
    assert len(world.query("SELECT * FROM vw_codigos")[0]) == 3
    assert world.query("SELECT significado FROM vw_qualidade") == []
    assert (world.query(RIGHTS.format("vw_codigos")), world.query(RIGHTS.format("vw_qualidade"))) == before
    assert apply(world) is None


def test_a_view_made_anew_keeps_its_owner(
    world: World, views: Path, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.query(f"ALTER VIEW vw_qualidade OWNER TO {role}")
    change(views, "       q.observado_em\nFROM", "       q.observado_em AS visto_em\nFROM")
    say_nothing_of(monkeypatch, "vw_qualidade", "observado_em")
    assert apply(world)
    assert world.one("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'vw_qualidade'") == role


def test_a_strangers_view_is_never_dropped_and_is_named(world: World, views: Path) -> None:
    world.query(f"CREATE VIEW public.deles AS SELECT mes, total FROM {FLUXO}")
    change(views, "AS sem_valor", "AS sem_prestacao")
    with pytest.raises(
        TargetError, match=r"nothing was changed: public\.deles depends on public\.vw_fluxo_mensal"
    ):
        apply(world)
    assert world.query("SELECT * FROM public.deles") == []
    assert world.query(f"SELECT sem_valor FROM {FLUXO}") == []


def test_a_view_that_the_file_has_no_more_is_dropped(
    world: World, views: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = views.read_text(encoding="utf-8")
    start = whole.index("CREATE OR REPLACE VIEW public.vw_agenda")
    views.write_text(whole[:start] + whole[whole.index("\n\n", start) + 2 :], encoding="utf-8")
    others = {name: said for name, said in dictionary.VIEWS.items() if name != "vw_agenda_vencimentos"}
    monkeypatch.setattr(dictionary, "VIEWS", others)
    assert apply(world)
    assert world.one("SELECT to_regclass('vw_agenda_vencimentos')") is None
    assert apply(world) is None


# --- rights -------------------------------------------------------------------------------------------

ROLES = ("ccb_loader", "ccb_analyst", "ccb_restricted_reader")


@pytest.fixture
def granted(world: World) -> Iterator[World]:
    schema.grant(world.settings)
    yield world
    for name in ROLES:
        world.query(f"DROP OWNED BY {name}; DROP ROLE {name}")


MAY = "SELECT has_table_privilege('ccb_analyst', 'public.vw_codigos', 'SELECT')"


def test_rights_that_were_given_once_are_given_again_when_their_text_differs(
    granted: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert apply(granted) is None
    other = tmp_path / "grants.sql"
    whole = words.GRANTS.read_text(encoding="utf-8")
    less = whole.replace(",\n    public.vw_codigos\nTO ccb_analyst", "\nTO ccb_analyst")
    assert less != whole
    other.write_text(less, encoding="utf-8")
    monkeypatch.setattr(words, "GRANTS", other)
    assert granted.one(MAY)
    assert apply(granted)
    assert not granted.one(MAY)
    assert apply(granted) is None


def test_an_upgrade_makes_no_roles_where_none_were_made(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "grants.sql"
    other.write_text("SELECT 1 / 0", encoding="utf-8")
    monkeypatch.setattr(words, "GRANTS", other)
    assert apply(world) is None


def test_who_may_not_give_rights_is_told_who_must(
    granted: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "grants.sql"
    other.write_text(
        "DO $$ BEGIN RAISE insufficient_privilege; END $$; GRANT SELECT ON clientes TO ccb_analyst",
        encoding="utf-8",
    )
    monkeypatch.setattr(words, "GRANTS", other)
    said: list[str] = []
    apply(granted, said)
    assert said == [
        "the roles' rights have changed: run `ccb-luigi db grants --apply` as one who may give them"
    ]
    assert granted.one("SELECT has_table_privilege('ccb_analyst', 'clientes', 'SELECT')") is False


# --- a load with words that are older -----------------------------------------------------------------


def test_older_words_keep_no_night_from_running(world: World) -> None:
    world.query(
        "DELETE FROM controle.codigos; DELETE FROM controle.textos; COMMENT ON TABLE parcelas IS NULL"
    )
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    assert world.contracts() == {"A": "a"}
