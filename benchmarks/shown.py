"""What the benchmarks print: what is going on, a line per measurement, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group
from rich.status import Status
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from benchmarks.measure import Measured
    from benchmarks.ways import Way

HEADINGS = ("\nseconds", "contracts\nper s", "rows\nper s", "times\nlimit", "CPU\ns", "peak\nMB")
OURS, QUIET = "bold", "dim"


class Say:
    """Tells what is going on, in the terminal's last line."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def __call__(self, words: str) -> None:
        """Says what is being done now."""
        self._status.update(f"{words} ...")

    def counting(self, words: str, total: int) -> Callable[[int], None]:
        """A function that tells how many are done."""
        self(words)
        return lambda done: self(f"{words}: {done:,} of {total:,}")


def status(screen: Console) -> Status:
    """The terminal's last line; it moves seldom, since drawing takes time from what is measured."""
    return screen.status("...", refresh_per_second=2)


def line(number: int, repeat: int, way: Way, measured: Measured, contracts: int) -> Text:
    """One measurement."""
    rate = contracts / measured.seconds
    return Text(f"{number}/{repeat}  {way.title:<34} {measured.seconds:8.2f} s {rate:9,.0f} contracts/s")


def table(result: dict[str, Any]) -> Table:
    """The comparison: medians, and each way's time per contract in terms of the limit's."""
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    found.add_column("", no_wrap=True)
    for heading in HEADINGS:
        found.add_column(heading, justify="right", no_wrap=True)
    for way in result["ways"].values():
        peak = way["peak_bytes"]
        found.add_row(
            way["title"] + ("" if way["contracts"] == result["contracts"] else " *"),
            f"{way['seconds']:.2f}",
            f"{way['contracts_per_second']:,.0f}",
            f"{way['rows_per_second']:,.0f}",
            f"{way['ratio_to_limit']:.2f}",
            f"{way['cpu_seconds']:.1f}",
            f"{peak / 1e6:,.0f}" if peak else "-",
            style=OURS if way["title"].startswith("ccb-luigi") else "",
        )
    return found


def footnotes(result: dict[str, Any]) -> Group:
    """What the numbers rest on."""
    ways, pg = result["ways"], result["machine"]["postgres"]
    checked = sum(len(w["runs"]) for w in ways.values() if w["checked"] == "every byte")
    lines = [
        f"medians of {result['repeat']}; {result['contracts']:,} contracts of one date"
        f" ({result['dump_bytes'] / 1e6:,.0f} MB); limit: per contract",
        *(
            f"* on {way['contracts']:,} contracts: it is slow"
            for way in ways.values()
            if way["contracts"] != result["contracts"]
        ),
        *_beside_each_other(ways),
        "CPU and peak: all processes of the command together, without the servers",
        f"checked {checked} times: the rows of the eight tables are the limit's (count and MD5)",
        machine(result["machine"]),
        f"PostgreSQL {pg['server_version']} on the same machine, {durability(pg)}",
    ]
    return Group(*(Text(line, style=QUIET) for line in lines))


def _beside_each_other(ways: dict[str, Any]) -> list[str]:
    """The ratios that aren't to the limit."""
    first, again, mongo, usual = (ways.get(name) for name in ("dump", "rerun", "mongo", "usual"))
    found = []
    if first and again:
        share = again["seconds"] / first["seconds"]
        found.append(f"a rerun with no change takes {share:.2f} of the time of the first load")
    if mongo and usual:
        times = mongo["contracts_per_second"] / usual["contracts_per_second"]
        found.append(f"from MongoDB {times:.0f} times as fast as the usual way, per contract")
    return found


def machine(about: dict[str, Any]) -> str:
    """One line about the machine."""
    memory = f"{about['memory_bytes'] / 2**30:.0f} GB"
    return f"{about['cores']} cores ({about['cpu']}), {memory}, Python {about['python']}"


def durability(settings: dict[str, str]) -> str:
    """Whether what is committed would survive a power cut."""
    names = ("fsync", "synchronous_commit", "full_page_writes")
    off = [name for name in names if settings[name] != "on"]
    return f"{', '.join(off)} not on" if off else "with all that makes commits durable"


def draw(work: Callable[[Any], object], screen: Console) -> None:
    """Has plots drawn, if what that needs is installed: numbers are worth something without."""
    try:
        from benchmarks import plot
    except ImportError:
        screen.print("no plots: pip install '.[bench]'", style=QUIET, markup=False)
        return
    work(plot)
