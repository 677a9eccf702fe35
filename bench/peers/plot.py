"""A plot of what peers_bench measured: medians as bars on a logarithmic scale, one column a placement, as SVG."""
import math

from . import report

WIDTH, TOP, BOTTOM = 1180, 96, 30
LABELS = 190   # of scenarios, at the left
GAP = 26       # between columns
BAR, STEP, SPACE = 11, 13, 14  # a bar's height, from bar to bar, between scenarios
VALUE = 48     # kept free for the longest bar's number
COLORS = {"floor": "#8a8f98", "chains": "#d1495b", "grpc_sync": "#9cc5e8", "grpc_callback": "#2f6fb0",
          "capnproto": "#3d8b5f", "nng": "#b08ad0", "fastapi": "#e0a13a"}
STYLE = """
  text { font: 11px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 } .column { font-weight: 600 }
  .scenario { font-size: 12px; text-anchor: end } .value { font-size: 9.5px } .ours { font-weight: 700 }
  .tick { font-size: 9.5px; fill: #6a737d; text-anchor: middle } line { stroke: #d8dee4 }
"""


def bars(results, where, scenario):
    """(title, stack's name, microseconds) of a scenario, in the order of stacks; the floor's batch beside its own way."""
    found = []
    for stack in report.present(results):
        names = [scenario.name]
        if stack.name == "floor" and scenario.kind == "fan":
            names.append(scenario.name + "_batch")
        for name in names:
            value = report.median(results, where.name, name, stack.name, "median_us")
            if value is not None:
                found.append((" (one batch)" if name != scenario.name else "", stack.name, value))
    return found


def draw(results):
    scenarios = [each for each in results.scenarios if each.kind != "fan_batch"]
    heights = [max(len(bars(results, where, each)) for where in results.placements) * STEP + SPACE for each in scenarios]
    values = [value for where in results.placements for each in scenarios for _, _, value in bars(results, where, each)]
    if not values:
        return "<svg xmlns='http://www.w3.org/2000/svg'/>\n"
    low, high = 10 ** math.floor(math.log10(min(values))), max(values)
    count = len(results.placements)
    span = (WIDTH - LABELS - GAP * count) / count
    height = TOP + sum(heights) + BOTTOM

    def length(value):
        return (span - VALUE) * (math.log10(value / low)) / math.log10(high / low)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
           'role="img" aria-label="Medians of every stack in every scenario">',
           f"<style>{STYLE}</style>", f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
           '<text x="16" y="26" class="title">client → entry → worker and back: median time of a request '
           '(logarithmic; shorter is better)</text>']
    x = 16
    for stack in report.present(results):
        out.append(f'<rect x="{x}" y="40" width="11" height="11" fill="{COLORS[stack.name]}"/>')
        out.append(f'<text x="{x + 16}" y="50"{" class=" + chr(34) + "ours" + chr(34) if stack.name == "chains" else ""}>'
                   f"{stack.title.replace('&', '&amp;')}</text>")
        x += 34 + 6.4 * len(stack.title)
    for column, where in enumerate(results.placements):
        left = LABELS + GAP / 2 + column * (span + GAP)
        out.append(f'<text x="{left}" y="74" class="column">{where.title}</text>')
        power = low
        while power <= high:
            at = left + length(power)
            out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 6}" y2="{height - BOTTOM}"/>')
            name = f"{power:g} us" if power < 1000 else f"{power / 1000:g} ms" if power < 1e6 else f"{power / 1e6:g} s"
            out.append(f'<text x="{at:.1f}" y="{TOP - 9}" class="tick">{name}</text>')
            power *= 10
        y = TOP
        for scenario, tall in zip(scenarios, heights):
            if column == 0:
                out.append(f'<text x="{LABELS - 6}" y="{y + tall / 2:.1f}" class="scenario">{scenario.title}</text>')
            for i, (note, name, value) in enumerate(bars(results, where, scenario)):
                wide = max(length(value), 1)
                out.append(f'<rect x="{left}" y="{y + i * STEP}" width="{wide:.1f}" height="{BAR}" fill="{COLORS[name]}"/>')
                ours = " ours" if name == "chains" else ""
                out.append(f'<text x="{left + wide + 4:.1f}" y="{y + i * STEP + 9}" class="value{ours}">'
                           f"{report.number(value)}{note}</text>")
            y += tall
    return "\n".join(out + ["</svg>"]) + "\n"
