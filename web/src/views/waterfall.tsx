/* Spans under each other, on one scale of time. Rows are a tree: arrow keys go through it, left and right close and
 * open it. Only the rows in sight are made, as a trace may have 2,000. */
import { useMemo, useRef, useState } from "preact/hooks";
import type { TargetedKeyboardEvent } from "preact";
import type { Span } from "../api/types";
import { Badge, Text } from "../ui/bits";
import { duration, visible } from "../ui/format";
import { linesOf, nameOf, phasesOf } from "./spans";

/** What the bar shows, for who can't see it. */
function wordsOf(span: Span): string {
    const phases = phasesOf(span).map(({ name, ms }) => `${name} ${duration(ms)}`).join(", ");
    const first = span.first_item_ms === null ? "" : `, the first item after ${duration(span.first_item_ms)}`;
    return `${span.status}, from ${duration(span.start_ms)}${phases ? ` (${phases})` : ""}${first}`;
}

const ROW = 28, MARGIN = 10;

function Bar({ span, total }: { span: Span; total: number }) {
    const percent = (ms: number) => `${Math.max(0, Math.min(100, 100 * ms / total))}%`;
    const ok = span.status === "OK";
    /* The queue of a served call ends where it starts to be decoded; it began with the call. */
    let from = span.start_ms;
    const queueFirst = span.kind === "served" && span.queue_ms ? span.queue_ms : 0;
    const phases = span.kind === "served" ? phasesOf(span) : [];
    const begin = queueFirst ? Math.max(0, span.start_ms - queueFirst) : span.start_ms;
    from = begin;
    return (
        <span class="lane" aria-hidden="true">
            <span class={`span ${span.kind} ${ok ? "" : "failed"}`}
                style={{ left: percent(span.start_ms), width: `max(2px, ${percent(span.duration_ms)})` }} />
            {phases.map(({ name, ms }) => {
                const left = from;
                from += ms;
                return (
                    <span key={name} class={`phase ${name} ${ok ? "" : "failed"}`}
                        style={{ left: percent(left), width: `max(1px, ${percent(ms)})` }} />
                );
            })}
            {span.first_item_ms !== null && (
                <span class="tick" style={{ left: percent(span.start_ms + span.first_item_ms) }} />
            )}
        </span>
    );
}

function Scale({ total }: { total: number }) {
    return (
        <span class="lane scale" aria-hidden="true">
            {[0, 0.25, 0.5, 0.75, 1].map((part) => (
                <span key={part} style={{ left: `${part * 100}%` }} class={part === 1 ? "end" : ""}>
                    {duration(total * part)}
                </span>
            ))}
        </span>
    );
}

export function Waterfall({ spans, short }: { spans: Span[]; short?: boolean }) {
    const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
    const [chosen, choose] = useState<string | null>(null);
    const [view, setView] = useState({ from: 0, to: 60 });
    const box = useRef<HTMLDivElement>(null);
    const lines = useMemo(() => linesOf(spans, closed), [spans, closed]);
    const total = useMemo(() => spans.reduce(
        (most, span) => Math.max(most, span.start_ms + span.duration_ms), 0.001), [spans]);
    const at = Math.max(0, lines.findIndex(({ span }) => span.span_id === chosen));
    const span = lines.find((line) => line.span.span_id === chosen)?.span;

    function toggle(id: string, close: boolean) {
        const next = new Set(closed);
        if (close) next.add(id);
        else next.delete(id);
        setClosed(next);
    }

    function look() {
        const { scrollTop, clientHeight } = box.current!;
        const first = Math.floor(scrollTop / ROW);
        const from = Math.max(0, first - MARGIN), to = first + Math.ceil(clientHeight / ROW) + MARGIN;
        setView((old) => old.from === from && old.to === to ? old : { from, to });
    }

    function pick(index: number) {
        const line = lines[Math.max(0, Math.min(lines.length - 1, index))];
        if (!line) return;
        choose(line.span.span_id);
        const top = lines.indexOf(line) * ROW, pane = box.current!;
        if (top < pane.scrollTop) pane.scrollTop = top;
        else if (top + ROW > pane.scrollTop + pane.clientHeight) pane.scrollTop = top + ROW - pane.clientHeight;
    }

    function onKey(event: TargetedKeyboardEvent<HTMLDivElement>) {
        const line = lines[at];
        const moves: Record<string, () => void> = {
            ArrowDown: () => pick(chosen ? at + 1 : 0),
            ArrowUp: () => pick(at - 1),
            Home: () => pick(0),
            End: () => pick(lines.length - 1),
            ArrowLeft: () => { if (line?.inner) toggle(line.span.span_id, true); },
            ArrowRight: () => { if (line) toggle(line.span.span_id, false); },
        };
        const move = moves[event.key];
        if (!move) return;
        event.preventDefault();
        move();
    }

    return (
        <div class="waterfall">
            <div class="line head"><span class="name">Span</span><Scale total={total} /><span class="took">Took</span></div>
            <div class={`scroll ${short ? "short" : ""}`} ref={box} onScroll={look} role="tree" aria-label="Spans" tabIndex={0}
                onKeyDown={onKey} aria-activedescendant={chosen ? `span-${chosen}` : undefined}>
                <div class="tall" role="presentation" style={{ height: `${lines.length * ROW}px` }}>
                    {lines.slice(view.from, view.to).map(({ span: each, inner }, i) => {
                        const open = !closed.has(each.span_id);
                        return (
                            <div key={each.span_id} id={`span-${each.span_id}`} role="treeitem"
                                class={`line ${each.span_id === chosen ? "chosen" : ""}`}
                                style={{ transform: `translateY(${(view.from + i) * ROW}px)` }}
                                aria-level={each.depth + 1} aria-expanded={inner ? open : undefined}
                                aria-selected={each.span_id === chosen}
                                onClick={() => choose(each.span_id)}>
                                <span class="name" style={{ paddingLeft: `${Math.min(each.depth, 24) * 14}px` }}>
                                    <span class="twig" aria-hidden="true" onClick={(event) => {
                                        if (!inner) return;
                                        event.stopPropagation();
                                        toggle(each.span_id, open);
                                    }}>{inner ? open ? "▾" : "▸" : ""}</span>
                                    <span class={each.status === "OK" ? "" : "bad"}>{visible(nameOf(each))}</span>
                                    <span class="hidden"> {wordsOf(each)}.</span>
                                    {each.items !== null && <span class="dim"> {each.items} items</span>}
                                    {each.attempt > 1 && each.kind === "made" && <span class="dim"> {each.attempt} attempts</span>}
                                </span>
                                <Bar span={each} total={total} />
                                <span class="took">{duration(each.duration_ms)}</span>
                            </div>
                        );
                    })}
                </div>
            </div>
            <p class="legend" aria-hidden="true">
                {["queue", "decode", "run", "encode"].map((name) => (
                    <span key={name}><i class={`phase ${name}`} />{name}</span>
                ))}
                <span><i class="span made" />waits for another Chainlet</span>
            </p>
            {span && <SpanDetails span={span} />}
        </div>
    );
}

function SpanDetails({ span }: { span: Span }) {
    const facts: [string, string][] = [
        ["Begins", duration(span.start_ms)],
        ["Takes", duration(span.duration_ms)],
        ...phasesOf(span).map(({ name, ms }): [string, string] => [name, duration(ms)]),
        ...(span.items === null ? [] : [
            ["Items", String(span.items)] as [string, string],
            ["First item", duration(span.first_item_ms)] as [string, string]]),
        ["Process", String(span.pid)],
    ];
    return (
        <section class="card" aria-label="The span that is chosen" aria-live="polite">
            <p><b>{visible(nameOf(span))}</b> <Badge state={span.status} />{span.orphan && <> <Badge state="orphan" /></>}</p>
            <dl class="facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
            {span.message && (
                <p class="note bad">
                    <Text>{span.message}</Text>{" "}
                    {span.raised_by && <b><Text>{span.raised_by}</Text></b>}{" "}
                    {span.file && <code><Text>{span.file}</Text>:{span.line}</code>}
                    {span.left_at && <> left here at <code><Text>{span.left_at}</Text></code></>}
                </p>
            )}
        </section>
    );
}
