"""Charts as inline SVG, drawn by numbers: no script, no font, nothing to load. Colours are classes of the page's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

BAR_WIDTH, BAR_LEFT, BAR_RIGHT, LINE = 560, 130, 110, 26


@dataclass(frozen=True)
class Bar:
    """A bar: its length is `value` (None: there is none), the text at its end says what that is."""

    label: str
    value: float | None
    text: str
    tone: str = "good"


def bars(title: str, rows: Sequence[Bar], *, most: float | None = None, logarithmic: bool = False) -> str:
    """Return horizontal bars from zero to `most`, the greatest when left out; negative values count as zero."""
    values = [_length(row.value, logarithmic=logarithmic) for row in rows]
    full = _length(most, logarithmic=logarithmic) if most is not None else max(values, default=0)
    room = BAR_WIDTH - BAR_LEFT - BAR_RIGHT
    drawn = []
    for place, (row, value) in enumerate(zip(rows, values, strict=True)):
        top = place * LINE
        width = room * min(value / full, 1) if full else 0.0
        drawn.append(f'<text class="name" x="{BAR_LEFT - 8}" y="{top + 17}">{escape(row.label)}</text>')
        if width:
            # A bar of something is seen, however short.
            place_of = f'x="{BAR_LEFT}" y="{top + 5}" width="{max(width, 2):.1f}" height="16"'
            drawn.append(f'<rect class="{row.tone}" {place_of} rx="3"/>')
        drawn.append(f'<text class="value" x="{BAR_LEFT + width + 8:.1f}" y="{top + 17}">{escape(row.text)}</text>')
    return _figure(title, BAR_WIDTH, max(len(rows), 1) * LINE, drawn)


def _length(value: float | None, *, logarithmic: bool) -> float:
    above = max(value or 0.0, 0.0)
    return math.log10(1 + above) if logarithmic else above


@dataclass(frozen=True)
class Station:
    """A place on the ring, with a line below its name."""

    label: str
    text: str
    tone: str


def ring(title: str, stations: Sequence[Station]) -> str:
    """Return stations on a ring, clockwise from the top, with arrows between them; what is missing is hollow."""
    wide, high, radius = 640, 420, 140
    middle, centre = wide / 2, high / 2
    drawn = [f'<circle class="track" cx="{middle:.0f}" cy="{centre:.0f}" r="{radius}"/>']
    step = 2 * math.pi / max(len(stations), 1)
    for place, station in enumerate(stations):
        angle = place * step - math.pi / 2
        x, y = middle + radius * math.cos(angle), centre + radius * math.sin(angle)
        halfway = angle + step / 2
        ax, ay = middle + radius * math.cos(halfway), centre + radius * math.sin(halfway)
        turn = math.degrees(halfway) + 90
        drawn.append(
            f'<path class="arrow" d="M-5-6L6 0L-5 6Z" transform="translate({ax:.1f} {ay:.1f}) rotate({turn:.0f})"/>'
        )
        drawn.append(f'<circle class="station {station.tone}" cx="{x:.1f}" cy="{y:.1f}" r="11"/>')
        side = "middle" if abs(math.cos(angle)) < 0.2 else "start" if math.cos(angle) > 0 else "end"
        tx = middle + (radius + 24) * math.cos(angle)
        ty = centre + (radius + (38 if side == "middle" else 24)) * math.sin(angle)
        drawn.append(f'<text x="{tx:.1f}" y="{ty:.1f}" text-anchor="{side}">{escape(station.label)}</text>')
        drawn.append(
            f'<text class="value" x="{tx:.1f}" y="{ty + 17:.1f}" text-anchor="{side}">{escape(station.text)}</text>'
        )
    return _figure(title, wide, high, drawn)


def _figure(title: str, width: int, height: int, drawn: Sequence[str]) -> str:
    named = escape(title)
    picture = f'<svg viewBox="0 0 {width} {height}" role="img"><title>{named}</title>{"".join(drawn)}</svg>'
    return f"<figure><figcaption>{named}</figcaption>{picture}</figure>"
