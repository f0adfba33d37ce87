"""The README's picture: readings a second and round trips of several systems, as SVG. Pure."""

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape

_WIDTH: Final = 920
_LABELS: Final = 210
_FIGURES: Final = 80
_GAP: Final = 40
_ROW: Final = 26
_BAR: Final = 16
_TOP: Final = 62
_OURS: Final = "jph"

_STYLE: Final = """
text { font: 13px system-ui, sans-serif; fill: #1d2321 }
.soft { fill: #5d6763; font-size: 12px } .head { font-weight: 650; font-size: 15px }
.bar { fill: #b9c2be } .ours { fill: #0f766e } .bold { font-weight: 650 }
@media (prefers-color-scheme: dark) {
  text { fill: #eceeec } .soft { fill: #a3aeaa } .bar { fill: #4a5551 } .ours { fill: #5ecfc0 }
}
"""


class Bar(NamedTuple):
    """The figure of one system, and its text."""

    name: str
    value: float
    text: str


def draw(rows: Sequence[dict[str, Any]]) -> str:
    """Return the picture of the rows of `bench.bus`; a row without a figure has no bar."""
    rates = [
        Bar(row["name"], rate, _rate(rate)) for row in rows if (rate := row.get("messages_per_s"))
    ]
    trips = [  # a single reading takes the same path in all of ours
        Bar(row["name"], trip, f"{trip:.0f} µs")
        for row in rows
        if (trip := row.get("p50_us")) and not row["name"].startswith(f"{_OURS},")
    ]
    rates.sort(key=lambda bar: -bar.value)
    trips.sort(key=lambda bar: bar.value)
    height = _TOP + _ROW * max(len(rates), len(trips)) + 8
    half = (_WIDTH - _GAP) // 2
    parts = [
        *_panel(0, half, "Readings a second", "delivered and decoded, one core each side", rates),
        *_panel(half + _GAP, half, "Round trip", "median, through the callbacks of both", trips),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
        "<title>Readings a second and round trips, beside other systems</title>"
        f"<style>{_STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _panel(left: int, width: int, head: str, below: str, bars: Sequence[Bar]) -> list[str]:
    """Draw bars on a logarithmic scale; on a linear one only the first would be visible."""
    parts = [
        f'<text x="{left}" y="18" class="head">{head}</text>',
        f'<text x="{left}" y="38" class="soft">{below}; logarithmic scale</text>',
    ]
    if not bars:
        return parts
    low = min(bar.value for bar in bars) / 2
    span = math.log(max(bar.value for bar in bars) / low)
    room = width - _LABELS - _FIGURES
    for place, bar in enumerate(bars):
        y = _TOP + place * _ROW
        length = max(2.0, room * math.log(bar.value / low) / span)
        ours = bar.name.startswith(_OURS)
        bold = ' class="bold"' if ours else ""
        shape = f'class="{"ours" if ours else "bar"}" rx="3" height="{_BAR}"'
        parts += [
            f'<text x="{left}" y="{y + 13}"{bold}>{escape(bar.name)}</text>',
            f'<rect x="{left + _LABELS}" y="{y}" width="{length:.0f}" {shape}/>',
            f'<text x="{left + _LABELS + length + 6:.0f}" y="{y + 13}"{bold}>{bar.text}</text>',
        ]
    return parts


def _rate(rate: float) -> str:
    return f"{rate / 1e6:.2f} M" if rate >= 1e5 else f"{rate / 1e3:.0f} k"
