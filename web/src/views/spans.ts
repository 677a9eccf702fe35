/* What a waterfall shows of spans. Pure functions. */
import type { Hop, Span } from "../api/types";

export interface Line {
    span: Span;
    inner: boolean; /* others hang below it */
}

/** The rows that are open, in their order. */
export function linesOf(spans: Span[], closed: ReadonlySet<string>): Line[] {
    const lines: Line[] = [];
    let hiddenBelow = Infinity;
    spans.forEach((span, i) => {
        if (span.depth > hiddenBelow) return;
        const inner = (spans[i + 1]?.depth ?? 0) > span.depth;
        hiddenBelow = inner && closed.has(span.span_id) ? span.depth : Infinity;
        lines.push({ span, inner });
    });
    return lines;
}

/** How a span's time was spent, one after the other. A call's queue is before it began on the other side. */
export function phasesOf(span: Span): { name: string; ms: number }[] {
    const known: [string, number | null][] = [
        ["queue", span.queue_ms], ["decode", span.decode_ms], ["run", span.run_ms], ["encode", span.encode_ms],
    ];
    return known.filter((each): each is [string, number] => each[1] !== null && each[1] > 0)
        .map(([name, ms]) => ({ name, ms }));
}

/** The way of a trace's failure: from the Chainlet that was called to the one that raised it. */
export function wayOf(spans: Span[], failure: Pick<Span, "message" | "raised_by">): Span[] {
    const way: Span[] = [];
    for (const span of spans) {
        const last = way[way.length - 1];
        if (last && span.depth <= last.depth) break; /* beside it */
        if (span.kind === "served" && span.status !== "OK" && span.message === failure.message &&
            span.raised_by === failure.raised_by) way.push(span);
    }
    return way;
}

/** The hops of a trace's failure, from the Chainlet that was called inwards: where it left each of them. */
export function hopsOf(spans: Span[], failure: Pick<Span, "message" | "raised_by" | "file" | "line">): Hop[] {
    const hop = (chainlet: string, place: string | null): Hop => {
        const [, name = "", file = "", line = "0"] = /^(\S*) (.*):(\d+)$/.exec(place ?? "") ?? [];
        return { chainlet, function: name, file, line: Number(line), message: null };
    };
    const hops = wayOf(spans, failure).map((span) => hop(span.chainlet, span.left_at));
    const last = hops[hops.length - 1];
    if (failure.file && !(last?.file === failure.file && last.line === failure.line))
        hops.push({ chainlet: failure.raised_by ?? "", function: "", file: failure.file, line: failure.line, message: null });
    return hops;
}

export function nameOf(span: Span): string {
    switch (span.kind) {
    case "front": return "front door";
    case "made": return `→ ${span.callee ?? ""}`;
    case "attempt": return `attempt ${span.attempt}`;
    case "hedge": return `hedge ${span.attempt}`;
    case "local": return `${span.callee ?? span.chainlet} (in process)`;
    default: return span.chainlet;
    }
}
