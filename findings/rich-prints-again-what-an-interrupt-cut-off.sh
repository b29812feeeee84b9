#!/usr/bin/env bash
# rich 15.0.0: a line whose writing was interrupted is printed again before the next one, however often that fails.
#
# Guess: Console.print that ends by an exception of the stream (Ctrl-C, a full disk, a slow reader of a non-blocking
# pipe) has had its one try: that line is there or isn't, and the next print writes its own.
# Seen: what was being written stays in the console's buffer and goes out with the next print. After a signal at the
# wrong moment a report has lines twice; after one failed write every later print writes, and fails, with all of them.
set -euo pipefail
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install -q --disable-pip-version-check rich==15.0.0
cat >"$there/print.py" <<'PY'
import io
import platform
from importlib.metadata import version

from rich.console import Console


class Interrupted(io.StringIO):
    """A terminal: Ctrl-C comes when the first line is on it, and before write() has returned."""

    def write(self, text):
        first = not self.getvalue()
        written = super().write(text)
        if first:
            raise KeyboardInterrupt
        return written


class Full(io.StringIO):
    """A disk without room, for the first two lines."""

    tries = 0

    def write(self, text):
        self.tries += 1
        if self.tries < 3:
            raise OSError(28, "No space left on device")
        return super().write(text)


def printed(stream):
    console = Console(file=stream)
    for line in ("loads clientes", "loads operacoes", "stopped"):
        try:
            console.print(line)
        except (KeyboardInterrupt, OSError) as error:
            print(f"  {type(stream).__name__}: {type(error).__name__} while {line!r} was printed")
    return stream.getvalue().splitlines()


print("rich", version("rich"), "on Python", platform.python_version())
for stream, lines in (
    (Interrupted(), ["loads clientes", "loads clientes", "loads operacoes", "stopped"]),
    (Full(), ["loads clientes", "loads operacoes", "stopped"]),
):
    seen = printed(stream)
    print(f"  {type(stream).__name__}: {seen}")
    assert seen == lines
PY
"$there/venv/bin/python" "$there/print.py"
