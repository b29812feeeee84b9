"""The units in ``systemd/``: systemd itself understands them, and the timer means two in the morning."""

from __future__ import annotations

import configparser
import getpass
import grp
import os
import re
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from conftest import BIN, REPOSITORY
from tools import needs

UNITS = sorted((REPOSITORY / "systemd").glob("*.*"))
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = needs("systemd-analyze")


def analyze(*words: object) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    return subprocess.run(
        [ANALYZE, *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | {"LC_ALL": "C", "TZ": "UTC", "SYSTEMD_COLORS": "0"},
        check=False,
    )


def settings(name: str) -> list[tuple[str, str]]:
    """(key, value) of every line of a unit."""
    lines = (REPOSITORY / "systemd" / name).read_text().splitlines()
    return [tuple(line.split("=", 1)) for line in lines if re.match(r"[A-Z]\w+=", line)]  # type: ignore[misc]


def test_there_is_a_service_a_timer_and_the_scheduler() -> None:
    assert [unit.name for unit in UNITS] == ["ccb-luigi.service", "ccb-luigi.timer", "luigid.service"]


@needs_systemd
def test_systemd_accepts_the_units_where_their_paths_exist(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.touch()
    group = grp.getgrgid(os.getgid()).gr_name
    for unit in UNITS:
        text = unit.read_text().replace("/opt/ccb-luigi/.venv/bin", str(BIN))
        text = text.replace("/opt/ccb-luigi/README.md", str(readme)).replace(
            "/opt/ccb-luigi", str(REPOSITORY)
        )
        text = re.sub(r"^User=.*", f"User={getpass.getuser()}", text, flags=re.MULTILINE)
        text = re.sub(r"^Group=.*", f"Group={group}", text, flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    done = analyze("verify", "--man=no", "--recursive-errors=no", *(tmp_path / unit.name for unit in UNITS))
    ours = [line for line in done.stderr.splitlines() if "ccb-luigi" in line or "luigid" in line]
    assert ours == []
    assert done.returncode == 0, done.stderr


@needs_systemd
def test_the_timer_elapses_at_two_in_the_morning_of_sao_paulo() -> None:
    (calendar,) = [value for key, value in settings("ccb-luigi.timer") if key == "OnCalendar"]
    done = analyze("calendar", "--iterations=400", calendar)
    assert done.returncode == 0, done.stderr
    stamps = re.findall(r"(?:Next elapse|Iteration #\d+|Iter\. #\d+): \w+ (\S+ \S+) UTC", done.stdout)
    moments = [
        datetime.fromisoformat(stamp)
        .replace(tzinfo=ZoneInfo("UTC"))
        .astimezone(ZoneInfo("America/Sao_Paulo"))
        for stamp in stamps
    ]
    assert len(moments) == 400, done.stdout[:500]
    assert {(m.hour, m.minute, m.second) for m in moments} == {(2, 0, 0)}
    days = [m.date() for m in moments]
    assert days == [days[0] + timedelta(days=n) for n in range(400)]


def test_a_night_that_was_slept_through_is_made_up_for() -> None:
    assert ("Persistent", "true") in settings("ccb-luigi.timer")


def test_the_service_starts_the_nightly_command_and_reads_its_secrets_from_a_file() -> None:
    service = settings("ccb-luigi.service")
    (command,) = [value for key, value in service if key == "ExecStart"]
    assert command.split()[1:] == ["nightly"]
    assert command.split("/")[-1].split()[0] == "ccb-luigi"
    assert [value for key, value in service if key == "EnvironmentFile"] == ["/etc/ccb-luigi/env"]
    inline = [value for key, value in service if key == "Environment"]
    assert not [value for value in inline if value.startswith(("CCB_MONGO_URI", "CCB_POSTGRES_URL"))]


def test_the_scheduler_listens_on_this_machine_only() -> None:
    (command,) = [value for key, value in settings("luigid.service") if key == "ExecStart"]
    assert "--address 127.0.0.1" in command


def test_the_units_are_files_that_any_ini_reader_reads() -> None:
    for unit in UNITS:
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read(unit, encoding="utf-8")
        assert parser.has_section("Unit")
