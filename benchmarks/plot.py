"""The table as a picture: how many times the floor each figure takes. Pure; SVG by hand."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

LABEL_WIDTH, BAR_WIDTH, ROW_HEIGHT, MARGIN = 430, 330, 26, 16
Row = tuple[str, str, str, str]  # what, paybridge, floor, ratio


def draw(rows: Sequence[Row], title: str) -> str:
    """Return an SVG with one bar for each row that has a ratio; the line is the floor (1.0)."""
    known = [(what, ours, floor, float(ratio)) for what, ours, floor, ratio in rows if ratio]
    longest = max((ratio for *_, ratio in known), default=1.0)
    height = 2 * MARGIN + ROW_HEIGHT * (len(known) + 1)
    width = LABEL_WIDTH + BAR_WIDTH + 3 * MARGIN + 60
    floor_x = LABEL_WIDTH + MARGIN + BAR_WIDTH / longest
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 10}" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (what, ours, floor, ratio) in enumerate(known, 1):
        y = MARGIN + number * ROW_HEIGHT
        bar = BAR_WIDTH * ratio / longest
        said = f"{ratio:.2f}"
        parts += [
            f'<text x="{MARGIN}" y="{y + 14}">{escape(f"{what} ({ours} : {floor})")}</text>',
            f'<rect x="{LABEL_WIDTH + MARGIN}" y="{y + 3}" width="{bar:.1f}" height="14" '
            'fill="#4477aa"/>',
            f'<text x="{LABEL_WIDTH + MARGIN + bar + 6:.1f}" y="{y + 14}">{said}</text>',
        ]
    parts.append(
        f'<line x1="{floor_x:.1f}" y1="{MARGIN + ROW_HEIGHT}" x2="{floor_x:.1f}" '
        f'y2="{height - MARGIN}" stroke="#cc3311"/>'
    )
    return "\n".join([*parts, "</svg>", ""])
