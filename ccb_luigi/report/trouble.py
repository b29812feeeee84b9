"""What each exit status means and what to do about it, in both languages of the page and of the alerts.

The line of the log stays as it is: people search for it. The page says in the reader's language what failed.
"""

from __future__ import annotations

from typing import NamedTuple

from ccb_luigi.errors import MEANINGS


class Trouble(NamedTuple):
    """Portuguese meaning, without a final stop, as in ``errors.MEANINGS``; what to do, with one."""

    significado: str
    providencia: str
    action: str

    def said(self, language: str, status: int) -> str:
        """Meaning and action as two sentences."""
        if language == "pt":
            return f"{self.significado}. {self.providencia}"
        meaning = MEANINGS[status]
        return f"{meaning[0].upper()}{meaning[1:]}. {self.action}"


_GOES_ON = (
    "Nada de imediato: a próxima noite continua de onde esta parou.",
    "Nothing at once: the next night goes on where this one ended.",
)

TROUBLE: dict[int, Trouble] = {
    1: Trouble(
        "Algo inesperado aconteceu",
        "Rodar de novo; se repetir, `ccb-luigi -v` mostra onde.",
        "Run it again; if it comes back, `ccb-luigi -v` shows where.",
    ),
    2: Trouble(
        "A linha de comando está errada, ou nomeia uma data que ainda não terminou",
        "Ver `--help`.",
        "See `--help`.",
    ),
    10: Trouble(
        "Uma data falhou por outro motivo",
        "Ler a linha do registro e rodar a data de novo.",
        "Read the line of the log, and run the date again.",
    ),
    11: Trouble(
        "Documentos rejeitados demais: o disjuntor segurou a data",
        "Ver o que foi rejeitado com `ccb-luigi quarantine list`; se tudo for legítimo, rodar a data com"
        " `CCB_MAX_REJECTED_SHARE=1`.",
        "See what was rejected with `ccb-luigi quarantine list`; if it is legitimate, run the date with"
        " `CCB_MAX_REJECTED_SHARE=1`.",
    ),
    12: Trouble(
        "Origem e destino divergem",
        "Carregar a data de novo com `ccb-luigi rerun`; a diferença está em `controle.reconciliacoes`.",
        "Load the date again with `ccb-luigi rerun`; the difference is in `controle.reconciliacoes`.",
    ),
    13: Trouble(
        "O MongoDB não pôde ser alcançado ou lido",
        "Conferir endereço, usuário, rede e certificado; depois rodar de novo.",
        "Check address, user, network and certificate; then run it again.",
    ),
    14: Trouble(
        "O PostgreSQL não pôde ser alcançado ou recusou um comando",
        "Conferir endereço, usuário, permissões e disco; depois rodar de novo.",
        "Check address, user, rights and disk; then run it again.",
    ),
    15: Trouble(
        "Uma configuração falta ou está errada",
        "Corrigir a configuração que a linha do registro nomeia.",
        "Correct the setting that the line of the log names.",
    ),
    16: Trouble(
        "Outra sessão segura um lock",
        "Esperar que ela termine, ou encerrá-la; depois rodar de novo.",
        "Wait until it ends, or end it; then run it again.",
    ),
    17: Trouble(
        "As tabelas faltam ou são de outra versão",
        "Rodar `ccb-luigi db upgrade` como dono das tabelas.",
        "Run `ccb-luigi db upgrade` as the tables' owner.",
    ),
    18: Trouble(
        "O staging não contém o que a extração gravou",
        "Carregar a data de novo com `ccb-luigi rerun`.",
        "Load the date again with `ccb-luigi rerun`.",
    ),
    19: Trouble(
        "A varredura se recusou: coisa demais pareceria apagada, e nada foi marcado",
        "Conferir o endereço da origem e rodar `ccb-luigi sweep`; se sumiu mesmo, com `--confirm`.",
        "Check the source's address and run `ccb-luigi sweep`; if it is really gone, with `--confirm`.",
    ),
    20: Trouble(
        "Linhas não dizem o que os documentos dizem",
        "Carregar a data de novo com `ccb-luigi rerun`.",
        "Load the date again with `ccb-luigi rerun`.",
    ),
    21: Trouble("O prazo da noite chegou antes do fim; o que rodava foi desfeito", *_GOES_ON),
    22: Trouble(
        "Um aviso não pôde ser entregue",
        "Conferir `/etc/ccb-luigi/alert.env`.",
        "Check `/etc/ccb-luigi/alert.env`.",
    ),
    23: Trouble(
        "O trabalho foi feito, mas a saída não pôde ser gravada",
        "Abrir espaço no disco.",
        "Make room on the disk.",
    ),
    24: Trouble(
        "O dump não chega ao fim de uma data: ela foi carregada sem marca",
        "Fazer um dump depois do fim da data, ou dizer até quando este vale com `--covers-until`.",
        "Make a dump after the date's end, or say until when this one holds with `--covers-until`.",
    ),
    25: Trouble(
        "O preflight encontrou o que faria a noite falhar",
        "Corrigir o que está vermelho em `ccb-luigi preflight`.",
        "Correct what is red in `ccb-luigi preflight`.",
    ),
    129: Trouble("O terminal foi fechado; o que rodava foi desfeito", *_GOES_ON),
    130: Trouble("A execução foi interrompida; o que rodava foi desfeito", *_GOES_ON),
    143: Trouble("A execução foi encerrada por SIGTERM; o que rodava foi desfeito", *_GOES_ON),
}
"""Exit status → what there is to say."""


def meaning(language: str, status: int) -> str:
    """What a status means, to stand within a sentence; of one that nobody has words for nothing."""
    if language == "en" or status not in TROUBLE:
        return MEANINGS.get(status, "")
    words = TROUBLE[status].significado
    return f"{words[0].lower()}{words[1:]}"


def of(status: int) -> tuple[int, Trouble]:
    """The trouble of a status; of one that nobody has words for, and of none, something unexpected."""
    return (status, TROUBLE[status]) if status in TROUBLE else (1, TROUBLE[1])
