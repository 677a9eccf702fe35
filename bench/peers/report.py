"""Tables of what peers_bench measured, as Markdown."""
import platform
import statistics
import subprocess

BEGIN = "<!-- peers_bench: begin -->"
END = "<!-- peers_bench: end -->"
GRPC = ("grpc_sync", "grpc_callback")


def median(results, where, scenario, stack, what):
    """The median over rounds of one measure; None where there is none."""
    rounds = results.cells.get((where, scenario, stack))
    return statistics.median(getattr(each, what) for each in rounds) if rounds else None


def ratio(results, where, upper, lower, what):
    """The median over rounds of one cell's measure by another's of the same round. upper, lower: (scenario, stack)."""
    pairs = list(zip(results.cells.get((where, *upper), []), results.cells.get((where, *lower), [])))
    return statistics.median(getattr(a, what) / getattr(b, what) for a, b in pairs) if pairs else None


def number(value):
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def present(results):
    return [stack for stack in results.stacks if any(key[2] == stack.name for key in results.cells)]


def cell(results, where, scenario, stack, form):
    if stack.name == "floor" and scenario.kind == "fan":
        # Both ways of the floor stand in one cell: as many connections, and one batch.
        both = [form(where, scenario.name, "floor"), form(where, scenario.name + "_batch", "floor")]
        return " · ".join(both)
    return form(where, scenario.name, stack.name)


def measures(results, where, title, form):
    head = [f"{title}"] + [stack.title for stack in present(results)]
    rows = [[scenario.title] + [cell(results, where.name, scenario, stack, form) for stack in present(results)]
            for scenario in results.scenarios if scenario.kind != "fan_batch"]
    return table(head, rows)


def least(values):
    known = [value for value in values if value is not None]
    return min(known) if known else None


def targets(results):
    """What must be reached: a row each, a column a placement."""
    def ask(where):
        def of(upper, lower, what="median_us"):
            return ratio(results, where.name, upper, lower, what)

        hop_cpu = median(results, where.name, "hop", "chains", "cpu_us")
        fan = median(results, where.name, "fan_1000", "chains", "median_us")
        return [
            ("one hop: p50, times the floor's", "at most 1.25", of(("hop", "chains"), ("hop", "floor"))),
            ("one hop: CPU a request, times the floor's", "at most 1.3",
             of(("hop", "chains"), ("hop", "floor"), "cpu_us")),
            ("one hop: p99, times its own p50", "at most 3", median_of_tail(results, where)),
            ("64 bytes: p50, times gRPC's (the better one)", "at most 0.25",
             largest(of(("small", "chains"), ("small", name)) for name in GRPC)),
            ("64 bytes: p50, times Cap'n Proto's", "below 1", of(("small", "chains"), ("small", "capnproto"))),
            ("64 callers: requests/s, times gRPC's (the better one)", "at least 2",
             least(of(("small_64", "chains"), ("small_64", name), "rate") for name in GRPC)),
            ("64 callers: requests/s, times FastAPI's", "at least 12",
             of(("small_64", "chains"), ("small_64", "fastapi"), "rate")),
            ("1,536 doubles: FastAPI's p50, times ours", "at least 50",
             of(("doubles", "fastapi"), ("doubles", "chains"))),
            ("1 MiB: p50, times the floor's", "below 1", of(("bytes", "chains"), ("bytes", "floor"))),
            ("fan-out of 16: p50, times the floor's batch", "at most 1.25",
             of(("fan_16", "chains"), ("fan_16_batch", "floor"))),
            ("fan-out of 1,000: p50, times 1,000 x CPU a call / cores", "at most 1.5",
             fan / (1000 * hop_cpu / where.cores) if fan and hop_cpu else None),
        ]
    columns = [ask(where) for where in results.placements]
    rows = [[row[0], row[1]] + [number(column[i][2]) for column in columns] for i, row in enumerate(columns[0])]
    return table(["", "target"] + [where.title for where in results.placements], rows)


def largest(values):
    known = [value for value in values if value is not None]
    return max(known) if known else None


def median_of_tail(results, where):
    rounds = results.cells.get((where.name, "hop", "chains"))
    return statistics.median(each.p99_us / each.median_us for each in rounds) if rounds else None


def processes(results):
    """Resident memory and cold starts."""
    rows = []
    for stack in present(results):
        entry, worker = results.resident.get(stack.name, (None, None))
        cold = results.cold.get(stack.name)
        small, large = results.copied.get(stack.name, (None, None))
        rows.append([stack.title, number(entry), number(worker), number(statistics.median(cold)) if cold else "-",
                     number(small), number(large)])
    return table(["", "entry, MiB", "worker, MiB", "exec to first answer, ms",
                  "bytes copied a request: 64 bytes", "1 MiB"], rows) + \
        "\n\nTargets: a worker of 2 MiB, which answers after at most 2 times the bare one's time, " \
        "which is linked statically. Bytes copied are those that " \
        "the three processes hand to and take from system calls."


def versions(results):
    """What was compared with: Debian's packages, and what a stack says of itself."""
    found = [f"Linux {platform.release().split('-')[0]}"]
    for stack in results.stacks:
        if stack.versions:
            found.append(f"{stack.title}: {stack.versions}")
        for name in stack.packages:
            if name.startswith("lib"):
                got = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], capture_output=True, text=True,
                                     check=False)
                found.append(f"{name} {got.stdout}" if got.stdout else "")
    return "; ".join(dict.fromkeys(text for text in found if text))


def tables(results):
    parts = [f"Versions: {versions(results)}."]
    for stack in results.stacks:
        if stack.missing:
            parts.append(f"{stack.title}: not installed: {stack.missing}.")
    parts += [f"FAILED: {failure}." for failure in results.failures]
    parts += ["### Against the targets", targets(results)]

    def latency(where, scenario, stack):
        middle, tail = (median(results, where, scenario, stack, what) for what in ("median_us", "p99_us"))
        return "-" if middle is None else f"{number(middle)} / {number(tail)}"

    def rate(where, scenario, stack):
        return number(median(results, where, scenario, stack, "rate"))

    def cpu(where, scenario, stack):
        whole, services = (median(results, where, scenario, stack, what) for what in ("cpu_us", "services_cpu_us"))
        return "-" if whole is None else f"{number(whole)} ({number(services)})"

    for where in results.placements:
        parts += [f"### {where.title[0].upper()}{where.title[1:]}",
                  measures(results, where, "p50 / p99, us", latency),
                  measures(results, where, "requests/s", rate),
                  measures(results, where, "CPU a request, us (of it the services)", cpu)]
    parts += ["### Memory and starting", processes(results)]
    return "\n\n".join(parts) + "\n"


def replace_section(path, text):
    """Puts the tables between the marks of a page."""
    with open(path, encoding="utf-8") as file:
        before, rest = file.read().split(BEGIN)
    after = rest.split(END)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "\n" + text + END + after)
