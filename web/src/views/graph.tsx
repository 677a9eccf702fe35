/* The graph of a chain: Chainlets as boxes, calls as arrows, live. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { graph as liveGraph } from "../api/live";
import { useStore } from "../api/store";
import type { Box, Chain, Edge, Graph } from "../api/types";
import { Act, Badge, Empty } from "../ui/bits";
import { bytes, duration, rate, share, visible } from "../ui/format";
import { type Route, to } from "../ui/route";
import { ChainletPanel } from "./chainlet";
import { BOX, place, type Placed, type Shape } from "./layout";

function usePlaced(shape: Shape): Placed | null {
    const [placed, set] = useState<Placed | null>(null);
    const key = JSON.stringify(shape);
    useEffect(() => {
        let current = true;
        void place(shape).then((next) => { if (current) set(next); });
        return () => { current = false; };
    }, [key]);
    return placed;
}

function cut(text: string, most: number): string {
    const shown = visible(text);
    return shown.length > most ? `${shown.slice(0, most - 1)}…` : shown;
}

export function hardware(box: { cpu: number; memory: number; gpu: string | null }): string {
    const parts = [];
    if (box.gpu) parts.push(box.gpu);
    if (box.cpu) parts.push(`${box.cpu} CPU`);
    if (box.memory) parts.push(bytes(box.memory));
    return parts.join(" · ");
}

/** A smooth way through the points. */
function curve(points: { x: number; y: number }[]): string {
    const [first, ...rest] = points;
    if (!first) return "";
    let path = `M${first.x},${first.y}`;
    for (let i = 0; i + 1 < rest.length; i++) {
        const a = rest[i]!, b = rest[i + 1]!;
        path += ` Q${a.x},${a.y} ${(a.x + b.x) / 2},${(a.y + b.y) / 2}`;
    }
    const last = rest[rest.length - 1];
    return last ? `${path} L${last.x},${last.y}` : path;
}

function heat(errors: number | null, calls: number | null): string {
    return !calls || errors === null ? "quiet" : errors / calls >= 0.05 ? "bad" : errors > 0 ? "warn" : "good";
}

function Arrow({ edge, points }: { edge: Edge; points: { x: number; y: number }[] }) {
    const middle = points[Math.floor(points.length / 2)] ?? { x: 0, y: 0 };
    const words = edge.calls_per_s
        ? `${rate(edge.calls_per_s)}/s${edge.p99_ms === null ? "" : ` · ${duration(edge.p99_ms)}`}` : "";
    return (
        <g class={`arrow ${heat(edge.errors_per_s, edge.calls_per_s)} ${edge.colocated ? "inside" : ""}`}>
            <path d={curve(points)} marker-end="url(#head)"
                stroke-width={1.5 + Math.min(4, Math.log10(1 + (edge.calls_per_s ?? 0)))}>
                <title>{arrowWords(edge)}</title>
            </path>
            {words && <text x={middle.x} y={middle.y - 6} text-anchor="middle">{words}</text>}
        </g>
    );
}

function arrowWords(edge: Edge): string {
    return `${edge.caller} calls ${edge.callee}${edge.colocated ? " in its own process" : ""}: ` +
        `${rate(edge.calls_per_s)} a second, ${share(edge.errors_per_s, edge.calls_per_s)} fail, ` +
        `${rate(edge.retries_per_s)} retries a second, p50 ${duration(edge.p50_ms)}, p99 ${duration(edge.p99_ms)}`;
}

function boxWords(box: Box): string {
    return `${box.name}: ${box.state.replaceAll("_", " ")}, ${box.ready} of ${box.wanted} replicas ready, ` +
        `${box.in_flight} of ${box.slots} slots in use, ${box.waiting} waiting`;
}

function BoxShape({ box, x, y, href, chosen }:
    { box: Box; x: number; y: number; href: string; chosen: boolean }) {
    const used = box.slots ? Math.min(1, box.in_flight / box.slots) : 0;
    return (
        <a href={href} aria-current={chosen ? "true" : undefined}
            class={`box ${box.state} ${box.entrypoint ? "entry" : ""} ${box.colocated_in || box.external ? "inside" : ""}`}>
            <title>{boxWords(box)}</title>
            <g transform={`translate(${x},${y})`} aria-hidden="true">
                <rect width={BOX.width} height={BOX.height} rx="8" />
                <circle cx="16" cy="19" r="5" />
                <text class="name" x="28" y="24">{cut(box.name, 20)}</text>
                {box.external ? <text class="dim" x="12" y="44">external service</text> : box.colocated_in
                    ? <text class="dim" x="12" y="44">in {cut(box.colocated_in, 22)}</text>
                    : <text class="dim" x="12" y="44">
                        {box.ready} of {box.wanted} {box.wanted === 1 ? "replica" : "replicas"}
                        {box.waiting > 0 && ` · ${box.waiting} waiting`}
                    </text>}
                <text class="dim" x="12" y="60">{cut(hardware(box), 28)}</text>
                <rect class="bar" x="12" y="68" width={BOX.width - 24} height="6" rx="3" />
                <rect class="used" x="12" y="68" width={(BOX.width - 24) * used} height="6" rx="3" />
            </g>
        </a>
    );
}

/** What is known before rates are: the graph of what is deployed, without numbers of calls. */
function unmeasured(chain: Chain): Graph {
    const none = { calls_per_s: 0, errors_per_s: 0, p50_ms: null, p99_ms: null };
    return {
        chain: chain.name, environment: chain.environment, version_id: chain.version_id, window_s: 0, clients: none,
        chainlets: chain.chainlets.map((each) => ({
            ...each, ...none, external: false, concurrency: 0, slots: 0, cpu: 0, memory: 0, gpu: null, colocated_in: null,
        })),
        edges: [],
    };
}

export function GraphView({ chain, route, chainlet }: { chain: Chain; route: Route; chainlet: string | null }) {
    const live = useStore(liveGraph);
    const graph = live?.chain === chain.name && live.environment === chain.environment ? live : unmeasured(chain);
    const shape = useMemo<Shape>(() => ({
        boxes: graph.chainlets.map((each) => each.name),
        arrows: graph.edges.map(({ caller, callee }) => ({ from: caller, to: callee })),
    }), [graph]);
    const placed = usePlaced(shape);
    const [whole, setWhole] = useState(true);
    const here = ["chains", chain.name, chain.environment];
    const box = chainlet ? graph.chainlets.find((each) => each.name === chainlet) : undefined;
    const edges = new Map(graph.edges.map((edge) => [`${edge.caller} ${edge.callee}`, edge]));
    return (
        <div class={`graph ${chainlet ? "split" : ""}`}>
            <section aria-label="Graph">
                <div class="tools">
                    <Act kind="quiet" pressed={whole} onClick={() => setWhole(!whole)}>Fit</Act>
                </div>
                {!placed ? <Empty>Drawing…</Empty> : (
                    <div class={`drawing ${whole ? "fit" : ""}`} tabIndex={0} role="group" aria-label="Drawing of the graph">
                        <svg viewBox={`0 0 ${placed.width} ${placed.height}`}
                            width={placed.width} height={placed.height}>
                            <defs>
                                <marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"
                                    orient="auto-start-reverse" markerUnits="userSpaceOnUse">
                                    <path d="M0,0 L10,5 L0,10 z" />
                                </marker>
                            </defs>
                            {placed.arrows.map(({ from, to: end, points }) => {
                                const edge = edges.get(`${from} ${end}`);
                                return edge && <Arrow key={`${from} ${end}`} edge={edge} points={points} />;
                            })}
                            {graph.chainlets.map((each) => {
                                const spot = placed.boxes[each.name];
                                return spot && (
                                    <BoxShape key={each.name} box={each} {...spot} chosen={each.name === chainlet}
                                        href={to([...here, "chainlets", each.name])} />
                                );
                            })}
                        </svg>
                    </div>
                )}
                <EdgeTable edges={graph.edges} here={here} />
            </section>
            {chainlet && (
                box
                    ? <ChainletPanel key={chainlet} chain={chain} box={box} route={route} />
                    : <aside class="panel"><Empty>There is no Chainlet {chainlet}.</Empty></aside>
            )}
        </div>
    );
}

/** The arrows in words and numbers. */
function EdgeTable({ edges, here }: { edges: Edge[]; here: string[] }) {
    if (!edges.length) return null;
    return (
        <details open={edges.length <= 12}>
            <summary>Calls between Chainlets</summary>
            <div class="scroll-x" tabIndex={0} role="region" aria-label="Calls between Chainlets">
                <table class="small">
                    <thead>
                        <tr>
                            <th scope="col">Caller</th><th scope="col">Callee</th>
                            <th scope="col" class="right">Calls/s</th><th scope="col" class="right">Errors</th>
                            <th scope="col" class="right">Retries/s</th><th scope="col" class="right">p50</th>
                            <th scope="col" class="right">p99</th>
                        </tr>
                    </thead>
                    <tbody>
                        {edges.map((edge) => (
                            <tr key={`${edge.caller} ${edge.callee}`}>
                                <td><a href={to([...here, "chainlets", edge.caller])}>{visible(edge.caller)}</a></td>
                                <td>
                                    <a href={to([...here, "chainlets", edge.callee])}>{visible(edge.callee)}</a>
                                    {edge.colocated && <> <Badge state="inside" label="in one process" /></>}
                                </td>
                                <td class="right">{rate(edge.calls_per_s)}</td>
                                <td class="right">{share(edge.errors_per_s, edge.calls_per_s)}</td>
                                <td class="right">{rate(edge.retries_per_s)}</td>
                                <td class="right">{duration(edge.p50_ms)}</td>
                                <td class="right">{duration(edge.p99_ms)}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </details>
    );
}
