"""Settings: file below environment, one-line errors without values, hidden addresses, days of a zone."""

from __future__ import annotations

import os
from configparser import ConfigParser
from dataclasses import fields
from datetime import UTC, date, datetime, time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ccb_luigi import settings
from ccb_luigi.errors import ConfigurationError
from ccb_luigi.settings import Settings

SECRET = "s3nh4-s3cr3t4"
NAMES = {
    "CCB_MONGO_URI": "mongo_uri",
    "CCB_MONGO_DATABASE": "mongo_database",
    "CCB_MONGO_COLLECTION": "mongo_collection",
    "CCB_POSTGRES_URL": "postgres_url",
    "CCB_TIMEZONE": "timezone",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory: no luigi.cfg but the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(directory: Path, text: str, name: str = "luigi.cfg") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def test_without_file_and_environment_the_defaults_of_the_contract_hold() -> None:
    found = settings.load({})
    assert (found.mongo_database, found.mongo_collection) == ("ccb", "contratos")
    assert found.timezone == "America/Sao_Paulo"
    assert found.max_rejected_share == 0.05
    assert found.strictness.promoted == frozenset()


def test_the_file_in_the_working_directory_counts(here: Path) -> None:
    write(
        here,
        "[ccb]\nmongo_uri = mongodb://u:%(p)$@h/\nmongo_database = d\nmongo_collection = c\n"
        "postgres_url = postgresql://u:p%40@h/d\ntimezone = UTC\nmax_rejected_share = 0.5\nworkers = 3\n"
        "[core]\nworkers = 9\n",
    )
    found = settings.load({})
    assert found.mongo_uri == "mongodb://u:%(p)$@h/", "a password may hold % and $"
    assert found.postgres_url == "postgresql://u:p%40@h/d"
    assert (found.mongo_database, found.mongo_collection, found.timezone) == ("d", "c", "UTC")
    assert (found.max_rejected_share, found.workers) == (0.5, 3)


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_stands_above_the_file(here: Path, name: str) -> None:
    write(here, f"[ccb]\n{NAMES[name]} = Asia/Tokyo\n")
    assert getattr(settings.load({}), NAMES[name]) == "Asia/Tokyo"
    assert getattr(settings.load({name: "Europe/Lisbon"}), NAMES[name]) == "Europe/Lisbon"


def test_the_share_comes_from_the_environment_too(here: Path) -> None:
    write(here, "[ccb]\nmax_rejected_share = 0.5\n")
    assert settings.load({"CCB_MAX_REJECTED_SHARE": "1"}).max_rejected_share == 1
    assert settings.load({"CCB_MAX_REJECTED_SHARE": "0"}).max_rejected_share == 0


def test_the_sweep_of_the_night_is_switched_by_any_usual_word(here: Path) -> None:
    assert settings.load({}).nightly_sweep is True
    for word, meant in {
        "false": False,
        "No": False,
        "off": False,
        "0": False,
        "TRUE": True,
        "1": True,
    }.items():
        assert settings.load({"CCB_NIGHTLY_SWEEP": word}).nightly_sweep is meant
    write(here, "[ccb]\nnightly_sweep = no\noverlap_hours = 1.5\n")
    assert settings.load({}).nightly_sweep is False
    assert settings.load({}).overlap_hours == 1.5
    assert settings.load({"CCB_OVERLAP_HOURS": "0"}).overlap_hours == 0


OTHERS = {
    "mongo_uri": "mongodb://h/",
    "mongo_database": "d",
    "mongo_collection": "c",
    "source": "dump.bson",
    "source_covers_until": "2026-11-20T00:00",
    "postgres_url": "postgresql://h/d",
    "timezone": "UTC",
    "max_rejected_share": "0.5",
    "reject_findings": "cpf_digito",
    "emission_days": "7",
    "nightly_days": "3",
    "report_dir": "pages",
    "metrics_dir": "metrics",
    "pushgateway_url": "http://h:9091",
    "language": "en",
    "log_format": "json",
    "nightly_sweep": "no",
    "deadline": "06:00",
    "overlap_hours": "2",
    "shard_documents": "5",
    "workers": "9",
    "scheduler_url": "http://h:8082",
    "pool_size": "5",
    "retry_seconds": "1",
    "lock_seconds": "1",
    "forget_key": "k" * 16,
    "alert_mail_to": "a@example.com",
    "alert_mail_from": "b@example.com",
    "alert_smtp": "smtp://h",
    "alert_webhook": "https://h",
    "alert_webhook_format": "card",
    "runbook_url": "https://h/runbook",
    "processes": "64",
    "executor": "tcp://h:8786",
}
"""Of every setting a value that isn't its default."""


def test_every_setting_may_stand_in_the_file_and_an_empty_variable_takes_it_away_again(here: Path) -> None:
    known = [each.name for each in fields(Settings) if each.metadata.get("setting", True)]
    assert [*OTHERS] == known
    write(here, "[ccb]\n" + "".join(f"{name} = {value}\n" for name, value in OTHERS.items()))
    whole, default = settings.load({}), Settings()
    for name in known:
        assert getattr(whole, name) != getattr(default, name), name
        rest = {"CCB_SOURCE_COVERS_UNTIL": ""} if name == "source" else {}  # it needs the other one
        found = settings.load({f"CCB_{name.upper()}": ""} | rest)
        assert getattr(found, name) == getattr(default, name), name
        others = [each for each in known if each != name and f"CCB_{each.upper()}" not in rest]
        assert all(getattr(found, each) == getattr(whole, each) for each in others), name


@pytest.mark.parametrize("name", ["CCB_SCHEDULER_URL", "CCB_POSTGRES_URL"])
def test_beside_an_empty_variable_a_secret_in_a_file_of_its_own_counts_still(here: Path, name: str) -> None:
    attribute = name.removeprefix("CCB_").lower()
    write(here, f"[ccb]\n{attribute} = http://below\n")
    (here / "secret").write_text("http://named")
    (here / name.lower()).write_text("http://given")
    for beside, value in (
        ({f"{name}_FILE": str(here / "secret")}, "http://named"),
        ({"CREDENTIALS_DIRECTORY": str(here)}, "http://given"),
        ({}, ""),
    ):
        assert getattr(settings.load({name: ""} | beside), attribute) == value


def test_the_file_that_luigi_is_told_to_read_stands_above_the_one_in_the_directory(here: Path) -> None:
    write(here, "[ccb]\nmongo_database = below\nmongo_collection = kept\n")
    other = write(here, "[ccb]\nmongo_database = above\n", "other.cfg")
    found = settings.load({"LUIGI_CONFIG_PATH": str(other)})
    assert (found.mongo_database, found.mongo_collection) == ("above", "kept")


def test_a_file_that_is_not_there_is_no_error(here: Path) -> None:
    assert settings.load({"LUIGI_CONFIG_PATH": str(here / "nowhere.cfg")}) == settings.load({})


def test_the_environment_of_the_process_counts_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCB_MONGO_DATABASE", "of_the_process")
    assert settings.load().mongo_database == "of_the_process"


def test_it_is_read_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        monkeypatch.setenv("CCB_MONGO_DATABASE", name)
        assert settings.load().mongo_database == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CCB_TIMEZONE", f"{SECRET}/Nowhere"),
        ("CCB_TIMEZONE", SECRET),
        ("CCB_TIMEZONE", f"../../{SECRET}"),
        ("CCB_TIMEZONE", f"/etc/{SECRET}"),
        ("CCB_TIMEZONE", SECRET * 1000),
        ("CCB_TIMEZONE", "America"),
        ("CCB_MAX_REJECTED_SHARE", SECRET),
        ("CCB_MAX_REJECTED_SHARE", "0,05"),
        ("CCB_MAX_REJECTED_SHARE", "5%"),
        ("CCB_MAX_REJECTED_SHARE", "1.5"),
        ("CCB_MAX_REJECTED_SHARE", "-0.1"),
        ("CCB_MAX_REJECTED_SHARE", "nan"),
        ("CCB_MAX_REJECTED_SHARE", "inf"),
        ("CCB_WORKERS", f"{SECRET}\nsecond line"),
        ("CCB_WORKERS", "0"),
        ("CCB_WORKERS", "2.5"),
        ("CCB_NIGHTLY_DAYS", "-1"),
        ("CCB_POOL_SIZE", "x"),
        ("CCB_DEADLINE", SECRET),
        ("CCB_DEADLINE", "7:30"),
        ("CCB_DEADLINE", "24:00"),
        ("CCB_DEADLINE", "06:00-03:00"),
        ("CCB_NIGHTLY_SWEEP", SECRET),
        ("CCB_NIGHTLY_SWEEP", "2"),
        ("CCB_OVERLAP_HOURS", SECRET),
        ("CCB_OVERLAP_HOURS", "-0.5"),
        ("CCB_EMISSION_DAYS", "-1"),
        ("CCB_EMISSION_DAYS", "36501"),
        ("CCB_OVERLAP_HOURS", "168.5"),
        ("CCB_OVERLAP_HOURS", "nan"),
        ("CCB_OVERLAP_HOURS", "inf"),
        ("CCB_PUSHGATEWAY_URL", f"{SECRET}:9091"),
        ("CCB_LOG_FORMAT", SECRET),
        ("CCB_EXECUTOR", SECRET),
        ("CCB_EXECUTOR", "dask.example.com:8786"),
        ("CCB_EXECUTOR", "tls://dask.example.com"),
        ("CCB_EXECUTOR", f"tcp://u:{SECRET}@dask.example.com:8786"),
    ],
    ids=lambda value: value[:40],
)
def test_a_setting_that_makes_no_sense_is_one_line_without_its_value(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        settings.load({name: value})
    text = str(raised.value)
    assert text.count("\n") == 0
    assert name in text or NAMES.get(name, name).removeprefix("CCB_").lower() in text
    assert SECRET not in repr(raised.value)
    assert value not in text or len(value) < 4
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize(
    "text",
    [
        f"no section {SECRET}\n",
        f"[ccb]\nmongo_uri\n = \n{SECRET}\n",
        f"[ccb]\nmongo_uri = {SECRET}\nmongo_uri = {SECRET}\n",
        f"[ccb]\n[ccb]\npostgres_url = {SECRET}\n",
        f"[ccb\npostgres_url = {SECRET}\n",
    ],
)
def test_a_file_that_is_no_configuration_is_one_line_that_quotes_nothing_of_it(here: Path, text: str) -> None:
    write(here, text)
    with pytest.raises(ConfigurationError) as raised:
        settings.load({})
    assert str(raised.value).count("\n") == 0
    assert "luigi.cfg" in str(raised.value)
    assert SECRET not in str(raised.value)


def test_the_file_is_parsed_once_until_it_changes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[object] = []
    read = ConfigParser.read

    def noted(*some: Any, **more: Any) -> Any:
        parsed.append(some)
        return read(*some, **more)

    monkeypatch.setattr(ConfigParser, "read", noted)
    path = write(here, "[ccb]\nworkers = 3\n")
    assert [settings.load({}).workers for _ in range(3)] == [3, 3, 3]
    assert len(parsed) == 1
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # some kernels' clocks tick every 10 ms
        write(here, "[ccb]\nworkers = 4\n")  # of the same length
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert settings.load({}).workers == 4, "what is set back is the time of the contents alone"
    path.unlink()
    assert settings.load({}).workers == settings.Settings().workers
    write(here, "[ccb]\nworkers = 5\n")
    assert settings.load({}).workers == 5


def test_what_could_not_be_opened_once_is_not_remembered(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here, "[ccb]\nworkers = 7\n")
    with monkeypatch.context() as fault:
        fault.setattr(ConfigParser, "read", lambda *_, **__: [])
        assert settings.load({}).workers == settings.Settings().workers
    assert settings.load({}).workers == 7


def test_a_path_that_can_not_be_looked_at_is_one_line(here: Path) -> None:
    loop = here / "loop"
    loop.symlink_to(loop)
    with pytest.raises(ConfigurationError, match="loop can't be read: "):
        settings.load({"LUIGI_CONFIG_PATH": str(loop)})


def test_another_directory_has_another_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here, "[ccb]\nworkers = 3\n")
    assert settings.load({}).workers == 3
    (here / "other").mkdir()
    write(here / "other", "[ccb]\nworkers = 4\n")
    monkeypatch.chdir(here / "other")
    assert settings.load({}).workers == 4


def test_a_file_of_other_bytes_than_utf_8_is_one_line(here: Path) -> None:
    (here / "luigi.cfg").write_bytes(b"[ccb]\nmongo_uri = \xff\xfe\n")
    with pytest.raises(ConfigurationError) as raised:
        settings.load({})
    assert str(raised.value).count("\n") == 0


def test_a_number_in_the_file_that_is_none_is_told_by_its_name(here: Path) -> None:
    write(here, f"[ccb]\nworkers = {SECRET}\n")
    with pytest.raises(ConfigurationError, match="WORKERS") as raised:
        settings.load({})
    assert SECRET not in str(raised.value)


def test_addresses_never_show() -> None:
    found = Settings(
        mongo_uri=f"mongodb://u:{SECRET}@h/",
        postgres_url=f"postgresql://u:{SECRET}@h/d",
        scheduler_url=f"http://u:{SECRET}@h/",
    )
    assert SECRET not in repr(found)
    assert SECRET not in str(found)
    assert SECRET not in f"{found}"


def test_finding_codes_can_be_promoted_however_they_are_parted() -> None:
    for text in ("cpf_digito,saldo_final", "cpf_digito saldo_final", " cpf_digito ,\n saldo_final, "):
        found = settings.load({"CCB_REJECT_FINDINGS": text})
        assert found.strictness.promoted == {"cpf_digito", "saldo_final"}


def test_a_code_that_is_no_finding_is_refused_in_one_line() -> None:
    for text in ("cpf_digito, nada", "ausente"):  # a rejection is no finding
        with pytest.raises(ConfigurationError, match="CCB_REJECT_FINDINGS") as raised:
            settings.load({"CCB_REJECT_FINDINGS": text})
        assert str(raised.value).count("\n") == 0


@pytest.mark.parametrize(
    ("day", "start", "hours"),
    [
        (date(2026, 11, 22), datetime(2026, 11, 22, 3, tzinfo=UTC), 24),
        (date(2018, 11, 3), datetime(2018, 11, 3, 3, tzinfo=UTC), 24),
        (date(2018, 11, 4), datetime(2018, 11, 4, 3, tzinfo=UTC), 23),
        (date(2018, 11, 5), datetime(2018, 11, 5, 2, tzinfo=UTC), 24),
        (date(2019, 2, 16), datetime(2019, 2, 16, 2, tzinfo=UTC), 25),
        (date(2019, 2, 17), datetime(2019, 2, 17, 3, tzinfo=UTC), 24),
        (date(2024, 2, 29), datetime(2024, 2, 29, 3, tzinfo=UTC), 24),
        (date(2024, 12, 31), datetime(2024, 12, 31, 3, tzinfo=UTC), 24),
    ],
)
def test_a_day_lasts_from_local_midnight_to_local_midnight(day: date, start: datetime, hours: int) -> None:
    begins, ends = Settings().bounds(day)
    assert begins.timestamp() == start.timestamp()
    assert ends.timestamp() - begins.timestamp() == hours * 3600


def test_the_days_of_a_year_follow_each_other_without_gap_or_overlap() -> None:
    for zone in ("America/Sao_Paulo", "UTC", "Asia/Tokyo"):
        here = Settings(timezone=zone)
        days = [
            date.fromordinal(n) for n in range(date(2018, 10, 1).toordinal(), date(2019, 4, 1).toordinal())
        ]
        bounds = [here.bounds(day) for day in days]
        for (_, end), (start, _) in pairwise(bounds):
            assert end.timestamp() == start.timestamp()


def test_a_day_of_another_zone_is_that_zones() -> None:
    begins, ends = Settings(timezone="Asia/Tokyo").bounds(date(2026, 11, 22))
    assert begins.timestamp() == datetime(2026, 11, 21, 15, tzinfo=UTC).timestamp()
    assert ends.timestamp() == datetime(2026, 11, 22, 15, tzinfo=UTC).timestamp()


def test_yesterday_is_the_day_before_the_one_that_the_zone_has_now() -> None:
    for zone in ("America/Sao_Paulo", "Pacific/Kiritimati", "Etc/GMT+12"):
        here = Settings(timezone=zone)
        before = datetime.now(here.zone).date()
        found = here.yesterday()
        assert before.toordinal() - 1 <= found.toordinal() <= datetime.now(here.zone).date().toordinal() - 1


# --- secrets in files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CCB_POSTGRES_URL", "CCB_MONGO_URI", "CCB_FORGET_KEY", "CCB_ALERT_WEBHOOK"])
def test_a_secret_may_stand_in_a_file_of_its_own_or_be_a_credential_of_systemd(here: Path, name: str) -> None:
    attribute = name.removeprefix("CCB_").lower()
    (here / "secret").write_text(f"  {SECRET} named\n")
    (here / name.lower()).write_text(f"{SECRET} given\n")
    credential = {"CREDENTIALS_DIRECTORY": str(here)}
    named = {f"{name}_FILE": str(here / "secret")}
    write(here, f"[ccb]\n{attribute} = {SECRET} of the file below\n")
    for environ, last in (
        ({}, "of the file below"),
        (credential, "given"),
        (credential | named, "named"),
        (credential | named | {name: f"{SECRET} said"}, "said"),
    ):
        assert getattr(settings.load(environ), attribute) == f"{SECRET} {last}"
    (here / name.lower()).write_text("")
    assert getattr(settings.load(credential), attribute) == f"{SECRET} of the file below"


def test_a_credential_that_was_not_given_is_none(here: Path) -> None:
    assert settings.load({"CREDENTIALS_DIRECTORY": str(here / "nowhere")}) == settings.load({})


def test_a_credential_that_can_not_be_read_is_one_line_with_its_name(here: Path) -> None:
    (here / "ccb_postgres_url").mkdir()
    with pytest.raises(ConfigurationError, match=r"^the credential ccb_postgres_url can.t be read: "):
        settings.load({"CREDENTIALS_DIRECTORY": str(here)})


def test_only_secrets_are_looked_for_in_files(here: Path) -> None:
    (here / "ccb_mongo_database").write_text("no secret")
    environ = {"CREDENTIALS_DIRECTORY": str(here), "CCB_MONGO_DATABASE_FILE": str(here / "nowhere")}
    assert settings.load(environ) == settings.load({})


@pytest.mark.parametrize("kind", ["missing", "a directory", "not text"])
def test_a_secret_s_file_that_can_not_be_read_is_one_line_with_the_setting_s_name(
    here: Path, kind: str
) -> None:
    path = here / "secret"
    if kind == "a directory":
        path.mkdir()
    elif kind == "not text":
        path.write_bytes(b"\xff\xfe" + SECRET.encode())
    with pytest.raises(
        ConfigurationError, match=r"^CCB_POSTGRES_URL_FILE names a file .*can't be read: "
    ) as raised:
        settings.load({"CCB_POSTGRES_URL_FILE": str(path)})
    assert SECRET not in repr(raised.value)
    assert str(raised.value).count("\n") == 0


def test_the_night_has_no_end_unless_one_is_set() -> None:
    assert Settings().night_end is None
    assert Settings(deadline="05:30").night_end == time(5, 30)


@pytest.mark.parametrize(
    ("path", "database"),
    [
        ("h", "ccb"),
        ("h/", "ccb"),
        ("h/?tls=true", "ccb"),
        ("h/loans", "loans"),
        ("u:p%2Fw@h1:27017,h2:27018/my%2Dloans?replicaSet=r", "my-loans"),
        ("u:p@h/admin?tls=true", "ccb"),  # where the users are
        ("u:pa/ss@h/loans", "ccb"),  # no address: the driver says so
    ],
)
def test_a_database_in_mongodbs_address_is_used(path: str, database: str) -> None:
    for scheme in ("mongodb", "mongodb+srv"):
        assert settings.load({"CCB_MONGO_URI": f"{scheme}://{path}"}).mongo_database == database


def test_a_database_in_the_address_that_differs_is_refused_without_being_told() -> None:
    environment = {"CCB_MONGO_URI": "mongodb://h/secret", "CCB_MONGO_DATABASE": "ccb"}
    with pytest.raises(ConfigurationError, match="names another database than CCB_MONGO_DATABASE") as told:
        settings.load(environment)
    assert "secret" not in str(told.value)
    assert settings.load(environment | {"CCB_MONGO_DATABASE": "secret"}).mongo_database == "secret"
    assert settings.load(environment | {"CCB_MONGO_URI": "mongodb://h/admin"}).mongo_database == "ccb"


@pytest.mark.parametrize("moment", ["2026-11-20", "noon", "20/11/2026 00:00", "2026-13-01T00:00"])
def test_until_when_a_dump_covers_is_a_moment(moment: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a moment such as"):
        Settings(source="x.bson", source_covers_until=moment)
    with pytest.raises(ConfigurationError, match="names none"):
        Settings(source_covers_until="2026-11-20T00:00")


# --- a person isn't a night ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "environ", "text", "first"),
    [
        (False, {}, "", 60),
        (True, {}, "", settings.IMPATIENCE),
        (True, {"CCB_RETRY_SECONDS": "60"}, "", 60),
        (True, {"CCB_RETRY_SECONDS": "2"}, "", 2),
        (True, {}, "retry_seconds = 90", 90),
        (True, {"CCB_RETRY_SECONDS": "0.5"}, "retry_seconds = 90", 0.5),
        (False, {}, "retry_seconds = 90", 90),
    ],
)
def test_a_person_waits_a_moment_for_who_has_not_answered_yet_unless_something_else_is_set(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    person: bool,
    environ: dict[str, str],
    text: str,
    first: float,
) -> None:
    monkeypatch.setattr(settings, "somebody_waits", lambda: person)
    write(here, f"[ccb]\n{text}\n")
    found = settings.load(environ)
    assert found.first_seconds == first
    assert found.retry_seconds == (60 if first == settings.IMPATIENCE else first)


def test_a_person_has_a_terminal_to_read_from_and_to_type_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminals, person in (
        ({0, 1, 2}, True),
        ({0, 2}, True),
        ({1, 2}, False),
        ({0, 1}, False),
        ((), False),
    ):
        monkeypatch.setattr(os, "isatty", lambda number, terminals=terminals: number in terminals)
        settings.somebody_waits.cache_clear()
        assert settings.somebody_waits() is person, terminals
    settings.somebody_waits.cache_clear()


def test_the_programs_own_luigi_cfg_leaves_a_person_impatient(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "somebody_waits", lambda: True)
    shipped = Path(__file__).parents[2] / "luigi.cfg"
    assert settings.load({"LUIGI_CONFIG_PATH": str(shipped)}).impatient
