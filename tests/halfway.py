"""What must hold at every instant of a run: no marker without its rows, no row without its marker.

Written from the contract, like ``oracle``; it calls nothing of the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from oracle import CLIENT_CHILDREN, CONTRACT_CHILDREN, EIGHT, STEPS, Row, State, Version, belongs


class _Found:
    """One snapshot of the tables, by owner."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        self.tables = tables
        self.clients: dict[str, Row] = {row[0]: row for row in tables["clientes"]}
        self.contracts: dict[str, Row] = {row[1]: row for row in tables["operacoes"]}
        self.codes = {row[0] for row in tables["operacoes"]}
        self._children: dict[tuple[str, str], set[Row]] = {}
        for name in (*CLIENT_CHILDREN, *CONTRACT_CHILDREN):
            for row in tables[name]:
                self._children.setdefault((name, row[0]), set()).add(row)

    def children(self, name: str, owner: str) -> set[Row]:
        return self._children.get((name, owner), set())

    def owns_client(self, version: Version) -> bool:
        row = self.clients.get(version.client)
        return row is not None and row[-2:] == (version.mongo_id, version.moment)

    def owns_contract(self, version: Version) -> bool:
        row = self.contracts.get(version.mongo_id)
        return row is not None and (row[0], row[-3]) == (version.code, version.moment)


def halfway(
    tables: Mapping[str, Any], days: Sequence[date], state: State, begun: Sequence[Version]
) -> list[str]:
    """Everything that is wrong; ``state`` is what all extractions so far have read."""
    found = _Found(tables)
    marked = {(step, day) for step, day, _ in tables["markers"]}
    said: list[str] = []
    for day in days:
        steps = {step for step in STEPS if (step, day) in marked}
        said += [f"halfway, {day}: {line}" for line in _of_markers(found, day, steps)]
        for version in state.values():
            if belongs(version, day) and not version.fault:
                said += [
                    f"halfway, {version.tag} of {day}: {line}" for line in _of_version(found, steps, version)
                ]
                said += [
                    f"halfway, {version.tag} of {day}: {line}"
                    for line in _without_marker(found, steps, version, [*begun, *state.values()])
                ]
    return said


def _of_markers(found: _Found, day: date, steps: set[str]) -> Iterator[str]:
    proofs = {proven: ok for proven, _, ok in found.tables["proofs"]}
    if steps and "contratos" not in steps:
        yield "loads are marked, but no extraction"
    if steps & set(CLIENT_CHILDREN) and "clientes" not in steps:
        yield "children of clientes are marked before clientes"
    if steps & set(CONTRACT_CHILDREN) and "operacoes" not in steps:
        yield "children of operacoes are marked before operacoes"
    if "reconciliacoes" in steps and (steps != set(STEPS) or not proofs.get(day)):
        yield "proven without all loads, or without a proof"
    if "reconciliacoes" not in steps and day in proofs:
        yield "a proof without its marker"
    staged = day.toordinal() in found.tables["lots"]
    if staged and ("contratos" not in steps or "reconciliacoes" in steps):
        yield "staging holds rows of a date that isn't under way"


def _of_version(found: _Found, steps: set[str], version: Version) -> Iterator[str]:
    """A marked table has the rows of this version, or of a newer one."""
    rights = {name: set(rows) for name, rows in version.table_rows().items()}
    if "clientes" in steps:
        client = found.clients.get(version.client)
        if client is None or (client[-1], client[-2].encode()) < version.order:
            yield "clientes is marked and lacks it"
    if found.owns_client(version):
        for name in steps & set(CLIENT_CHILDREN):
            if found.children(name, version.client) != rights[name]:
                yield f"{name} is marked and differs"
    if "operacoes" in steps:
        contract = found.contracts.get(version.mongo_id)
        lost = contract is None and version.code not in found.codes
        if lost or (contract is not None and contract[-3] < version.moment and contract[0] == version.code):
            yield "operacoes is marked and lacks it"
    if found.owns_contract(version):
        for name in steps & set(CONTRACT_CHILDREN):
            if found.children(name, version.code) != rights[name]:
                yield f"{name} is marked and differs"


def _without_marker(
    found: _Found, steps: set[str], version: Version, all_there_is: Sequence[Version]
) -> Iterator[str]:
    """Nothing of this version is in a table that isn't marked. (Nobody else brings rows of it.)

    But for rows that another version of the same contract, or a rival for its code, has as well.
    """
    rights = version.table_rows()
    others = [other for other in all_there_is if other.code == version.code and other is not version]
    if "clientes" not in steps and found.owns_client(version):
        yield "it is in clientes, which isn't marked"
    if "operacoes" not in steps and found.owns_contract(version):
        yield "it is in operacoes, which isn't marked"
    for name in set(CLIENT_CHILDREN) - steps:
        tagged = {row for row in rights[name] if any(version.tag in str(value) for value in row)}
        if tagged & found.children(name, version.client):
            yield f"it is in {name}, which isn't marked"
    for name in set(CONTRACT_CHILDREN) - steps:
        own = set(rights[name]).difference(*(other.table_rows()[name] for other in others))
        if own & found.children(name, version.code):
            yield f"it is in {name}, which isn't marked"


assert set(EIGHT) == {"clientes", "operacoes", *CLIENT_CHILDREN, *CONTRACT_CHILDREN}
