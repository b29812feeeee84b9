"""What a database says: views, functions, codes, comments and rights, applied again where the text differs.

Migrations make shape and are kept for ever; these have one text each, which an upgrade compares with what the
database has:

- ``views.sql``: each view and function, by the hash of the text that was run last (``controle.textos``). It
  is replaced in place, and made anew with the rights that it had if its columns changed. Replacing a view
  needs the lock that its readers must wait for, and is done only when its text differs.
- ``codes``: the rows of ``controle.codigos``.
- ``dictionary``: the comment on every table, view and column.
- ``grants.sql``: the rights, where `db grants --apply` has given them before.

A program doesn't refuse a database whose words are older than its own. Where code depends on a change of a
function, a revision, be it without a change of shape, makes it refuse.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ccb_luigi import codes, dictionary
from ccb_luigi.database.postgres import plainly
from ccb_luigi.errors import TargetError
from ccb_luigi.tables import codigos, metadata

Tell = Callable[[str], None]

_PACKAGE = Path(__file__).parents[1]
VIEWS = _PACKAGE / "views.sql"
GRANTS = _PACKAGE / "grants.sql"

_OTHER_COLUMNS = ("42P16", "42P13")
"""SQLSTATEs of CREATE OR REPLACE that can't: other columns, another result."""

_FORBIDDEN = "42501"


def apply(connection: Connection, tell: Tell) -> None:
    """Makes the database say what this version says; changes nothing where it does already.

    Raises:
        TargetError: something that isn't ours depends on a view whose columns change.
    """
    ran = _ran(connection)
    _fill_codes(connection)
    _Views(connection, ran).replace()
    _comment(connection)
    if GRANTS.name in ran and ran[GRANTS.name] != _hash(_text_of(GRANTS)):
        _grant_if_allowed(connection, tell)


def outdated(connection: Connection) -> list[str]:
    """What in the database is told in other words than ours; changes noone."""
    ran = _ran(connection)
    ours = definitions()
    if GRANTS.name in ran:
        ours[GRANTS.name] = _text_of(GRANTS)
    found = [name for name, statement in ours.items() if ran.get(name) != _hash(statement)]
    if _other_codes(connection):
        found.append("the codes")
    told = _told(connection)
    if any(told.get(what) != said for what, said in comments()):
        found.append("comments")
    return found


def grant(connection: Connection) -> None:
    """Makes the roles of ``grants.sql`` and gives them what it says."""
    plainly(connection, _text_of(GRANTS))
    _remember(connection, GRANTS.name, _text_of(GRANTS))


def _grant_if_allowed(connection: Connection, tell: Tell) -> None:
    try:
        with connection.begin_nested():
            grant(connection)
    except DBAPIError as error:
        if _state(error) != _FORBIDDEN:
            raise
        tell("the roles' rights have changed: run `ccb-luigi db grants --apply` as one who may give them")


def _ran(connection: Connection) -> dict[str, str]:
    """The hash of what was run last, by name."""
    return {
        row.nome: row.sha256 for row in connection.execute(text("SELECT nome, sha256 FROM controle.textos"))
    }


def _text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _hash(statement: str) -> str:
    return hashlib.sha256(statement.encode()).hexdigest()


def _remember(connection: Connection, name: str, statement: str) -> None:
    connection.execute(
        text("""
            INSERT INTO controle.textos (nome, sha256) VALUES (:name, :hash)
            ON CONFLICT (nome) DO UPDATE SET sha256 = excluded.sha256
        """),
        {"name": name, "hash": _hash(statement)},
    )


def _state(error: DBAPIError) -> str | None:
    return getattr(error.orig, "pgcode", None)


# --- views and functions ------------------------------------------------------------------------------


def definitions() -> dict[str, str]:
    """What ``views.sql`` makes, in its order: ``VIEW public.vw_codigos`` → the paragraph that makes it."""
    found = {}
    for paragraph in _text_of(VIEWS).split("\n\n"):
        statement = re.sub(r"(?m)^--.*\n?", "", paragraph).strip()
        if statement:
            kind, name = re.findall(r"\ACREATE OR REPLACE (VIEW|FUNCTION) ([\w.]+)", statement)[0]
            found[f"{kind} {name}"] = statement
    return found


# A view depends by way of its rule.
_DEPENDANTS = """
    SELECT DISTINCT CASE v.relkind WHEN 'v' THEN format('VIEW %s.%s', n.nspname, v.relname)
                    ELSE pg_describe_object(d.classid, d.objid, 0) END
    FROM pg_depend d
    LEFT JOIN pg_rewrite r ON d.classid = CAST('pg_rewrite' AS regclass) AND r.oid = d.objid
    LEFT JOIN pg_class v ON v.oid = r.ev_class
    LEFT JOIN pg_namespace n ON n.oid = v.relnamespace
    WHERE d.refobjid = :it AND d.deptype = 'n' AND v.oid IS DISTINCT FROM :it
      AND d.refclassid IN (CAST('pg_class' AS regclass), CAST('pg_proc' AS regclass))
    ORDER BY 1
"""

# Statements that give a new object of the same name what this one has.
_RIGHTS = """
    WITH it AS (
        SELECT 'TABLE' AS kind, CAST(CAST(oid AS regclass) AS text) AS name, relowner AS owner, relacl AS acl
        FROM pg_class WHERE oid = :it
        UNION ALL
        SELECT 'FUNCTION', CAST(CAST(oid AS regprocedure) AS text), proowner, proacl
        FROM pg_proc WHERE oid = :it
    )
    SELECT format('ALTER %s %s OWNER TO %s', kind, name, CAST(owner AS regrole)) FROM it
    UNION ALL
    SELECT format('GRANT %s ON %s %s TO %s%s', a.privilege_type, kind, name,
                  CASE grantee WHEN 0 THEN 'PUBLIC' ELSE CAST(CAST(grantee AS regrole) AS text) END,
                  CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM it, aclexplode(it.acl) a
"""


class _Views:
    """One upgrade's work on views and functions."""

    def __init__(self, connection: Connection, ran: dict[str, str]) -> None:
        self._connection = connection
        self._ran = {name: found for name, found in ran.items() if name != GRANTS.name}
        self._ours = definitions()
        self._rights: dict[str, list[str]] = {}
        """What each that was dropped has to get again."""

    def replace(self) -> None:
        """Drops what is ours no longer; runs what differs, or isn't there."""
        for name in self._ran.keys() - self._ours.keys():
            self._drop(name)
            self._connection.execute(text("DELETE FROM controle.textos WHERE nome = :name"), {"name": name})
        for name, statement in self._ours.items():
            if self._ran.get(name) != _hash(statement) or self._oid(name) is None:
                self._make(name, statement)
                _remember(self._connection, name, statement)

    def _make(self, name: str, statement: str) -> None:
        try:
            with self._connection.begin_nested():
                plainly(self._connection, statement)
        except DBAPIError as error:
            if _state(error) not in _OTHER_COLUMNS:
                raise
            self._drop(name)
            plainly(self._connection, statement)
        for right in self._rights.pop(name, ()):
            plainly(self._connection, right)

    def _drop(self, name: str) -> None:
        """With what uses it, as far as that is ours: it comes later in the file, and so is made again."""
        it = self._oid(name)
        if it is None:
            return
        for other in self._connection.execute(text(_DEPENDANTS), {"it": it}).scalars().all():
            if other not in self._ours and other not in self._ran:
                raise TargetError(
                    f"nothing was changed: {other.removeprefix('VIEW ')} depends on"
                    f" {name.partition(' ')[2]}, whose columns change; drop it, and make it again afterwards"
                )
            self._drop(other)
        self._rights[name] = list(self._connection.execute(text(_RIGHTS), {"it": it}).scalars())
        plainly(self._connection, f"DROP {name}")

    def _oid(self, name: str) -> int | None:
        """A name stands for one object: no function of ours has a namesake with other arguments."""
        kind, _, bare = name.partition(" ")
        find = "to_regclass" if kind == "VIEW" else "to_regproc"
        found: int | None = self._connection.execute(
            text(f"SELECT CAST({find}(:name) AS oid)"), {"name": bare}
        ).scalar()
        return found


# --- codes --------------------------------------------------------------------------------------------


def _codes() -> list[tuple[str, str, str, str]]:
    """The rows of ``controle.codigos``."""
    return [
        (code, kind, said.significado, said.providencia)
        for kind, those in (("rejeicao", codes.REJECTIONS), ("alerta", codes.FINDINGS))
        for code, said in those.items()
    ]


def _other_codes(connection: Connection) -> bool:
    return sorted(_codes()) != sorted(map(tuple, connection.execute(codigos.select())))


def _fill_codes(connection: Connection) -> None:
    if _other_codes(connection):
        connection.execute(codigos.delete())
        connection.execute(codigos.insert().values(_codes()))


# --- comments -----------------------------------------------------------------------------------------

_COMMENTS = """
    SELECT format('%s %s.%s', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, n.nspname, c.relname)
               AS what,
           obj_description(c.oid, 'pg_class') AS said
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'controle', 'staging') AND c.relkind IN ('r', 'p', 'v')
    UNION ALL
    SELECT format('COLUMN %s.%s.%s', n.nspname, c.relname, a.attname), col_description(c.oid, a.attnum)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname IN ('public', 'controle', 'staging') AND c.relkind IN ('r', 'p', 'v')
    UNION ALL
    SELECT format('FUNCTION public.%s(%s)', proname, pg_get_function_identity_arguments(oid)),
           obj_description(oid, 'pg_proc')
    FROM pg_proc WHERE pronamespace = CAST('public' AS regnamespace)
    UNION ALL
    SELECT format('SCHEMA %s', nspname), obj_description(oid, 'pg_namespace') FROM pg_namespace
"""


def comments() -> Iterator[tuple[str, str]]:
    """Every comment, after the name of what it is on: ``COLUMN public.parcelas.ccb_code``."""
    for table in metadata.tables.values():
        name = f"{table.schema or 'public'}.{table.name}"
        yield f"TABLE {name}", str(table.comment)
        for column in table.columns:
            yield f"COLUMN {name}.{column.name}", str(column.comment)
    for view, (about, columns) in dictionary.VIEWS.items():
        yield f"VIEW public.{view}", about
        for column_name, (meaning, _) in columns.items():
            yield f"COLUMN public.{view}.{column_name}", meaning
    for function, about in dictionary.FUNCTIONS.items():
        yield f"FUNCTION public.{function}", about
    for schema, about in dictionary.SCHEMAS.items():
        yield f"SCHEMA {schema}", about


def _told(connection: Connection) -> dict[str, str | None]:
    return {row.what: row.said for row in connection.execute(text(_COMMENTS))}


def _comment(connection: Connection) -> None:
    """Without a lock that readers or writers wait for."""
    found = _told(connection)
    for what, said in comments():
        if found.get(what) != said:
            quoted = said.replace("'", "''")
            plainly(connection, f"COMMENT ON {what} IS '{quoted}'")
