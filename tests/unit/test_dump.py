"""A dump is read whole or refused in one line that names the file and the place."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import ObjectId
from contracts import contract

from ccb_luigi.errors import ConfigurationError, SourceError
from ccb_luigi.sources.dump import DumpSource

START, END = datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
ZONE = ZoneInfo("America/Sao_Paulo")


def raw(number: int, **changes: Any) -> bytes:
    return bson.encode(contract(**{"_id": f"d{number}", "ccbCode": f"C{number}", **changes}))


def dump(path: Path, *documents: bytes) -> DumpSource:
    path.write_bytes(b"".join(documents))
    return DumpSource(path)


def test_every_document_comes_back_byte_for_byte(tmp_path: Path) -> None:
    documents = [raw(n) for n in range(500)]  # more than one block of the file
    assert list(dump(tmp_path / "c.bson", *documents).documents(START, END)) == documents


def test_a_document_larger_than_a_block_of_the_file_is_read(tmp_path: Path) -> None:
    documents = [raw(1), raw(2, extra="x" * 3_000_000), raw(3)]
    assert list(dump(tmp_path / "c.bson", *documents).documents(START, END)) == documents


def test_a_gzipped_dump_is_the_same_dump(tmp_path: Path) -> None:
    documents = [raw(n) for n in range(20)]
    path = tmp_path / "c.bson.gz"
    path.write_bytes(gzip.compress(b"".join(documents)))
    assert list(DumpSource(path).documents(START, END)) == documents


def test_an_empty_dump_has_no_documents(tmp_path: Path) -> None:
    assert list(dump(tmp_path / "c.bson").documents(START, END)) == []


@pytest.mark.parametrize("missing", [1, 3, 100, 5000])
def test_a_truncated_dump_is_refused_at_the_document_that_it_ends_in(tmp_path: Path, missing: int) -> None:
    whole = [raw(1), raw(2, extra="x" * 6000)]
    source = dump(tmp_path / "c.bson", b"".join(whole)[:-missing])
    with pytest.raises(SourceError, match=rf"c\.bson is truncated.* byte {len(whole[0])}$"):
        list(source.documents(START, END))


@pytest.mark.parametrize("size", [20, 3 << 20], ids=["small", "large"])
@pytest.mark.parametrize(
    ("begins", "told"),
    [
        ("6de29981", "an archive of many collections: dump with --out in place of --archive"),
        ("28b52ffd", r"packed by zstd: unpack it first \(zstd -d\)"),
        ("1f8b0800", r"gzipped: its name has to end in \.gz"),
        (b'{"_id":'.hex(), "JSON, as mongoexport writes it: mongodump writes NAME.bson"),
        (b'[{"_id":'.hex(), "JSON, as mongoexport writes it: mongodump writes NAME.bson"),
    ],
)
def test_what_people_have_in_place_of_a_dump_is_named(
    tmp_path: Path, begins: str, told: str, size: int
) -> None:
    source = dump(tmp_path / "c.bson", bytes.fromhex(begins) + b"x" * size)
    with pytest.raises(SourceError, match=rf"c\.bson is {told}$"):
        list(source.documents(START, END))


def test_a_truncated_gzip_stream_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.bson.gz"
    path.write_bytes(gzip.compress(b"".join(raw(n) for n in range(50)))[:-20])
    with pytest.raises(SourceError, match="truncated"):
        list(DumpSource(path).documents(START, END))


@pytest.mark.parametrize("text", [b"id;valor\n" * 100, b"PK\x03\x04" + bytes(200), b"\xff" * 100])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(SourceError, match=r"c\.bson is (no dump|truncated)"):
        list(dump(tmp_path / "c.bson", text).documents(START, END))


def test_a_plain_file_that_is_called_gz_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read"):
        list(dump(tmp_path / "c.bson.gz", raw(1)).documents(START, END))


def test_a_file_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        DumpSource(tmp_path / "none.bson")
    with pytest.raises(ConfigurationError, match=r"but a directory: name the collection's \.bson in it"):
        DumpSource(tmp_path)


def test_the_days_of_a_dump_are_those_of_its_dates(tmp_path: Path) -> None:
    moments = [datetime(2026, 3, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, 12, tzinfo=UTC), "2026-03-09"]
    source = dump(tmp_path / "c.bson", *(raw(n, updatedAt=m) for n, m in enumerate(moments)))
    assert list(source.days(ZONE, date(2026, 3, 31))) == [date(2026, 3, 2), date(2026, 3, 3)]
    assert list(source.odd()) == [raw(2, updatedAt="2026-03-09")]


def test_documents_are_found_by_their_ids(tmp_path: Path) -> None:
    oid = ObjectId("65f0c0ffee65f0c0ffee65f0")
    source = dump(tmp_path / "c.bson", raw(1), raw(2, _id=oid), b"\x05\x00\x00\x00\x00")
    assert list(source.by_ids([str(oid), "nobody"])) == [raw(2, _id=oid)]


@pytest.mark.parametrize(
    "never", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)], ids=str
)
def test_a_time_that_is_no_day_everywhere_is_odd_and_hides_no_other_day(
    tmp_path: Path, never: datetime
) -> None:
    good, odd = raw(1, updatedAt=START), raw(2, updatedAt=never)
    source = dump(tmp_path / "c.bson", odd, good)
    assert list(source.days(ZoneInfo("Pacific/Auckland"), date.max)) == [date(2026, 3, 3)]
    assert list(source.odd()) == [odd]
