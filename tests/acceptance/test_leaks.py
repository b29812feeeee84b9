"""No personal data and no password gets out: success and every failure, every place where words go.

Canaries (values that occur nowhere else) are put into all fields of the documents and into every secret.
Then everything is made to fail in every way, and each place where the program speaks is searched for them.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bson
import pytest
from program import REPOSITORY, Program, Scheduler, kill, luigid
from test_luigi import held, wait_until, waits_for
from world import STEPS, Document, World, at, document

from ccb_luigi.codes import REJECTIONS

FAILURES = (
    *("raised", "check", "unique", "timeout", "copy"),  # PostgreSQL's words quote the row
    *("breaker", "unproven", "bug"),
)
GOOD, *FAILING = (date(2026, 3, 2) + timedelta(days=n) for n in range(1 + len(FAILURES)))
DAY = dict(zip(FAILURES, FAILING, strict=True))
FROM_DUMP, INTERRUPTED, UNREAD = (FAILING[-1] + timedelta(days=n) for n in (1, 2, 3))

# Each shows in another way what the row holds.
INJECTED = """
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW::text ILIKE '%' || TG_ARGV[0] || '%' THEN
            RAISE EXCEPTION USING ERRCODE = TG_ARGV[1], MESSAGE = 'no: ' || NEW::text,
                DETAIL = 'Failing row contains ' || NEW::text, HINT = NEW::text;
        END IF;
        RETURN NEW;
    END $$;
    CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.valor_bruto := NEW.valor_bruto + (NEW.status = 'unproven')::int; RETURN NEW; END $$;
    CREATE TRIGGER t BEFORE INSERT ON contatos FOR EACH ROW EXECUTE FUNCTION tell('raised', 'P0001');
    CREATE TRIGGER t BEFORE INSERT ON dados_bancarios FOR EACH ROW EXECUTE FUNCTION tell('timeout', '57014');
    CREATE TRIGGER t BEFORE INSERT ON staging.identidades FOR EACH ROW EXECUTE FUNCTION tell('copy', '22000');
    CREATE TRIGGER t BEFORE INSERT ON operacoes FOR EACH ROW EXECUTE FUNCTION forge();
    ALTER TABLE enderecos ADD CONSTRAINT no_check CHECK (client_id <> 'check') NOT VALID;
    CREATE UNIQUE INDEX once ON contatos (valor);
"""
# Imported by Python when it starts.
BUG = f"""
import os
from ccb_luigi.load import pipeline
load = pipeline.load_table
def buggy(settings, table, day, *show):
    if str(day) == "{DAY["bug"]}" and table.name == "parcelas":
        secrets = os.environ["BUG"]
        raise LookupError(secrets)
    return load(settings, table, day, *show)
pipeline.load_table = buggy
"""


class Canaries(dict[str, str]):
    """Where a value was put → the value."""

    def new(self, place: str, value: str) -> str:
        assert value not in self.values()
        self[place] = value
        return value

    def text(self, place: str) -> str:
        return self.new(place, f"Xq{len(self):03}{place.title().replace(' ', '')}Wz")

    def number(self, place: str, digits: int) -> str:
        return self.new(place, f"{73_194_605_000 + len(self) * 7:011}"[:digits].ljust(digits, "3"))

    def person(self, client: str) -> Document:
        """Fields of a borrower in which everything is a canary; text fields name the client too."""

        def text(field: str) -> str:
            return self.text(f"{client} {field}")

        return {
            "clientId": client,
            "name": text("name"),
            "taxId": self.number(f"{client} taxId", 11),
            "motherName": text("mother"),
            "birthPlace": text("birthplace"),
            "identity": {"number": text("rg"), "issuer": "SSP", "issuerState": "MG"},
            "address": {
                "zipCode": text("zip code"),  # a finding
                "state": text("state"),
                "city": text("city"),
                "address": text("street"),
                "neighbourhood": text("neighbourhood"),
                "complement": text("complement"),
            },
            "contacts": {
                "email": text("email") + "@example.com",
                "phone": [self.number(f"{client} phone", 11), text("phone")],
            },
            "bankData": {"bankNumber": "756", "branchNumber": "4103", "accountNumber": text("account")},
            "guarantors": [{"name": text("guarantor")}],
            "neverSeen": {"deeper": text("unknown field")},
        }

    def found_in(self, said: str) -> set[str]:
        """The places whose value occurs in ``said``, in any case."""
        low = said.lower()
        return {place for place, value in self.items() if value.lower() in low}


def documents(canaries: Canaries) -> Iterator[Document]:
    def one(client: str, code: str, day: date, **changes: Any) -> Document:
        made = document(client, code, at(day))
        return made | canaries.person(client) | {"status": client} | changes

    yield one("good", "GOOD", GOOD)
    # As many as are rejected: else the date would be a flood, and fail for that.
    yield from (one(f"good {n}", f"GOOD {n}", GOOD) for n in range(len(REJECTIONS)))
    for kind, day in DAY.items():
        if kind != "breaker":
            yield one(kind, kind.upper(), day)
    shared = canaries.text("shared phone")
    for n in range(2):
        yield one(f"unique{n}", f"UNIQUE{n}", DAY["unique"], contacts={"phone": shared})
    for n in range(60):
        bad = document(f"breaker{n}", f"B{n}", at(DAY["breaker"]))
        yield bad | {"name": None, "motherName": canaries.text(f"breaker {n}")}
    yield one("interrupted", "INTERRUPTED", INTERRUPTED)
    yield one("older", "TWICE", GOOD)
    yield one("newer", "TWICE", GOOD, updatedAt=at(GOOD, 20))
    for code, changes in rejections(canaries).items():
        yield one(code, code.upper(), GOOD, **changes)


def rejections(canaries: Canaries) -> dict[str, dict[str, Any]]:
    """Code → changes of a document that is rejected for it, the offending value a canary."""
    bad = canaries.text
    big = canaries.number("amount", 11) + "12345678"

    def operation(number: str = "1", **changes: Any) -> dict[str, Any]:
        found = document("x", "x", at(GOOD))["operation"]
        found["parcelas"]["PrevisaoDeParcela"][0]["NumeroDaParcela"] = number
        return {"operation": found | changes}

    return {
        "ausente": {"name": None},
        "names in a list": {"name": [bad("name in a list")]},
        "a key": {"contacts": {"email": {bad("key"): bad("value of the key")}}},
        "no object": {"operation": bad("operation")},
        "tipo_invalido": {"name": {"first": bad("object")}},
        "tipo_pessoa_invalido": {"type": bad("type")},
        "cpf_cnpj_invalido": {"taxId": bad("tax id")},
        "data_invalida": {"birthDate": bad("birth date")},
        "data_ambigua": {"birthDate": bson.Int64(canaries.number("birth date in digits", 11))},
        "booleano_invalido": {"pep": bad("pep")},
        "texto_longo": {"contacts": {"email": bad("long") * 40}},
        "nul": {"name": bad("before NUL") + "\0" + bad("after NUL")},
        "id_invalido": {"_id": 7},
        "numero_invalido": operation(ValorDoIOF=bad("IOF")),
        "nao_finito": operation(TaxaDeJuros="NaN"),
        "fracao_de_centavo": operation(ValorDoIOF=f"{big[:9]}.1234"),
        "valor_ambiguo": operation(ValorDoIOF="7.319"),
        "valor_excede": operation(ValorDoIOF=big),
        "parcela_negativa": operation(number="-7"),
        "parcela_repetida": operation(number="2"),
    }


def dump(canaries: Canaries, path: Path) -> Path:
    """A document that no driver writes: one that can't be decoded."""
    broken = document("broken", "BROKEN", at(FROM_DUMP)) | canaries.person("broken")
    path.write_bytes(bson.encode(broken)[:-12] + b"\xff" * 11 + b"\0")
    return path


@pytest.fixture
def scheduler(program: Program, tmp_path: Path) -> Iterator[Scheduler]:
    """A luigid that, unlike the usual one, calls a task failed after its first failure."""
    config = tmp_path / "luigi.cfg"
    config.write_text((REPOSITORY / "luigi.cfg").read_text().replace("retry_count = 3", "retry_count = 1"))
    program.environment["LUIGI_CONFIG_PATH"] = str(config)
    with luigid(tmp_path / "luigid", config) as found:
        yield found


def api(scheduler: Scheduler) -> str:
    """Everything that the scheduler tells."""
    tasks = scheduler.ask("task_list", status="")
    said = [
        tasks,
        *(scheduler.ask(method) for method in ("worker_list", "resource_list", "graph")),
        *(scheduler.ask("task_search", task_str=word) for word in ("Load", "Extract")),
    ]
    for task in tasks:
        for method in ("fetch_error", "dep_graph", "inverse_dep_graph", "get_task_status_message"):
            said.append(scheduler.ask(method, task_id=task))
    return json.dumps(said, ensure_ascii=False)


def collected(processes: dict[str, subprocess.Popen[str]]) -> dict[str, str]:
    """What each of them said, when all have ended; only the dump's broken documents fail no run."""
    said = {}
    for name, process in processes.items():
        try:
            out, err = process.communicate(timeout=120)
        finally:
            kill(process)
        said[name] = out + err
        assert bool(process.returncode) == (name != "a dump"), said[name]
        assert said[name].strip(), name
    return said


def unhappy(program: Program, canaries: Canaries, scheduler: Scheduler) -> dict[str, subprocess.Popen[str]]:
    """Commands with addresses that are wrong in every way, each with a password; all at once."""

    def start(*words: object, **environment: str) -> subprocess.Popen[str]:
        return program.start("-v", *words, CCB_RETRY_SECONDS="0.5", **environment)

    def asking(address: str) -> subprocess.Popen[str]:
        return start("status", CCB_POSTGRES_URL=address.format(canaries.text(f"password in {address}")))

    parts = urlsplit(program.environment["CCB_POSTGRES_URL"])
    server = f"{parts.hostname}:{parts.port}{parts.path}"
    nobody = f"mongodb://reader:{canaries.text('password of MongoDB')}@127.0.0.1:1/"
    malformed = f"mongodb://reader:{canaries.text('password with a slash')}/@h:x:y"
    scheduling = f"http://u:{canaries.text('password of the scheduler')}@127.0.0.1:1"
    run = ("run", "--date", UNREAD, "--workers", 1)
    raw_luigi = ("--module", "ccb_luigi.tasks", "MigrateCCB", "--date", DAY["check"], "--local-scheduler")
    from_dump = ("run", "--date", FROM_DUMP, "--source", dump(canaries, program.directory / "dump.bson"))
    from_dump += ("--covers-until", f"{FROM_DUMP + timedelta(days=1)}T00:00")
    return {
        "MongoDB unreachable": start(*run, CCB_MONGO_URI=nobody, CCB_SCHEDULER_URL=scheduler.url),
        "MongoDB and scheduler": start(*run, CCB_MONGO_URI=malformed, CCB_SCHEDULER_URL=scheduling),
        "wrong password": asking(f"postgresql://{parts.username}:{{}}@{server}"),
        "PostgreSQL unreachable": asking("postgresql://u:{}@127.0.0.1:1/d"),
        "PostgreSQL's address malformed": asking("postgresql://u:{}@h:p:q/d"),
        "key/value string malformed": asking("host=h password={} port"),
        "no key": start("forget", "good", CCB_FORGET_KEY=""),
        "a key too short": start("forget", "good", CCB_FORGET_KEY=canaries.text("key")[:15]),
        "Luigi alone": program.start(*raw_luigi, program="luigi"),
        "a dump": start(*from_dump, CCB_MONGO_URI=nobody),
    }


def told(world: World) -> dict[str, str]:
    """The tables that may be looked at by many."""
    columns = "id, mongo_id, codigos, erros, sha256"
    return {
        table: "\n".join(world.column(f"SELECT t::text FROM {table} t"))
        for table in (
            "table_updates",
            "controle.reconciliacoes",
            "controle.qualidade",
            "controle.esquecimentos",
            "controle.execucoes",
            f"(SELECT {columns} FROM controle.quarentena)",
        )
    }


def interrupted(program: Program, scheduler: Scheduler) -> str:
    with held(program.world, "clientes"):
        process = program.start(
            "-v", "run", "--date", INTERRUPTED, "--workers", 1, CCB_SCHEDULER_URL=scheduler.url
        )
        wait_until(lambda: waits_for(program.world, "clientes"))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    kill(process)
    assert process.returncode == 130
    return out + err


def test_no_canary_is_ever_told(program: Program, scheduler: Scheduler, tmp_path: Path) -> None:
    world, canaries = program.world, Canaries()
    program.environment["CCB_FORGET_KEY"] = canaries.text("forget key")
    program.environment["CCB_METRICS_DIR"] = str(tmp_path / "metrics")
    pushing = {"CCB_PUSHGATEWAY_URL": f"http://me:{canaries.text('password of the Pushgateway')}@127.0.0.1:1"}
    with world.collection() as collection:
        collection.insert_many(list(documents(canaries)))
    world.query(INJECTED)
    (tmp_path / "bug").mkdir()
    (tmp_path / "bug" / "sitecustomize.py").write_text(BUG)
    bug = {
        "PYTHONPATH": f"{tmp_path / 'bug'}:{program.environment.get('PYTHONPATH', '')}",
        "BUG": canaries.text("local variable") + canaries["bug name"],
    }
    meanwhile = unhappy(program, canaries, scheduler)
    said = {}
    run = ("-v", "run", "--since", GOOD, "--until", FAILING[-1], "--workers", 2)
    done = program.run(*run, status=14, CCB_SCHEDULER_URL=scheduler.url, **bug)
    said["run"] = done.stdout + done.stderr
    said["scheduler"] = api(scheduler)
    again = program.start(*run, CCB_LOG_FORMAT="json", **bug, **pushing)
    said |= collected({"run for machines": again})
    said["interrupted"] = interrupted(program, scheduler)
    said["scheduler after Ctrl-C"] = api(scheduler)
    for words in (
        ("quarantine", "list"),
        *(("quarantine", "show", name) for name in ("nul", "tipo_invalido", "names in a list", "a key")),
        ("status", "--until", str(FAILING[-1]), "--json"),
        ("report", "--date", str(GOOD), "--out", "-"),
        ("report", "--date", str(GOOD), "--json"),
        ("-v", "quarantine", "retry"),
        ("-v", "forget", "good", "--yes"),
    ):
        done = program.run(*words)
        said[" ".join(words)] = done.stdout + done.stderr
    said |= collected(meanwhile)
    said |= told(world)
    scheduler.process.send_signal(signal.SIGTERM)  # it writes its state
    with suppress(subprocess.TimeoutExpired):
        scheduler.process.wait(timeout=60)
    for file in [*(tmp_path / "luigid").iterdir(), *(tmp_path / "metrics").iterdir()]:
        said[file.name] = file.read_bytes().decode("latin-1")

    # Everything failed as it was meant to ...
    for what in ("P0001", "23514", "23505", "57014", "22000", "unexpected LookupError",
                 "documents were rejected", "source and target differ"):  # fmt: skip
        assert what in said["run"], what
        assert what in said["scheduler"], what
    assert said["state.pickle"]
    for what in (
        "P0001",
        "23514",
        "unexpected LookupError",
        "source and target differ",
        "nothing listens there",
    ):
        assert what in said["run for machines"], what
    assert all(json.loads(line)["ts"] for line in said["run for machines"].splitlines())
    assert "ccb_luigi_quarantine_documents " in said["ccb_luigi.prom"]
    assert 'exit_code{command="run"} 1' in said["ccb_luigi_run.prom"]
    rejected = world.column("SELECT DISTINCT unnest(codigos) FROM controle.quarentena")
    # The server stores neither of the first two; the last is the sweep's.
    assert set(rejected) == set(REJECTIONS) - {"aninhamento", "chave_repetida", "id_repetido"}
    assert set(world.markers(GOOD)) == set(STEPS)
    # ... the canaries were there ...
    assert len(canaries) > 50
    kept = world.column("SELECT documento FROM controle.quarentena WHERE documento IS NOT NULL")
    assert len(canaries.found_in("".join(bytes(raw).decode("latin-1") for raw in kept))) > 50
    # ... and none of them came out.
    assert {where: found for where, text in said.items() if (found := canaries.found_in(text))} == {}


def test_the_search_finds_what_it_looks_for() -> None:
    canaries = Canaries()
    person = canaries.person("good")
    assert len(canaries) == len(set(canaries.values())) > 12
    assert canaries.found_in(str(person).upper()) == set(canaries)
    assert canaries.found_in("Xq") == set()
