"""Every failure that a user can meet: one base class, an exit status each, one line of text each.

The texts name the place (partition, ``_id``, field, table, column) and what to do, never a value:
they end in logs, in Luigi's visualizer and in mails.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from datetime import date

from ccb_luigi.codes import Code


def command_for(name: str, days: Sequence[date]) -> str:
    """The command that helps: for these dates, the oldest first, and for those between them."""
    if len(days) == 1:
        return f"ccb-luigi {name} --date {days[0]}"
    return f"ccb-luigi {name} --since {days[0]} --until {days[-1]}"


class CcbError(Exception):
    """Base of all errors of this project; ``exit_code`` is the status the command line ends with."""

    exit_code = 1
    transient = False
    """Whether the same call may succeed a moment later."""
    hasty = False
    """Whether it was tried for a few seconds alone, since a person waits."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class PartitionFailed(CcbError):
    """A partition did not complete, for a reason that none of the classes below names."""

    exit_code = 10


class NotOver(CcbError):
    """A date that has not ended was asked for: it can't be marked yet (contract §3.1)."""

    exit_code = 2


class CircuitBroken(CcbError):
    """More documents of a partition were rejected than the set share (contract §3.9)."""

    exit_code = 11


class NotReconciled(CcbError):
    """The counts or sums of a partition differ between source and target (contract §3.10)."""

    exit_code = 12


class NotCovered(CcbError):
    """A date was loaded without a marker: the dump doesn't say that it holds all of it (contract §3.1)."""

    exit_code = 24


class SourceError(CcbError):
    """MongoDB (or the dump) can't be reached or read."""

    exit_code = 13


class TargetError(CcbError):
    """PostgreSQL can't be reached, or refused a statement."""

    exit_code = 14


class ConfigurationError(CcbError):
    """A setting is missing or makes no sense."""

    exit_code = 15


class Busy(CcbError):
    """Another session holds the lock that this one needs, and kept it longer than we wait."""

    exit_code = 16


class SchemaOutdated(CcbError):
    """The database's schema is not the one that this version of the code was written for."""

    exit_code = 17


class StagingIncomplete(CcbError):
    """Staging holds fewer (or more) rows than the extraction's marker says."""

    exit_code = 18


class SweepRefused(CcbError):
    """A sweep would have to believe that contracts are gone which may well be there; it marks none."""

    exit_code = 19

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotProven(CcbError):
    """A verification found rows that aren't what the documents say."""

    exit_code = 20


class NotTold(CcbError):
    """An alert could not be delivered on every way that is set."""

    exit_code = 22


class PreflightFailed(CcbError):
    """Something was found that would fail the night."""

    exit_code = 25


_WHY_NOT = (
    ("no space left on device", "the server's disk is full"),
    ("connection refused", "nothing listens at its address (connection refused)"),
    ("timed out|timeout expired", "no answer in time"),
    ("no route to host|network is unreachable", "no way leads to its address"),
    (
        "name or service not known|temporary failure in name resolution|no address associated"
        "|nodename nor servname|nome ou serviço desconhecido|falha temporária na resolução",
        "its name can't be resolved",
    ),
    (
        r"ProtocolError\(|response to SSL negotiation|(expected|waiting for) authentication request",
        "something else answers at its address",
    ),
    ("no such file or directory", "there is no such socket"),
    ("SSL SYSCALL error", "it broke off in the TLS handshake"),
    ("starting up|shutting down|in recovery|not accepting|not yet accepting", "it is starting, or stopping"),
)


def unreachable(who: str, said: str) -> str:
    """That a server can't be reached, and why, as far as the driver's words tell: they aren't repeated."""
    why = next((words for pattern, words in _WHY_NOT if re.search(pattern, said, re.IGNORECASE)), "")
    return f"{who} can't be reached: {why}" if why else f"{who} can't be reached, or the connection broke"


def words_of(error: Exception) -> str:
    """One line without data: ours as it is; of any other its kind and its place, since its text may quote."""
    if isinstance(error, CcbError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} in {place.name}, line {place.lineno}"


_GOES_ON = (
    "Nada de imediato: a próxima noite continua de onde esta parou.",
    "Nothing at once: the next night goes on where this one ended.",
)

STATUSES: dict[int, Code] = {
    1: Code(
        "something unexpected",
        "Algo inesperado aconteceu",
        "Rodar de novo; se repetir, `ccb-luigi -v` mostra onde.",
        "Run it again; if it comes back, `ccb-luigi -v` shows where.",
    ),
    2: Code(
        "the command line is wrong, or a date is not over, by a clock that may be wrong",
        "A linha de comando está errada, ou uma data não terminou, por um relógio talvez errado",
        "Ver `--help`; à noite, os relógios: `ccb-luigi preflight`.",
        "See `--help`; in a night, the clocks: `ccb-luigi preflight`.",
    ),
    10: Code(
        "a date failed",
        "Uma data falhou por outro motivo",
        "Ler a linha do registro e rodar a data de novo.",
        "Read the line of the log, and run the date again.",
    ),
    11: Code(
        "too many documents were rejected (circuit breaker)",
        "Documentos rejeitados demais: o disjuntor segurou a data",
        "Ver o que foi rejeitado com `ccb-luigi quarantine list`; se tudo for legítimo, rodar a data com"
        " `CCB_MAX_REJECTED_SHARE=1`.",
        "See what was rejected with `ccb-luigi quarantine list`; if it is legitimate, run the date with"
        " `CCB_MAX_REJECTED_SHARE=1`.",
    ),
    12: Code(
        "source and target differ",
        "Origem e destino divergem",
        "Carregar a data de novo com `ccb-luigi rerun`; a diferença está em `controle.reconciliacoes`.",
        "Load the date again with `ccb-luigi rerun`; the difference is in `controle.reconciliacoes`.",
    ),
    13: Code(
        "MongoDB can't be reached or read",
        "O MongoDB não pôde ser alcançado ou lido",
        "Conferir endereço, usuário, rede e certificado; depois rodar de novo.",
        "Check address, user, network and certificate; then run it again.",
    ),
    14: Code(
        "PostgreSQL can't be reached, or refused a statement",
        "O PostgreSQL não pôde ser alcançado ou recusou um comando",
        "Conferir endereço, usuário, permissões e disco; depois rodar de novo.",
        "Check address, user, rights and disk; then run it again.",
    ),
    15: Code(
        "a setting is missing or wrong",
        "Uma configuração falta ou está errada",
        "Corrigir a configuração que a linha do registro nomeia.",
        "Correct the setting that the line of the log names.",
    ),
    16: Code(
        "another session holds a lock",
        "Outra sessão segura um lock",
        "Esperar que ela termine, ou encerrá-la; depois rodar de novo.",
        "Wait until it ends, or end it; then run it again.",
    ),
    17: Code(
        "the tables are missing or of another version",
        "As tabelas faltam ou são de outra versão",
        "Rodar `ccb-luigi db upgrade` como dono das tabelas.",
        "Run `ccb-luigi db upgrade` as the tables' owner.",
    ),
    18: Code(
        "staging does not hold what the extraction wrote",
        "O staging não contém o que a extração gravou",
        "Carregar a data de novo com `ccb-luigi rerun`.",
        "Load the date again with `ccb-luigi rerun`.",
    ),
    19: Code(
        "a sweep refused: too much would count as gone",
        "A varredura se recusou: coisa demais pareceria apagada, e nada foi marcado",
        "Conferir o endereço da origem e rodar `ccb-luigi sweep`; se sumiu mesmo, com `--confirm`.",
        "Check the source's address and run `ccb-luigi sweep`; if it is really gone, with `--confirm`.",
    ),
    20: Code(
        "rows are not what the documents say",
        "Linhas não dizem o que os documentos dizem",
        "Carregar a data de novo com `ccb-luigi rerun`.",
        "Load the date again with `ccb-luigi rerun`.",
    ),
    21: Code(
        "the deadline passed before the night's work was done",
        "O prazo da noite chegou antes do fim; o que rodava foi desfeito",
        *_GOES_ON,
    ),
    22: Code(
        "an alert could not be delivered",
        "Um aviso não pôde ser entregue",
        "Conferir `/etc/ccb-luigi/alert.env`.",
        "Check `/etc/ccb-luigi/alert.env`.",
    ),
    23: Code(
        "it is done, but its output could not be written",
        "O trabalho foi feito, mas a saída não pôde ser gravada",
        "Abrir espaço no disco.",
        "Make room on the disk.",
    ),
    24: Code(
        "a dump does not reach the end of a date: it was loaded without a marker",
        "O dump não chega ao fim de uma data: ela foi carregada sem marca",
        "Fazer um dump depois do fim da data, ou dizer até quando este vale com `--covers-until`.",
        "Make a dump after the date's end, or say until when this one holds with `--covers-until`.",
    ),
    25: Code(
        "preflight found what would fail the night",
        "O preflight encontrou o que faria a noite falhar",
        "Corrigir o que está vermelho em `ccb-luigi preflight`.",
        "Correct what is red in `ccb-luigi preflight`.",
    ),
    129: Code(
        "its terminal is gone (SIGHUP)",
        "O terminal foi fechado; o que rodava foi desfeito",
        *_GOES_ON,
    ),
    130: Code(
        "interrupted",
        "A execução foi interrompida; o que rodava foi desfeito",
        *_GOES_ON,
    ),
    143: Code(
        "ended by SIGTERM",
        "A execução foi encerrada por SIGTERM; o que rodava foi desfeito",
        *_GOES_ON,
    ),
}
"""What each exit status says, and what to do then; docs/exit-status.md and the runbook say more."""
