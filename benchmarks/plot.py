"""The plots that the README shows, for GitHub's light and its dark pages: `python -m benchmarks.plot`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results"


class Theme(NamedTuple):
    """Colours; the page shines through, so that nothing stands in a box."""

    suffix: str
    text: str
    quiet: str
    grid: str
    ours: str
    again: str
    others: str


LIGHT = Theme("", "#1f2328", "#59636e", "#d1d9e0", "#0969da", "#54aeff", "#afb8c1")
DARK = Theme("-dark", "#f0f6fc", "#9198a1", "#3d444d", "#4493f8", "#1f6feb", "#656c76")

NAMES = {
    "limit": "the limit\nrendered rows, COPY, plain upsert",
    "dump": "ccb-luigi run\nfrom a dump",
    "mongo": "ccb-luigi run\nfrom MongoDB",
    "usual": "the usual way\nPyMongo, Cerberus, SQLAlchemy",
    "rerun": "ccb-luigi rerun\nnothing changed",
    "changed": "ccb-luigi rerun\n5 % changed",
}


def compare(result: dict[str, Any], directory: Path) -> None:
    """Contracts per second of every way, as bars."""
    for theme in (LIGHT, DARK):
        with _figure(directory / f"compare{theme.suffix}", 8.6, 4.6) as figure:
            axes = figure.add_axes((0.285, 0.10, 0.60, 0.76))
            _bars(axes, result, theme)
            _title(
                figure,
                theme,
                "Contracts per second into the eight tables",
                f"{result['contracts']:,} contracts of one date, median of {result['repeat']};"
                " second line: time per contract, the limit's = 1 ×",
            )
            _note(figure, theme, result["machine"])


def _bars(axes: Axes, result: dict[str, Any], theme: Theme) -> None:
    ways = result["ways"]
    most = max(way["contracts_per_second"] for way in ways.values())
    for place, (name, way) in enumerate(ways.items()):
        rate, colour = way["contracts_per_second"], _colour(name, theme)
        axes.barh(place, rate, height=0.62, color=colour, linewidth=0)
        axes.text(
            rate + most * 0.012,
            place - 0.02,
            f"{rate:,.0f}",
            va="bottom",
            color=theme.text,
            fontsize=10.5,
            weight="bold",
        )
        ratio = "" if name == "limit" else f"{way['ratio_to_limit']:.1f} ×"
        axes.text(rate + most * 0.012, place + 0.04, ratio or "1 ×", va="top", color=theme.quiet, fontsize=9)
        title, subtitle = NAMES.get(name, f"{way['title']}\n").split("\n")
        ours = name not in ("limit", "usual")
        axes.text(
            -most * 0.02,
            place - 0.02,
            title,
            ha="right",
            va="bottom",
            color=theme.text,
            fontsize=10.5,
            weight="bold" if ours else "normal",
        )
        axes.text(-most * 0.02, place + 0.04, subtitle, ha="right", va="top", color=theme.quiet, fontsize=8.5)
    _plain(axes, theme)
    axes.invert_yaxis()
    axes.set_yticks([])
    axes.set_xlim(0, most)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(axis="x", color=theme.grid, linewidth=0.6)
    axes.axvline(0, color=theme.quiet, linewidth=0.8)


def _colour(name: str, theme: Theme) -> str:
    if name in ("limit", "usual"):
        return theme.others
    return theme.again if name in ("rerun", "changed") else theme.ours


def growth(result: dict[str, Any], directory: Path) -> None:
    """Time and memory over the number of contracts."""
    sizes = [size["contracts"] for size in result["sizes"]]
    seconds = [size["seconds"] for size in result["sizes"]]
    memory = [size["peak_bytes"] / 1e6 for size in result["sizes"]]
    for theme in (LIGHT, DARK):
        with _figure(directory / f"growth{theme.suffix}", 8.6, 3.7) as figure:
            left = figure.add_axes((0.075, 0.17, 0.40, 0.60))
            right = figure.add_axes((0.575, 0.17, 0.40, 0.60))
            straight = [seconds[0] * size / sizes[0] for size in sizes]
            left.plot(sizes, straight, color=theme.quiet, linewidth=1, linestyle=(0, (4, 3)))
            _curve(left, sizes, seconds, "seconds (dashed: in proportion to the first)", theme)
            _curve(right, sizes, memory, "peak MB, all processes together", theme)
            _title(
                figure,
                theme,
                "ccb-luigi run from a dump, as the date grows",
                "one date, one command, everything from the start of Python to the proof",
            )
            _note(figure, theme, result["machine"])


def _curve(axes: Axes, sizes: list[int], values: list[float], title: str, theme: Theme) -> None:
    axes.plot(sizes, values, color=theme.ours, linewidth=2, marker="o", markersize=5)
    for size, value in zip(sizes, values, strict=True):
        axes.annotate(
            f"{value:,.0f}" if value >= 10 else f"{value:.1f}",
            (size, value),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            color=theme.text,
            fontsize=9,
        )
    _plain(axes, theme)
    axes.set_title(title, loc="left", color=theme.quiet, fontsize=9.5)
    axes.set_xlim(0, max(sizes) * 1.08)
    axes.set_ylim(0, max(values) * 1.25)
    axes.set_xticks(sizes[-4:] if len(sizes) > 4 else sizes)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,g}k")
    axes.grid(axis="y", color=theme.grid, linewidth=0.6)


def _plain(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor("none")
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=theme.quiet)


def _title(figure: Figure, theme: Theme, title: str, subtitle: str) -> None:
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.20 / height, title, color=theme.text, fontsize=13, weight="bold", va="top")
    figure.text(0.02, 1 - 0.46 / height, subtitle, color=theme.quiet, fontsize=9, va="top")


def _note(figure: Figure, theme: Theme, machine: dict[str, Any]) -> None:
    words = f"{machine['cores']} cores, Python {machine['python']}"
    if "postgres" in machine:
        words += f", PostgreSQL {machine['postgres']['server_version']} on the same machine"
    figure.text(0.02, 0.02, words, color=theme.quiet, fontsize=8, va="bottom")


@contextmanager
def _figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure that is written as SVG and PNG; the same numbers give the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "ccb_luigi", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(width, height))
        yield figure
        figure.savefig(path.with_suffix(".svg"), transparent=True, metadata={"Date": None})
        figure.savefig(path.with_suffix(".png"), transparent=True, dpi=160)


if __name__ == "__main__":
    compare(json.loads((RESULTS / "latest.json").read_text()), RESULTS)
    if (RESULTS / "growth.json").exists():
        growth(json.loads((RESULTS / "growth.json").read_text()), RESULTS)
