"""MongoDB: whether what the night reads is there, and whether it is the right one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ccb_luigi.errors import CcbError
from ccb_luigi.load import circumstances
from ccb_luigi.preflight.lines import Line, green, grey, red, some, yellow
from ccb_luigi.process import web
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source

OLDEST, NEWEST = (7, 0), (9, 0)
"""Versions that are maintained and that this program is made for."""

_WIRES = {17: "6.0", 21: "7.0", 25: "8.0"}
_WRITING = {"insert", "update", "remove", "dropCollection", "createIndex", "dropIndex", "dropDatabase"}

Answer = dict[str, Any]


def answers(settings: Settings) -> Line:
    """Whether it can be reached with this user."""
    if settings.source:
        path = Path(settings.source)
        if not path.is_file():
            return red(f"CCB_SOURCE names no file: {path}", "give the path of a .bson or .bson.gz")
        return yellow(
            f"a dump is read, {path}: the night's sweep can't compare with it",
            "unset CCB_SOURCE for the night",
        )
    try:
        _ask(settings, {"ping": 1})
        # A server that wants a login lets anybody ping.
        _ask(settings, {"find": settings.mongo_collection, "limit": 1, "projection": {"_id": 1}}, ours=True)
    except CcbError as error:
        return red(str(error), "docs/runbook.md#exit-code-13")
    return green("reached, and may be read")


def _ask(settings: Settings, command: Answer, *, ours: bool = False) -> Answer:
    """What the server says to a command, of its own or of our database."""
    with source.live(settings) as server:
        return server.command(command, settings.mongo_database if ours else "admin")


def version(settings: Settings) -> Line:
    """The server's own version, or at least what it speaks."""
    wire = _ask(settings, {"hello": 1}).get("maxWireVersion")
    try:
        told = str(_ask(settings, {"buildInfo": 1}).get("version", ""))
    except CcbError:  # a service may keep it to itself
        told = ""
    return judge_version(told, wire)


def judge_version(told: str, wire: object) -> Line:
    """By the version, and where that isn't told by the wire protocol."""
    words = f"{told or 'a version that it does not tell'} (wire version {wire})"
    try:
        found = tuple(int(part) for part in told.split(".")[:2])
    except ValueError:
        found = ()
    if len(found) < 2:
        known = max((each for each in _WIRES if isinstance(wire, int) and each <= wire), default=None)
        if known is None:
            return grey(words)
        found = tuple(map(int, _WIRES[known].split(".")))
    if found < OLDEST:
        return yellow(f"{words} gets no corrections any more", "upgrade to MongoDB 8 or newer")
    if found > NEWEST and found[0] > NEWEST[0]:
        return yellow(f"{words} has not been tried with this program", "try it on a copy first")
    return green(words)


def encryption(settings: Settings) -> Line:
    """TLS, and whether it is verified."""
    with source.live(settings) as server:
        hosts, tls, verified = server.encryption()
    if not tls:
        if all(map(web.is_here, hosts)):
            return green("without TLS, on this machine")
        return yellow("without TLS: documents and password pass in the clear", "tls=true (docs/security.md)")
    if not verified:
        return yellow(
            "TLS, but any certificate is taken",
            "leave tlsInsecure and tlsAllowInvalid... out of CCB_MONGO_URI",
        )
    return green("TLS, verified")


def collection(settings: Settings) -> Line:
    """That the collection is there and holds something; names what there is instead."""
    database, name = settings.mongo_database, settings.mongo_collection
    listed = {"listCollections": 1, "nameOnly": True, "authorizedCollections": True}
    names = [each["name"] for each in _first(settings, listed)]
    if name not in names:
        return red(
            f"there is no {database}.{name}; {_instead(settings, names)}",
            "CCB_MONGO_DATABASE and CCB_MONGO_COLLECTION",
        )
    count = int(_ask(settings, {"count": name}, ours=True).get("n", 0))
    if not count:
        return red(
            f"{database}.{name} is empty; {_instead(settings, names)}",
            "CCB_MONGO_DATABASE and CCB_MONGO_COLLECTION",
        )
    return green(f"{database}.{name} holds about {count:,} documents")


def _first(settings: Settings, command: Answer) -> list[Answer]:
    return list(_ask(settings, command, ours=True).get("cursor", {}).get("firstBatch", []))


def _instead(settings: Settings, names: list[str]) -> str:
    others = sorted(
        name for name in names if name != settings.mongo_collection and not name.startswith("system.")
    )
    if others:
        return f"there are: {some(others)}"
    try:
        found = _ask(settings, {"listDatabases": 1, "nameOnly": True, "authorizedDatabases": True})[
            "databases"
        ]
    except (CcbError, KeyError):
        return "nothing else that this user may see"
    databases = sorted(
        {each["name"] for each in found} - {"admin", "config", "local", settings.mongo_database}
    )
    return f"databases: {some(databases)}" if databases else "nothing else that this user may see"


def index(settings: Settings) -> Line:
    """The index that a date's query needs."""
    name = settings.mongo_collection
    return judge_indexes(_first(settings, {"listIndexes": name}), name)


def judge_indexes(found: list[Answer], collection: str) -> Line:
    """An index serves if ``updatedAt`` comes first, of every document, by value, and isn't hidden."""
    leading = [each for each in found if next(iter(each.get("key", {})), "") == "updatedAt"]
    for each in leading:
        lame = {"partialFilterExpression", "sparse", "hidden", "collation"} & {
            k for k, v in each.items() if v
        }
        if not lame and each["key"]["updatedAt"] in (1, -1):
            return green(f"on updatedAt: {each.get('name')}")
    what = (
        f"{leading[0].get('name')} can't serve (partial, sparse, hidden, hashed or with a collation)"
        if leading
        else "none"
    )
    return yellow(
        f"on updatedAt: {what}: every date reads the whole collection",
        f"db.{collection}.createIndex({{updatedAt: 1}})",
    )


def rights(settings: Settings) -> Line:
    """What the user may do, where the server says so."""
    found = _ask(settings, {"connectionStatus": 1, "showPrivileges": True}).get("authInfo", {})
    return judge_rights(found, settings.mongo_database, settings.mongo_collection)


def judge_rights(found: Answer, database: str, collection: str) -> Line:
    """May read, and no more."""
    users = found.get("authenticatedUsers")
    if users == []:
        return yellow("nobody logs in: whoever reaches the server may write", "a user with the role `read`")
    privileges = found.get("authenticatedUserPrivileges")
    # Some that only speak MongoDB's protocol name the roles and no privilege of theirs.
    silent = not privileges and found.get("authenticatedUserRoles")
    if not users or privileges is None or silent:
        return grey(
            "the server doesn't say what the user may do", "the role `read` on the database is enough"
        )
    actions = {
        action
        for each in privileges
        if _covers(each.get("resource", {}), database, collection)
        for action in each.get("actions", [])
    }
    if not {"find", "anyAction"} & actions:
        return red(
            f"the user may not read {database}.{collection}", f'roles: [{{role: "read", db: "{database}"}}]'
        )
    if more := sorted(({"anyAction"} | _WRITING) & actions):
        return yellow(f"the user may read, and write as well ({some(more)})", "the role `read` is enough")
    return green("may read, and not write")


def _covers(resource: Answer, database: str, collection: str) -> bool:
    if resource.get("anyResource"):
        return True
    return resource.get("db") in ("", database) and resource.get("collection") in ("", collection)


def clock(settings: Settings) -> Line:
    """The server's clock against ours."""
    began = datetime.now(UTC)
    told = _ask(settings, {"hello": 1}).get("localTime")
    if not isinstance(told, datetime):
        return grey("the server doesn't tell its time")
    return judge_clock(told.replace(tzinfo=told.tzinfo or UTC), began, datetime.now(UTC))


def judge_clock(theirs: datetime, began: datetime, ended: datetime) -> Line:
    """``theirs`` was told between ``began`` and ``ended``, by our clock."""
    apart = circumstances.off(theirs, began, ended)
    if abs(apart) < circumstances.TOLD:
        return green("goes as this machine's")
    words = f"{circumstances.spelled(apart)} {'ahead of' if apart > timedelta() else 'behind'} this machine's"
    if abs(apart) < circumstances.REFUSED:
        return yellow(words, "which of the two is wrong? set it (NTP): dates end by this machine's clock")
    return red(words, "set the wrong clock (NTP) before a night runs: it would close days that aren't over")


def address(settings: Settings) -> Line:
    """A database in the address is easily taken for the one that is read."""
    with source.live(settings) as server:
        named = server.named_database()
    if named and named not in (settings.mongo_database, "admin"):
        return yellow(
            f"the address names the database {named}, but {settings.mongo_database} is read",
            "CCB_MONGO_DATABASE says which is read; in the address: authSource",
        )
    return green(f"the database that is read: {settings.mongo_database}")
