"""A dump that somebody still writes is no dump."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import bson
import pytest

from ccb_luigi.errors import SourceError
from ccb_luigi.sources.dump import DumpSource

MOMENT = datetime(2026, 3, 2, tzinfo=UTC)


def test_a_dump_that_grows_while_it_is_read_is_refused_although_no_document_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "contratos.bson"
    path.write_bytes(bson.encode({"_id": 1}))
    documents = DumpSource(path).documents(MOMENT, MOMENT)
    next(documents)
    with path.open("ab") as file:
        file.write(bson.encode({"_id": 2}))
    with pytest.raises(SourceError, match="changed while it was read"):
        list(documents)


def test_a_dump_that_is_replaced_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "contratos.bson", tmp_path / "other"
    path.write_bytes(bson.encode({"_id": 1}))
    other.write_bytes(bson.encode({"_id": 2}))
    documents = DumpSource(path).documents(MOMENT, MOMENT)
    next(documents)
    other.rename(path)
    with pytest.raises(SourceError, match="changed while it was read"):
        list(documents)
