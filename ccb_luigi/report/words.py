"""The words of the page and of the alerts in both languages, and how each writes dates and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ccb_luigi.settings import LANGUAGES

MOST_DATES = 4
"""More dates than these are summed up in a sentence."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = {
    "pt": ("seg", "ter", "qua", "qui", "sex", "sáb", "dom"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}

# Key → (Portuguese, English). `code` in backquotes; of a counted thing `.one` and `.many`, by {n}.
WORDS: dict[str, tuple[str, str]] = {
    # the verdict
    "good": (
        "Tudo certo: {day} está completa e conferida, e nada falta nos últimos {n} dias.",
        "All well: {day} is complete and proven, and nothing is missing in the last {n} days.",
    ),
    "rejected.one": (
        "De {day}: {read} lidos, {there} nas tabelas, {bad} rejeitados; conferida. "
        "Um documento rejeitado espera correção na origem.",
        "Of {day}: {read} read, {there} in the tables, {bad} rejected; proven. "
        "One rejected document waits to be corrected at the source.",
    ),
    "rejected.many": (
        "De {day}: {read} lidos, {there} nas tabelas, {bad} rejeitados; conferida. "
        "Ao todo {n} documentos rejeitados esperam correção na origem.",
        "Of {day}: {read} read, {there} in the tables, {bad} rejected; proven. "
        "In all {n} rejected documents wait to be corrected at the source.",
    ),
    "also_rejected.one": (
        "Um documento rejeitado espera correção na origem.",
        "One rejected document waits to be corrected at the source.",
    ),
    "also_rejected.many": (
        "{n} documentos rejeitados esperam correção na origem.",
        "{n} rejected documents wait to be corrected at the source.",
    ),
    "differs.one": (
        "Origem e destino diferem em {dates}: essa data não está provada.",
        "Source and target differ on {dates}: that date is not proven.",
    ),
    "differs.many": (
        "Origem e destino diferem em {n} datas ({dates}): elas não estão provadas.",
        "Source and target differ on {n} dates ({dates}): they are not proven.",
    ),
    "lost.one": (
        "Sumiram das tabelas linhas que {dates} tinha carregado: {rows} ({tables}).",
        "Rows that {dates} had loaded are no longer in the tables: {rows} ({tables}).",
    ),
    "lost.many": (
        "Sumiram das tabelas linhas que {n} datas tinham carregado ({dates}): {rows} ({tables}).",
        "Rows that {n} dates had loaded ({dates}) are no longer in the tables: {rows} ({tables}).",
    ),
    "early.one": (
        "{dates} foi marcada antes de terminar: pode faltar o que chegou depois.",
        "{dates} was marked before it was over: what came later that day may be missing.",
    ),
    "early.many": (
        "{n} datas foram marcadas antes de terminar ({dates}): pode faltar o que chegou depois.",
        "{n} dates were marked before they were over ({dates}): what came later may be missing.",
    ),
    "breaker.one": (
        "Documentos rejeitados demais em {dates}: nada dessa data foi carregado.",
        "Too many documents rejected on {dates}: nothing of that date was loaded.",
    ),
    "breaker.many": (
        "Documentos rejeitados demais em {n} datas ({dates}): nada delas foi carregado.",
        "Too many documents rejected on {n} dates ({dates}): nothing of them was loaded.",
    ),
    "missing.one": (
        "Falta migrar {dates}.",
        "{dates} has not been migrated.",
    ),
    "missing.many": (
        "Falta migrar {n} datas: {dates}.",
        "{n} dates have not been migrated: {dates}.",
    ),
    "partly.one": (
        "A migração de {dates} começou e não terminou.",
        "The migration of {dates} has begun and not ended.",
    ),
    "partly.many": (
        "A migração de {n} datas começou e não terminou: {dates}.",
        "The migration of {n} dates has begun and not ended: {dates}.",
    ),
    "gap.one": (
        "{dates} nunca foi executada, e o `nightly` já não volta até ela.",
        "{dates} has never been run, and `nightly` no longer goes back to it.",
    ),
    "gap.many": (
        "{n} datas nunca foram executadas ({dates}), e o `nightly` já não volta até elas.",
        "{n} dates have never been run ({dates}), and `nightly` no longer goes back to them.",
    ),
    "sweep": (
        "A varredura não terminou bem: não se sabe se falta algo nas tabelas. O motivo está logo abaixo.",
        "The sweep did not end well: nobody knows whether the tables lack something. The reason is below.",
    ),
    "sweep_waits": (
        "A varredura deixou documentos à espera de datas que rejeições demais retêm.",
        "The sweep left documents waiting for dates that too many rejections hold back.",
    ),
    "sweep_open.one": (
        "A varredura de {moment} deixou um documento da origem fora das tabelas e da quarentena.",
        "The sweep of {moment} left one document of the source neither in the tables nor in quarantine.",
    ),
    "sweep_open.many": (
        "A varredura de {moment} deixou {n} documentos da origem fora das tabelas e da quarentena.",
        "The sweep of {moment} left {n} documents of the source neither in the tables nor in quarantine.",
    ),
    "sweep_vanished.one": (
        "A varredura de {moment} não achou na origem um de {all} contratos e não marcou nenhum.",
        "The sweep of {moment} did not find one of {all} contracts in the source, and marked none.",
    ),
    "sweep_vanished.many": (
        "A varredura de {moment} não achou na origem {n} de {all} contratos e não marcou nenhum.",
        "The sweep of {moment} did not find {n} of {all} contracts in the source, and marked none.",
    ),
    "sweep_origem_vazia": (
        "A varredura de {moment} não encontrou nenhum documento na origem e não marcou nada.",
        "The sweep of {moment} met no document in the source, and marked nothing.",
    ),
    "sweep_leitura_incompleta": (
        "A varredura de {moment} leu menos documentos do que o MongoDB conta e não carregou nada.",
        "The sweep of {moment} read fewer documents than MongoDB counts, and loaded nothing.",
    ),
    "sweep_origem_ilegivel": (
        "A varredura de {moment} não pôde ler a origem: não se sabe se falta algo nas tabelas.",
        "The sweep of {moment} could not read the source: nobody knows whether the tables lack something.",
    ),
    "sweep_falhou": (
        "A varredura de {moment} não terminou bem: não se sabe se falta algo nas tabelas.",
        "The sweep of {moment} did not end well: nobody knows whether the tables lack something.",
    ),
    "empty": ("Nada foi migrado ainda.", "Nothing has been migrated yet."),
    "stopped": ("A noite parou antes de terminar.", "The night stopped before its end."),
    "running": (
        "A execução começou e ainda não terminou. Se esta página continuar assim, ela foi interrompida.",
        "The run has begun and not ended yet. If this page stays so, it was interrupted.",
    ),
    "unread": (
        "O banco não pôde ser lido, e não se sabe como foi a noite.",
        "The database could not be read, and how the night went is not known.",
    ),
    "do": ("O que fazer", "What to do"),
    "do_then": ("O que fazer, sanado o motivo abaixo", "What to do, once the reason below is mended"),
    "failures": ("O que falhou esta noite", "What failed tonight"),
    "log_line": ("Linha do registro, em inglês", "Line of the log"),
    "more_about": ("Passo a passo, em inglês", "Step by step"),
    "more_places.one": ("e mais um campo", "and one more field"),
    "more_places.many": ("e mais {n} campos", "and {n} more fields"),
    # headings and captions
    "title": ("CCBs de MongoDB para PostgreSQL", "CCBs from MongoDB to PostgreSQL"),
    "generated": ("escrita em {moment}", "written on {moment}"),
    "documents": ("documentos lidos", "documents read"),
    "loaded": ("contratos novos ou alterados", "contracts new or changed"),
    "unchanged": ("sem mudança", "unchanged"),
    "stale": ("obsoletos", "stale"),
    "quarantined": ("rejeitados", "rejected"),
    "still_rejected": ("rejeições abertas", "still rejected"),
    "dates": ("Datas e tabelas", "Dates and tables"),
    "dates_caption": (
        "Linhas que cada data tem para cada tabela. ✕ falta; ≠ origem e destino diferem; "
        "– nunca executada (ou sem documentos, numa carga `run --full`).",
        "Rows that each date has for each table. ✕ missing; ≠ source and target differ; "
        "– never run (or without documents, in a `run --full`).",
    ),
    "last_sweep": (
        "Última varredura, {moment}: {read} documentos da origem comparados com {there} contratos; "
        "{loaded} carregados, {gone} marcados como ausentes da origem, {back} de volta.",
        "Last sweep, {moment}: {read} documents of the source compared with {there} contracts; "
        "{loaded} loaded, {gone} marked as gone from the source, {back} back again.",
    ),
    "no_sweep": ("Nenhuma varredura terminou ainda.", "No sweep has ended yet."),
    "closed.one": (
        "Uma rejeição foi fechada nas últimas 24 horas: documento já carregado, ou fora da origem.",
        "One rejection was closed in the last 24 hours: its document is loaded by now, or gone.",
    ),
    "closed.many": (
        "{n} rejeições foram fechadas nas últimas 24 horas: documentos já carregados, ou fora da origem.",
        "{n} rejections were closed in the last 24 hours: their documents are loaded by now, or gone.",
    ),
    "figures_of": ("O que há de novo: {day}", "What is new: {day}"),
    "in_tables": ("nas tabelas", "in the tables"),
    "about_millions": ("≈ {millions} mi", "≈ {millions}M"),
    "in_tables_caption": (
        "A última linha diz o que as tabelas têm ao todo; ≈ é uma estimativa.",
        "The last row says what the tables hold in all; ≈ is an estimate.",
    ),
    "password_ends": (
        "A senha do PostgreSQL desta carga vence em {day}: renovar antes (ALTER ROLE ... VALID UNTIL).",
        "This load's PostgreSQL password ends on {day}: renew it before (ALTER ROLE ... VALID UNTIL).",
    ),
    "so_far.one": (
        "Até agora um contrato de {day} está nas tabelas, sem marca nem conferência da data.",
        "So far one contract of {day} is in the tables; the date has no marker and no proof.",
    ),
    "so_far.many": (
        "Até agora {n} contratos de {day} estão nas tabelas, sem marca nem conferência da data.",
        "So far {n} contracts of {day} are in the tables; the date has no marker and no proof.",
    ),
    "earlier.one": (
        "Uma data anterior, completa ou nunca executada",
        "One earlier date, complete or never run",
    ),
    "earlier.many": (
        "As {n} datas anteriores, completas ou nunca executadas",
        "The {n} earlier dates, complete or never run",
    ),
    "date": ("data", "date"),
    "trends": ("Os últimos {n} dias", "The last {n} days"),
    "read_per_day": ("Documentos lidos", "Documents read"),
    "rejected_per_day": ("Rejeitados", "Rejected"),
    "flagged_per_day": ("Contratos com alertas", "Contracts with findings"),
    "seconds_per_day": ("Segundos de trabalho", "Seconds of work"),
    "no_data": ("sem dados", "no data"),
    "proof": ("Conferência", "Reconciliation"),
    "proof_caption": (
        "Somas dos documentos lidos e das linhas gravadas, em reais; a diferença tem de ser zero.",
        "Sums over the documents read and over the rows written, in reais; the difference must be zero.",
    ),
    "proof_all.one": ("a data conferida", "the proven date"),
    "proof_all.many": ("{n} datas conferidas", "{n} proven dates"),
    "no_proof": ("Nenhuma conferência neste período.", "No reconciliation in this period."),
    "source": ("origem", "source"),
    "target": ("destino", "target"),
    "difference": ("diferença", "difference"),
    "row_documents": ("documentos", "documents"),
    "row_valor_bruto": ("valor bruto", "gross amount"),
    "row_valor_prestacao": ("prestações", "payments"),
    "rejections": ("Rejeições abertas", "Open rejections"),
    "rejections_none": ("Nenhum documento rejeitado está aberto.", "No rejected document is open."),
    "findings": ("Alertas de qualidade", "Quality findings"),
    "findings_caption": (
        "Contratos carregados em que algo não fecha.",
        "Contracts that were loaded although something in them does not add up.",
    ),
    "findings_none": ("Nenhum contrato tem alertas.", "No contract has findings."),
    "code": ("código", "code"),
    "open": ("abertas", "open"),
    "contracts": ("contratos", "contracts"),
    "of_day": ("da data", "of the date"),
    "meaning": ("o que significa, o que fazer", "what it means, what to do"),
    "unknown_code": (
        "Código desconhecido, de um programa mais novo.",
        "Unknown code, of a newer program.",
    ),
    "list": ("Os documentos", "The documents"),
    "document": ("documento (`_id`)", "document (`_id`)"),
    "tries": ("vezes", "tries"),
    "since": ("desde", "since"),
    "more.one": (
        "e mais um: `ccb-luigi quarantine list`",
        "and one more: `ccb-luigi quarantine list`",
    ),
    "more.many": (
        "e mais {n}: `ccb-luigi quarantine list`",
        "and {n} more: `ccb-luigi quarantine list`",
    ),
    "durations": ("Duração de cada etapa", "Duration of each step"),
    "durations_caption": (
        "Barra: {day}, em segundos; traço: a mediana dos {n} dias.",
        "Bar: {day}, in seconds; tick: the median of the {n} days.",
    ),
    "durations_none": ("Nenhuma etapa de {day} terminou.", "No step of {day} has ended."),
    "privacy": (
        "Só ids, campos, códigos, contagens e somas: nenhum dado pessoal.",
        "Only ids, fields, codes, counts and sums: no personal data.",
    ),
    # the steps: as what fails or takes a while, and as the head of a column
    "step_migration": ("migração", "migration"),
    "step_contratos": ("leitura dos documentos", "reading the documents"),
    "step_clientes": ("clientes", "clients"),
    "step_identidades": ("identidades", "identity papers"),
    "step_enderecos": ("endereços", "addresses"),
    "step_contatos": ("contatos", "contacts"),
    "step_dados_bancarios": ("contas bancárias", "bank accounts"),
    "step_operacoes": ("contratos", "contracts"),
    "step_parcelas": ("parcelas", "instalments"),
    "step_detalhamento_cet": ("composição do CET", "parts of the CET"),
    "step_reconciliacoes": ("conferência", "reconciliation"),
    "step_varreduras": ("varredura", "sweep"),
    "step_recontagem": ("recontagem", "counting again"),
    "contratos": ("lidos", "read"),
    "clientes": ("clientes", "clients"),
    "identidades": ("RG, CPF", "RG, CPF"),
    "enderecos": ("endereços", "addresses"),
    "contatos": ("contatos", "contacts"),
    "dados_bancarios": ("contas", "accounts"),
    "operacoes": ("contratos", "contracts"),
    "parcelas": ("parcelas", "instalments"),
    "detalhamento_cet": ("CET", "CET"),
    "reconciliacoes": ("prova", "proof"),
    # an alert: its title and its lines
    "unit_failed": ("{unit} falhou em {host}: {how}", "{unit} failed on {host}: {how}"),
    "unit_failed_at": (
        "{unit} falhou em {host}, {moment} ({zone}): {how}.",
        "{unit} failed on {host} at {moment} ({zone}): {how}.",
    ),
    "unit_trial": (
        "Teste do aviso de {unit} em {host}: ela não falhou",
        "Trial of the alert for {unit} on {host}: it has not failed",
    ),
    "unit_trial_at": (
        "Teste do aviso de {unit} em {host}, {moment} ({zone}): ela não falhou.",
        "Trial of the alert for {unit} on {host} at {moment} ({zone}): it has not failed.",
    ),
    "what_it_said": ("O que disse", "What it said"),
    "what_is_done": ("O que está feito", "What is done"),
    "morning_page": ("A página da manhã", "The morning page"),
    # how a unit ended: systemd's words for it
    "exit_status": ("código de saída {status}", "exit status {status}"),
    "ended_unknown": ("como, não se sabe", "how is not known"),
    "ended_timeout": (
        "levou mais tempo do que a unidade permite (TimeoutStartSec)",
        "it took longer than its unit allows (TimeoutStartSec)",
    ),
    "ended_signal": ("um sinal a matou", "it was killed by a signal"),
    "ended_core-dump": ("ela quebrou", "it crashed"),
    "ended_oom-kill": ("a memória da máquina acabou", "the machine ran out of memory"),
    "ended_watchdog": ("já não respondia ao watchdog", "it no longer answered the watchdog"),
    "ended_start-limit-hit": ("falhou repetidas vezes", "it failed again and again"),
    "ended_resources": ("o systemd não conseguiu iniciá-la", "systemd could not start it"),
}


def say(language: str, key: str, **values: Any) -> str:
    """The words for ``key``, values written as ``language`` does."""
    if key not in WORDS:
        key += ".one" if values.get("n") == 1 else ".many"
    written = {name: write(language, value) for name, value in values.items()}
    return WORDS[key][LANGUAGES.index(language)].format(**written)


def write(language: str, value: Any) -> str:
    """A date, a moment, several dates, a count, an amount in reais or a number of seconds."""
    if isinstance(value, datetime):
        return f"{write(language, value.date())} {value:%H:%M}"
    if isinstance(value, date):
        if language == "pt":
            return f"{value:%d/%m/%Y}"
        return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
    if isinstance(value, int):
        return _grouped(language, f"{value:,}")
    if isinstance(value, Decimal):
        return _grouped(language, f"{value:,.2f}")
    if isinstance(value, float):
        return _grouped(language, f"{value:,.1f}" if value < 100 else f"{value:,.0f}")
    if isinstance(value, str):
        return value
    return _dates(language, value)


def short(language: str, day: date) -> str:
    """The date in the margin of a table: weekday, day and month."""
    weekday = _WEEKDAYS[language][day.weekday()]
    if language == "pt":
        return f"{weekday} {day:%d/%m}"
    return f"{weekday} {day.day} {_MONTHS[day.month - 1]}"


def _grouped(language: str, digits: str) -> str:
    return digits.translate(str.maketrans(",.", ".,")) if language == "pt" else digits


def _dates(language: str, days: Sequence[date]) -> str:
    shown = [write(language, day) for day in days[:MOST_DATES]]
    if len(days) > MOST_DATES:
        more = len(days) - MOST_DATES
        shown.append(f"e mais {more}" if language == "pt" else f"and {more} more")
    return ", ".join(shown)
