"""What would go wrong on the first night, before it."""

from __future__ import annotations

from contextlib import nullcontext

import click
from rich.console import Console
from rich.text import Text

from ccb_luigi.commands.frame import clean, console, json_option, say_json, with_settings_alone
from ccb_luigi.errors import PreflightFailed
from ccb_luigi.preflight import checks
from ccb_luigi.preflight.lines import Level, Line, grey, worst
from ccb_luigi.process.streams import printable
from ccb_luigi.settings import Settings

_STYLES = {Level.GREEN: "green", Level.GREY: "dim", Level.YELLOW: "yellow", Level.RED: "bold red"}
_WIDTH = max(len(check.name) for check in checks.CHECKS)

_VERDICTS = {
    Level.GREEN: "nothing stands in the night's way",
    Level.GREY: "nothing is known to stand in the night's way; grey lines could not be asked",
    Level.YELLOW: "the night can run; yellow lines want a look",
    Level.RED: "the night would fail: red lines first",
}


@click.command("preflight", short_help="What would go wrong on the first night, before it.")
@json_option
@clean
@with_settings_alone
def preflight_command(settings: Settings, as_json: bool) -> int:
    """Tell what would go wrong on the first night, a line each with what to do.

    Asks both servers, their settings and rights, clocks, addresses and directories. Writes and sends nothing.
    Ends with 25 if something would fail the night; yellow alone ends with 0.
    """
    screen, told = console(), Console(stderr=True, highlight=False)
    found: dict[str, Line] = {}
    with told.status("") if told.is_terminal and not as_json else nullcontext() as status:
        for check, line in checks.run(settings, lambda name: status.update(name) if status else None):
            found[check.name] = line
            if not as_json and not line.needs:
                screen.print(_shown(check.name, line), soft_wrap=True)
    level = worst(found.values())
    code = PreflightFailed.exit_code if level is Level.RED else 0
    if as_json:
        lines = [
            {"check": name, "level": each.level, "found": printable(each.said), "do": printable(each.do)}
            for name, each in found.items()
        ]
        say_json({"level": level, "exit_code": code, "checks": lines})
        return code
    if unasked := [name for name, each in found.items() if each.needs]:
        screen.print(_shown("not asked", grey(", ".join(unasked))), soft_wrap=True)
    screen.print(Text(_VERDICTS[level], _STYLES[level]))
    return code


def _shown(name: str, line: Line) -> Text:
    words = f"{line.said} -> {line.do}" if line.do else line.said
    return Text.assemble((f"{line.level:<6}", _STYLES[line.level]), f"  {name:<{_WIDTH}}  ", printable(words))
