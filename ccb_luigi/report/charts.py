"""Small SVG charts, drawn by hand: no script, no library, no text that comes from a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

WIDTH, HEIGHT = 300, 64
_NARROWEST = 0.8


class Bar(NamedTuple):
    """``label`` is the tooltip. Without a value there is no bar, and a mark if one is ``missing``."""

    label: str
    value: float | None
    missing: bool = False


def bars(points: Sequence[Bar], kind: str = "") -> Markup:
    """The bars side by side, the last one being today's; ``kind`` is a class for the style sheet."""
    most = max((bar.value for bar in points if bar.value), default=0)
    step = WIDTH / max(len(points), 1)
    shapes = []
    for number, (label, value, missing) in enumerate(points):
        left, wide = number * step + step * 0.1, max(step * 0.8, _NARROWEST)
        if value is not None:
            tall, gap = max(value / most * HEIGHT, 1.5) if value else 0.5, Markup("")
        elif missing:
            tall, gap = 3.0, Markup(' class="gap"')
        else:
            continue
        shapes.append(
            Markup('<rect{} x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                gap, _short(left), _short(HEIGHT - tall), _short(wide), _short(tall), label
            )
        )
    return Markup('<svg class="bars {}" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(
        kind, WIDTH, HEIGHT + 1, Markup("").join(shapes)
    )


def span(value: float, usual: float | None, most: float) -> Markup:
    """A bar from left to right, and a tick where ``usual`` is; ``most`` is the whole width."""
    scale = 100 / most if most else 0
    tick = Markup("")
    if usual is not None:
        tick = Markup('<rect class="usual" x="{}" y="0" width="0.6" height="10"/>').format(
            _short(min(usual * scale, 99.4))
        )
    return Markup(
        '<svg class="span" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect x="0" y="2" width="{}" height="6"/>{}</svg>'
    ).format(_short(value * scale), tick)


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
