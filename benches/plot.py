#!/usr/bin/env python3
"""Draws measurements as SVG for light and dark pages.

benches/peers/run draws with `peers`. To draw the output of the program `scale`:

    cargo run --release -p token-bench --bin scale | benches/plot.py docs/scale.svg
"""

import json
import math
import sys
from pathlib import Path
from xml.sax.saxutils import escape

STYLE = """
  text { font: 13px -apple-system, "Segoe UI", "Liberation Sans", Helvetica, Arial, sans-serif; fill: #1f2328;
    paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
  .page { fill: #ffffff; stroke: #d1d9e0; }
  .title { font-size: 15px; font-weight: 600; }
  .strong { font-weight: 600; }
  .quiet { fill: #59636e; font-size: 12px; }
  .grid { stroke: #d1d9e0; stroke-width: 1; fill: none; }
  .one { fill: #0969da; stroke: #0969da; } .two { fill: #bc4c00; stroke: #bc4c00; }
  .other { fill: #818b98; stroke: #818b98; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; stroke: #0d1117; } .page { fill: #0d1117; stroke: #3d444d; } .quiet { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .one { fill: #4493f8; stroke: #4493f8; } .two { fill: #f0883e; stroke: #f0883e; }
    .other { fill: #9198a1; stroke: #9198a1; }
  }
  .line { fill: none; stroke-width: 2; } .bar { fill: none; stroke-width: 12; }
"""


class Drawing:
    def __init__(self, width, height, title):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-label="{escape(title)}">',
            f"<style>{STYLE}</style>",
            f'<rect class="page" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>',
        ]

    def text(self, x, y, text, kind="", anchor="start"):
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def line(self, points, kind):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline class="{kind}" points="{path}"/>')

    def dot(self, x, y, kind, radius=4.5):
        self.parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}" stroke="none"/>')

    def __str__(self):
        return "\n".join([*self.parts, "</svg>", ""])


def duration(ns):
    for unit, size in [("s", 1e9), ("ms", 1e6), ("µs", 1e3)]:
        # Shows three digits.
        if ns >= size * 0.9995:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def whole(ns):
    """The powers of ten on an axis."""
    return duration(ns).replace(" ", "\u00a0")


def decades(values):
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))


def peers(document):
    """Points on a logarithmic axis, one row per peer, one panel per work."""
    works, rows = ["mint", "verify", "attenuate"], document["peers"]
    left, panel, gap, top, row = 150, 210, 30, 74, 30
    width, height = left + len(works) * (panel + gap) + 4, top + len(rows) * row + 46
    low, high = decades([figures["ns"] for peer in rows for figures in peer["works"].values()])
    # Leaves room for the figure to the right of the last point.
    scale = (panel - 60) / (high - low)
    drawing = Drawing(width, height, "The time that one token takes, by library and work")
    drawing.text(20, 28, "Time per token, one thread: less is better", "title")
    for index, work in enumerate(works):
        x0 = left + index * (panel + gap)
        at = lambda ns: x0 + (math.log10(ns) - low) * scale
        drawing.text(x0, 54, work, "strong")
        for decade in range(low, high + 1):
            x = at(10**decade)
            drawing.line([(x, top - 10), (x, top + len(rows) * row - 8)], "grid")
            drawing.text(x, top + len(rows) * row + 10, whole(10**decade), "quiet", "middle")
        for number, peer in enumerate(rows):
            y = top + number * row + 8
            if index == 0:
                kind = "strong" if number == 0 else ""
                drawing.text(20, y + 4.5, peer["name"], kind)
            figures = peer["works"].get(work)
            if not figures:
                drawing.text(x0 + 4, y + 4.5, "cannot", "quiet")
                continue
            drawing.dot(at(figures["ns"]), y, "one" if number == 0 else "other", 5.5 if number == 0 else 4.5)
            drawing.text(at(figures["ns"]) + 9, y + 4.5, duration(figures["ns"]), "strong" if number == 0 else "")
    drawing.text(20, height - 14, f"{document['machine']}; best of many short batches; logarithmic", "quiet")
    return str(drawing)


def scale(lines):
    """Time per token over the number of caveats and over the length, on logarithmic axes, with a linear reference."""
    panels = [("caveats", "caveats", "Caveats"), ("bytes", "bytes", "Bytes of one caveat")]
    left, panel, gap, top, tall = 70, 320, 80, 64, 260
    drawing = Drawing(left + 2 * (panel + gap), top + tall + 70, "Time per token by caveats and by length")
    drawing.text(20, 28, "Time per token grows in proportion", "title")
    costs = [line for line in lines if line["measure"] == "cost"]
    machine = next(line["machine"] for line in lines if line["measure"] == "machine")
    low_y, high_y = decades([line[work] for line in costs for work in ("mint_ns", "verify_ns")])
    for index, (by, unit, title) in enumerate(panels):
        points = [line for line in costs if line["by"] == by]
        low_x, high_x = math.log10(points[0][unit]), math.log10(points[-1][unit])
        x0 = left + index * (panel + gap)
        x = lambda value: x0 + (math.log10(value) - low_x) / (high_x - low_x) * panel
        y = lambda value: top + tall - (math.log10(value) - low_y) / (high_y - low_y) * tall
        for decade in range(math.ceil(low_x), math.floor(high_x) + 1):
            drawing.line([(x(10**decade), top), (x(10**decade), top + tall)], "grid")
            drawing.text(x(10**decade), top + tall + 18, f"{10**decade:,}", "quiet", "middle")
        for decade in range(low_y, high_y + 1):
            drawing.line([(x0, y(10**decade)), (x0 + panel, y(10**decade))], "grid")
            drawing.text(x0 - 8, y(10**decade) + 4, whole(10**decade), "quiet", "end")
        drawing.text(x0 + panel / 2, top + tall + 38, title, "", "middle")
        # Points on this line cost the same per caveat or byte.
        middle = points[len(points) * 2 // 3]
        each = middle["verify_ns"] / middle[unit]
        ends = [max(points[0][unit], 10**low_y / each), points[-1][unit]]
        drawing.line([(x(end), y(end * each)) for end in ends], "other line")
        for work, kind in [("mint_ns", "two"), ("verify_ns", "one")]:
            drawing.line([(x(point[unit]), y(point[work])) for point in points], f"{kind} line")
            for point in points:
                drawing.dot(x(point[unit]), y(point[work]), kind, 3.5)
    for x0, kind, name in [(360, "one", "verify from text"), (500, "two", "mint to text"), (620, "other", "in proportion")]:
        drawing.line([(x0, 24), (x0 + 18, 24)], f"{kind} line")
        drawing.text(x0 + 24, 28, name)
    drawing.text(20, top + tall + 60, f"{machine}; best of many batches; logarithmic", "quiet")
    return str(drawing)


def speed(measured):
    """Verification beside the peers, one by one and in a batch, and durable mints beside other stores."""
    single = [line["ours_ns"] for line in measured["works"] if line["work"] == "B1" and line["kernel"] != "one by one"]
    peers = [(peer["name"], peer["works"]["verify"]["ns"]) for peer in measured["peers"]["peers"]]
    verify = [("onetoken, decoded, in a batch", min(single)), *peers]
    many = {line["store"]: line for line in measured["stores"] if line["threads"] == 64}
    names = {"redb": "onetoken, redb", "sled": "onetoken, sled", "postgres": "onetoken, PostgreSQL"}
    mints = [(name, many[store]["mint_per_s"]) for store, name in names.items() if store in many]
    mints.insert(0, ("a bare log, synced", many["redb"]["log_per_s"]))
    left, panel, gap, top, row = 250, 230, 210, 74, 30
    width, height = left + 2 * panel + gap + 20, top + len(verify) * row + 46
    drawing = Drawing(width, height, "Verification beside other libraries, and durable mints beside a bare log")
    low, high = decades([ns for _, ns in verify])
    at = lambda ns: left + (math.log10(ns) - low) * (panel - 60) / (high - low)
    drawing.text(20, 28, "Verify a token with one caveat: time", "title")
    for decade in range(low, high + 1):
        drawing.line([(at(10**decade), top - 10), (at(10**decade), top + len(verify) * row - 8)], "grid")
        drawing.text(at(10**decade), top + len(verify) * row + 10, whole(10**decade), "quiet", "middle")
    for number, (name, ns) in enumerate(verify):
        y, ours = top + number * row + 8, number < 2
        drawing.text(20, y + 4.5, name, "strong" if ours else "")
        drawing.dot(at(ns), y, "one" if ours else "other", 5.5 if ours else 4.5)
        drawing.text(at(ns) + 9, y + 4.5, duration(ns), "strong" if ours else "")
    x0, most = left + panel + gap, max(rate for _, rate in mints)
    drawing.text(x0 - 180, 28, "Durable mints a second, 64 callers", "title")
    for number, (name, rate) in enumerate(mints):
        y, ours = top + number * row + 8, number > 0
        end = x0 + rate / most * (panel - 60)
        drawing.text(x0 - 180, y + 4.5, name, "strong" if ours else "")
        drawing.line([(x0, y), (end, y)], ("one" if ours else "other") + " bar")
        drawing.text(end + 9, y + 4.5, f"{rate:,.0f}", "strong" if ours else "")
    drawing.text(20, height - 14, f"{measured['peers']['machine']}; time on a logarithmic axis", "quiet")
    return str(drawing)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Path(sys.argv[1]).write_text(scale([json.loads(line) for line in sys.stdin]))


if __name__ == "__main__":
    main()
