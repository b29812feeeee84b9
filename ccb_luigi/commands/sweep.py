"""The sweep: both sides compared whole."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import click

from ccb_luigi.commands.frame import clean, json_option, progress_console, say_json, with_settings
from ccb_luigi.commands.record import recorded
from ccb_luigi.errors import CcbError
from ccb_luigi.load.status import SWEEP
from ccb_luigi.process.events import Event
from ccb_luigi.proof import sweep
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry.display import Bar, harmless, what_it_did
from ccb_luigi.telemetry.runs import Recorder


@click.command("sweep", short_help="Compare both sides; load what is missing, mark what is gone.")
@click.option(
    "--confirm", is_flag=True, help="Mark what is gone however much it is: it was deleted on purpose."
)
@json_option
@clean
@with_settings
def sweep_command(settings: Settings, confirm: bool, as_json: bool) -> None:
    """Compare the ids and update times of both sides, load what is missing, mark what is gone."""
    with recorded(settings, "sweep") as recorder:
        run(settings, settings.yesterday(), recorder, confirmed=confirm, as_json=as_json)


def run(
    settings: Settings, day: date, recorder: Recorder, *, confirmed: bool = False, as_json: bool = False
) -> None:
    """Sweeps with a progress display, and sums up in one line; ``day``: the newest one that is over."""
    recorder.handle(Event("started", SWEEP, day))
    try:
        swept = _shown(settings, confirmed, as_json)
    except CcbError as error:
        recorder.handle(Event("failed", SWEEP, day, message=str(error), exit_code=error.exit_code))
        raise
    recorder.handle(Event("done", SWEEP, day, swept.lidos_origem, summary(swept)))


def _shown(settings: Settings, confirmed: bool, as_json: bool) -> sweep.Swept:
    screen = progress_console()
    with Bar(screen, total=None, about="sweep", hidden=as_json) as bar:

        def show(what: str, done: int, total: int) -> None:
            told = f"sweep: {done:,}{f' of {total:,}' if total else ''} {what}"
            bar.update(bar.all, description=told, completed=done, total=total or None, refresh=True)

        swept = sweep.sweep(settings, confirmed=confirmed, progress=show)
    if as_json:
        say_json(asdict(swept))
    else:
        screen.print(summary(swept), soft_wrap=True)
    return swept


def summary(swept: sweep.Swept) -> str:
    """One line that says what was compared, and what came of it."""
    others = "".join(
        f"; {number:,} {words}: {harmless(', '.join(first))}{' ...' if number > len(first) else ''}"
        for number, words, first in (
            (
                swept.mais_antigos,
                "are older in MongoDB than here, and stay as they are here",
                swept.primeiros_mais_antigos,
            ),
            (
                swept.homonimos,
                "are there twice, as an ObjectId and as the text of its digits: one of the two is in the"
                " tables, the other in quarantine (id_repetido)",
                swept.primeiros_homonimos,
            ),
        )
        if number
    )
    return (
        f"sweep: {swept.lidos_origem:,} documents compared with {swept.contratos_destino:,} contracts and"
        f" {swept.ainda_em_quarentena:,} rejections: {what_it_did(swept)}{others}"
    )
