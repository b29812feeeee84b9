"""The units in ``systemd/`` and how they are installed, asked of systemd's own tools."""

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

import pytest
from program import BIN, REPOSITORY
from tools import needs

HERE = REPOSITORY / "systemd"
SERVICES = ["ccb-luigi-alert@.service", "ccb-luigi.service", "luigid.service"]
UNITS = [*SERVICES[:2], "ccb-luigi.timer", "luigid.service"]
SECRETS = ("CCB_MONGO_URI", "CCB_POSTGRES_URL", "CCB_FORGET_KEY", "CCB_ALERT")
needs_systemd = needs("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles")
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")


def ask(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | {"LC_ALL": "C", "TZ": "UTC", "SYSTEMD_COLORS": "0"} | environment,
        check=False,
    )


def settings(name: str) -> list[tuple[str, str]]:
    """(key, value) of every line of a unit."""
    lines = (HERE / name).read_text().splitlines()
    return [tuple(line.split("=", 1)) for line in lines if re.match(r"[A-Z]\w+=", line)]  # type: ignore[misc]


def values(name: str, wanted: str) -> list[str]:
    return [value for key, value in settings(name) if key == wanted]


def test_the_units_are_these() -> None:
    found = [path.name for path in HERE.iterdir() if path.suffix in (".service", ".timer")]
    assert sorted(found) == UNITS


# --- systemd understands them --------------------------------------------------------------------------


@needs_systemd
def test_systemd_accepts_the_units_without_a_word(tmp_path: Path) -> None:
    """Where their paths and users exist; also with credentials in place of the environment file."""
    group = grp.getgrgid(os.getgid()).gr_name
    for name in UNITS:
        text = (HERE / name).read_text().replace("/opt/ccb-luigi/.venv/bin", str(BIN))
        text = text.replace("/opt/ccb-luigi", str(REPOSITORY))
        text = re.sub(r"^#   (LoadCredential=.*)", r"\1", text, flags=re.MULTILINE)
        text = re.sub(r"^User=.*", f"User={getpass.getuser()}", text, flags=re.MULTILINE)
        text = re.sub(r"^Group=.*", f"Group={group}", text, flags=re.MULTILINE)
        (tmp_path / name).write_text(text)
    shutil.copy(tmp_path / "ccb-luigi-alert@.service", tmp_path / "ccb-luigi-alert@trial.service")
    units = [tmp_path / name for name in (*UNITS, "ccb-luigi-alert@trial.service") if "@." not in name]
    done = ask("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units)
    ours = [line for line in done.stderr.splitlines() if "ccb-luigi" in line or "luigid" in line]
    assert ours == []
    assert done.returncode == 0, done.stderr
    assert "\nLoadCredential=" in (tmp_path / "ccb-luigi.service").read_text()


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_to_little(name: str) -> None:
    done = ask("systemd-analyze", "security", "--offline=true", "--threshold=15", HERE / name)
    assert done.returncode == 0, done.stdout
    level = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)
    assert level, done.stdout
    assert float(level[1]) <= 1.5


@needs_systemd
def test_the_limit_of_exposure_is_one_that_can_be_missed(tmp_path: Path) -> None:
    text = (HERE / "ccb-luigi.service").read_text()
    open_ = tmp_path / "ccb-luigi.service"
    open_.write_text(re.sub(r"^(Protect|Private|Restrict)\w+=.*\n", "", text, flags=re.MULTILINE))
    assert ask("systemd-analyze", "security", "--offline=true", "--threshold=15", open_).returncode != 0


@needs_systemd
def test_the_timer_elapses_at_two_in_the_morning_of_sao_paulo_every_day() -> None:
    (calendar,) = values("ccb-luigi.timer", "OnCalendar")
    done = ask("systemd-analyze", "calendar", "--iterations=400", calendar)
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


# --- what they do ----------------------------------------------------------------------------------------


def test_the_service_starts_the_nightly_command_and_reads_its_secrets_from_a_file() -> None:
    (command,) = values("ccb-luigi.service", "ExecStart")
    assert command.split()[1:] == ["nightly"]
    assert command.split("/")[-1].split()[0] == "ccb-luigi"
    assert values("ccb-luigi.service", "EnvironmentFile") == ["/etc/ccb-luigi/env"]
    for name in SERVICES:
        assert not [value for value in values(name, "Environment") if value.startswith(SECRETS)]


def test_who_fails_has_somebody_told() -> None:
    for name in ("ccb-luigi.service", "luigid.service"):
        assert values(name, "OnFailure") == ["ccb-luigi-alert@%n.service"]
    (command,) = values("ccb-luigi-alert@.service", "ExecStart")
    assert command.split()[1:] == ["alert", "%i"]
    assert values("ccb-luigi-alert@.service", "OnFailure") == []


@needs_systemd
def test_the_deadline_comes_before_systemd_s_time_limit_and_both_after_two() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(HERE / "etc" / "luigi.cfg")
    clock = datetime.strptime(parser["ccb"]["deadline"], "%H:%M")
    (limit,) = values("ccb-luigi.service", "TimeoutStartSec")
    done = ask("systemd-analyze", "timespan", limit)
    seconds = int(re.search(r"[µu]s: (\d+)", done.stdout)[1]) / 1e6  # type: ignore[index]
    assert 0 < (clock.hour - 2) * 3600 < seconds


def test_the_scheduler_listens_on_this_machine_only_and_hears_nobody_else() -> None:
    (command,) = values("luigid.service", "ExecStart")
    assert "--address 127.0.0.1" in command
    assert values("luigid.service", "IPAddressDeny") == ["any"]
    assert values("luigid.service", "IPAddressAllow") == ["localhost"]


def test_the_units_are_files_that_any_ini_reader_reads() -> None:
    for name in UNITS:
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read(HERE / name, encoding="utf-8")
        assert parser.has_section("Unit")


# --- installing -------------------------------------------------------------------------------------------


def install(root: Path, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = ask("make", "-s", "-C", REPOSITORY, "install-service", DESTDIR=str(root), **environment)
    assert (done.returncode == 0) == (status == 0), done.stdout + done.stderr
    return done


def tree(root: Path) -> dict[str, tuple[int, str]]:
    """Path → mode and owner, by the names of the installed system."""
    users = {
        line.split(":")[2]: line.split(":")[0] for line in (root / "etc/passwd").read_text().splitlines()
    }
    return {
        f"/{path.relative_to(root)}": (
            path.stat().st_mode & 0o7777,
            users.get(str(path.stat().st_uid), "root"),
        )
        for path in sorted(root.rglob("*"))
    }


@needs_systemd
@as_root
def test_installing_puts_every_file_into_its_place_with_its_owner_and_mode(tmp_path: Path) -> None:
    root = tmp_path / "root"
    done = install(root)
    steps = ("preflight", "db upgrade", "db grants", r"\password ccb_loader", "run --full", "enable --now")
    assert [done.stdout.index(step) for step in steps] == sorted(done.stdout.index(step) for step in steps)
    assert '"$CCB_POSTGRES_URL"' in done.stdout
    found = tree(root)
    expected = {f"/etc/systemd/system/{name}": (0o644, "root") for name in UNITS} | {
        "/usr/local/bin/ccb-luigi": (0o755, "root"),
        "/usr/lib/sysusers.d/ccb-luigi.conf": (0o644, "root"),
        "/usr/lib/tmpfiles.d/ccb-luigi.conf": (0o644, "root"),
        "/etc/ccb-luigi": (0o755, "root"),
        "/etc/ccb-luigi/env": (0o600, "root"),
        "/etc/ccb-luigi/alert.env": (0o600, "root"),
        "/etc/ccb-luigi/luigi.cfg": (0o644, "root"),
        "/etc/ccb-luigi/credentials": (0o700, "root"),
        "/var/lib/ccb-luigi": (0o750, "ccb-luigi"),
        "/var/lib/ccb-luigi/report": (0o750, "ccb-luigi"),
        "/var/lib/ccb-luigi-metrics": (0o755, "ccb-luigi"),
        "/var/lib/luigid": (0o700, "luigid"),
    }
    assert {path: found.get(path) for path in expected} == expected
    assert not [path for path in found if path.endswith(".new")]
    accounts = (root / "etc/passwd").read_text()
    assert re.search(r"^ccb-luigi:x:\d+:\d+:[^:]*:/var/lib/ccb-luigi:/usr/sbin/nologin$", accounts, re.M)
    assert re.search(r"^luigid:x:\d+:\d+:[^:]*:/var/lib/luigid:/usr/sbin/nologin$", accounts, re.M)
    for step in ("pip install", "/etc/ccb-luigi/env", "enable --now luigid.service ccb-luigi.timer"):
        assert step in done.stdout

    (root / "etc/ccb-luigi/env").write_text("CCB_POSTGRES_URL=mine\n")
    (root / "etc/ccb-luigi/env").chmod(0o644)
    (root / "etc/systemd/system/luigid.service").write_text("old")
    done = install(root)
    assert "kept as they are: /etc/ccb-luigi/env " in done.stdout
    assert (root / "etc/ccb-luigi/env").read_text() == "CCB_POSTGRES_URL=mine\n"
    assert tree(root) == found
    assert (root / "etc/systemd/system/luigid.service").read_text() == (HERE / "luigid.service").read_text()


@needs_systemd
@as_root
def test_installing_for_another_place_writes_that_place(tmp_path: Path) -> None:
    install(tmp_path, APP="/srv/ccb")
    for path in (tmp_path / "etc/systemd/system").iterdir():
        assert "/opt/ccb-luigi" not in path.read_text()
    assert (
        "ExecStart=/srv/ccb/.venv/bin/ccb-luigi nightly"
        in (tmp_path / "etc/systemd/system/ccb-luigi.service").read_text()
    )


FAKES = {
    "id": 'echo "$ID"',
    "sudo": 'echo sudo "$@"; ID=0 exec "$@"',
    "systemd-run": 'printf "%s\\n" "$@"',
    "program": 'echo itself "$@"',
}


@pytest.mark.parametrize("uid", [0, 1000])
def test_the_command_runs_as_the_service_and_takes_no_secret_along(tmp_path: Path, uid: int) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "ccb_postgres_url").touch()
    for name, body in FAKES.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    text = (
        (HERE / "ccb-luigi").read_text().replace("/opt/ccb-luigi/.venv/bin/ccb-luigi", f"{tmp_path}/program")
    )
    script = tmp_path / "ccb-luigi"
    script.write_text(text.replace("/etc/ccb-luigi/credentials", f"{tmp_path}/credentials"))
    script.chmod(0o755)

    def said(*words: str, **environment: str) -> str:
        path = f"{tmp_path}:{os.environ['PATH']}"
        done = subprocess.run(
            [script, *words], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
            env={"PATH": path, "ID": str(uid), "TERM": "vt100"} | environment,
        )  # fmt: skip
        return done.stdout

    secret = {"CCB_FORGET_KEY": "canary", "CCB_MONGO_URI": "canary", "CCB_ALERT_WEBHOOK": "canary"}
    told = said("quarantine", "show", "an id", CCB_MAX_REJECTED_SHARE="1", **secret)
    lines = told.splitlines()
    given = ["CCB_MAX_REJECTED_SHARE=1", "TERM=vt100"]
    assert lines[-7:] == ["/usr/bin/env", *given, f"{tmp_path}/program", "quarantine", "show", "an id"]
    assert {"--uid=ccb-luigi", "--pipe", "EnvironmentFile=/etc/ccb-luigi/env"} <= set(lines)
    assert f"LoadCredential=ccb_postgres_url:{tmp_path}/credentials/ccb_postgres_url" in lines
    assert ("sudo env CCB_MAX_REJECTED_SHARE=1" in told) == (uid != 0)
    assert "canary" not in told
    assert "CCB_DEADLINE=" in said("nightly", CCB_DEADLINE="").splitlines(), (
        "empty, it takes luigi.cfg's away"
    )
    assert said("db", "upgrade", CCB_POSTGRES_URL="postgresql://owner") == "itself db upgrade\n"
    assert said("run", "--help") == "itself run --help\n"


@needs_systemd
@as_root
def test_morning_pages_go_when_their_time_has_come(tmp_path: Path) -> None:
    install(tmp_path)
    page = tmp_path / "var/lib/ccb-luigi/report/ccb-2026-03-02.html"
    page.touch()
    rules = tmp_path / "usr/lib/tmpfiles.d/ccb-luigi.conf"
    clean = ("systemd-tmpfiles", f"--root={tmp_path}", "--clean", "ccb-luigi.conf")
    assert ask(*clean).returncode == 0
    assert page.exists()
    text = rules.read_text()
    rules.write_text(text.replace("400d", "0"))  # whatever its age: the time of a file's birth can't be faked
    assert rules.read_text() != text
    assert ask(*clean).returncode == 0
    assert not page.exists()
    assert page.parent.is_dir()


@as_root
@pytest.mark.parametrize("app", ["/home/ana/ccb", "/root/ccb", "ccb", "/srv/c c", "/srv/c|e touch x"])
def test_a_place_that_the_services_could_not_use_is_refused(tmp_path: Path, app: str) -> None:
    done = install(tmp_path, status=2, APP=app)
    assert "systemd/install: " in done.stderr
    assert list(tmp_path.iterdir()) == []


@as_root
def test_a_python_that_the_services_could_not_see_is_refused(tmp_path: Path) -> None:
    (tmp_path / "opt/ccb-luigi/.venv/bin").mkdir(parents=True)
    (tmp_path / "opt/ccb-luigi/.venv/bin/python").symlink_to("/home/ana/.pyenv/bin/python3")
    assert "ProtectHome" in install(tmp_path, status=2).stderr
    assert not (tmp_path / "etc").exists()


@as_root
def test_without_root_it_says_so_and_touches_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    script = (HERE / "install").read_text()
    done = subprocess.run(
        ["/bin/bash", "-s"],
        input=script.replace('$(dirname "$0")', "/"),
        capture_output=True,
        text=True,
        user=65534,
        cwd="/",
        env={"PATH": os.environ["PATH"], "DESTDIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "systemd/install: it writes to /etc and /usr/lib: run it as root (sudo make install-service)\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["env", "alert.env", "luigi.cfg"])
def test_a_template_changes_nothing_until_somebody_fills_it(name: str) -> None:
    lines = [line for line in (HERE / "etc" / name).read_text().splitlines() if not line.startswith("#")]
    assert "\n".join(lines) == (
        "[ccb]\ndeadline = 06:00\nreport_dir = /var/lib/ccb-luigi/report\n"
        "metrics_dir = /var/lib/ccb-luigi-metrics"
        if name == "luigi.cfg"
        else ""
    )
