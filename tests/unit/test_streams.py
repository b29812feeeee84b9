"""What becomes of words that nobody takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ccb_luigi.process.streams import printable

BEGIN = "import sys; from ccb_luigi.process import streams; streams.endure();"


def said(code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        env=os.environ | environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "utf-8"])
@pytest.mark.parametrize("way", ["print({!r})", "import click; click.echo({!r})"])
def test_what_an_encoding_lacks_is_spelled_out(encoding: str, way: str) -> None:
    done = said(way.format("não €"), PYTHONIOENCODING=encoding)
    assert done.stdout == "não €\n".encode(encoding, "backslashreplace")
    assert done.stderr == b""


def test_a_pipe_that_does_not_wait_gets_every_word() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + "print('x' * 300_000); assert not streams.refused()"], stdout=writer
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        assert stream.read() == b"x" * 300_000 + b"\n"
    assert process.wait() == 0


def test_what_is_lost_is_known_and_a_reader_that_left_is_no_loss() -> None:
    with Path("/dev/full").open("wb") as full:
        code = BEGIN + "print('x'); print(streams.refused().strerror, file=sys.stderr)"
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=True)
    assert done.stderr == b"No space left on device\n"
    reader, writer = os.pipe()
    os.close(reader)
    code = BEGIN + "print('x'); print(streams.refused(), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, check=True)
    os.close(writer)
    assert done.stderr == b"None\n"


def test_a_descriptor_that_was_closed_is_not_given_to_the_next_connection() -> None:
    code = BEGIN + "import os, socket; end = socket.socket(); print('x'); assert end.fileno() > 2"
    assert subprocess.run([sys.executable, "-c", code], close_fds=True, check=False,
                          preexec_fn=lambda: [os.close(n) for n in (0, 1, 2)]).returncode == 0  # fmt: skip


def test_lines_come_at_once_where_they_did_before() -> None:
    done = said("print(sys.stdout.write_through, sys.stderr.write_through)", PYTHONUNBUFFERED="1")
    assert done.stdout == b"True True\n"


def test_an_ids_unprintable_characters_are_spelled_out() -> None:
    assert printable("a\u202eb\n\x00é") == "a\\u202eb\\u000a\\u0000é"
