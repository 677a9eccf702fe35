/* All about one Chainlet, beside the graph. */
import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { at, get } from "../api/client";
import type { Box, Chain, Config, Document, PastReplica, Trace, TracePage } from "../api/types";
import { Act, Age, Badge, Empty, ErrorNote, Tabs, Text } from "../ui/bits";
import { bytes, duration, moment, rate, share } from "../ui/format";
import { type Route, to } from "../ui/route";
import { useCan, useEvery, useLoaded, useMayRead } from "../ui/use";
import { Scale } from "./actions";
import { hardware } from "./graph";
import { Signature } from "./signature";

const tabs = [
    { id: "", label: "Now" },
    { id: "metrics", label: "Metrics" },
    { id: "signature", label: "Signature" },
    { id: "config", label: "Config" },
    { id: "errors", label: "Errors" },
    { id: "logs", label: "Logs" },
];

interface Props {
    chain: Chain;
    box: Box;
    route: Route;
}

export function ChainletPanel({ chain, box, route }: Props) {
    const tab = route.query.get("show") ?? "";
    const reads = useMayRead();
    const here = ["chains", chain.name, chain.environment, "chainlets", box.name];
    const own = chain.chainlets.some((each) => each.name === box.name);
    const title = useRef<HTMLHeadingElement>(null);
    /* Opened from the graph, it is where the keyboard goes on: boxes may be many. */
    useEffect(() => { if (document.activeElement?.closest(".graph")) title.current?.focus(); }, []);
    return (
        <aside class="panel" aria-label={`Chainlet ${box.name}`}>
            <div class="title">
                <h2 ref={title} tabIndex={-1}><Text>{box.name}</Text></h2>
                <Badge state={box.state} />
                {box.entrypoint && <span class="dim">entrypoint</span>}
                <span class="gap" />
                {own && (
                    <a class="act quiet" href={to(["chains", chain.name, chain.environment, "try"], { chainlet: box.name })}>
                        Try it
                    </a>
                )}
                <a class="act quiet" href={to(here.slice(0, 3))} aria-label="Close">✕</a>
            </div>
            {own ? (
                <Tabs label={`Of ${box.name}`} current={tab}
                    tabs={tabs.filter(({ id }) => reads || !["errors", "logs"].includes(id)).map(({ id, label }) => ({ id, label, href: to(here, { show: id }) }))} />
            ) : <Elsewhere box={box} />}
            {own && <Shown tab={tab} chain={chain} box={box} />}
        </aside>
    );
}

/* No process is its own: all there is to know of it is what the arrows say. */
function Elsewhere({ box }: { box: Box }) {
    return box.external
        ? <p>A service that is deployed elsewhere, called over HTTP. How its calls fare stands in the table below the graph.</p>
        : <p>Runs in the process of <b><Text>{box.colocated_in}</Text></b>, which calls it as a function. Its lines are in that one's log.</p>;
}

function Shown({ tab, chain, box }: Of & { tab: string }) {
    return (
        <>
            {tab === "" && <Now chain={chain} box={box} />}
            {tab === "metrics" && <Metrics chain={chain} box={box} />}
            {tab === "signature" && <Described chain={chain} box={box} />}
            {tab === "config" && <ConfigTable chain={chain} box={box} />}
            {tab === "errors" && <Errors chain={chain} box={box} />}
            {tab === "logs" && <Logs chain={chain} box={box} />}
        </>
    );
}

type Of = { chain: Chain; box: Box };

function Now({ chain, box }: Of) {
    const can = useCan(chain.name);
    const [scaling, scale] = useState(false);
    const chainlet = chain.chainlets.find((each) => each.name === box.name);
    const facts: [string, string][] = [
        ["Slots in use", box.slots ? `${box.in_flight} of ${box.slots}` : String(box.in_flight)],
        ["Waiting", String(box.waiting)],
        ["Replicas", `${box.ready} of ${box.wanted}`],
        ["Calls/s", rate(box.calls_per_s)],
        ["Errors", share(box.errors_per_s, box.calls_per_s)],
        ["p50", duration(box.p50_ms)],
        ["p99", duration(box.p99_ms)],
        ["Hardware", hardware(box) || "any"],
    ];
    return (
        <>
            <dl class="facts">
                {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
            </dl>
            {chainlet?.notes.map((note) => <p class="note warn" key={note}><Text>{note}</Text></p>)}
            <div class="title">
                <h3>Replicas</h3>
                <span class="gap" />
                {chainlet && can("deploy") && <Act onClick={() => scale(true)}>Scale…</Act>}
            </div>
            {chainlet?.replicas.length ? (
                <table class="small">
                    <thead>
                        <tr><th scope="col">State</th><th scope="col">Process</th><th scope="col">Since</th>
                            <th scope="col">Restarts</th><th scope="col">GPUs</th></tr>
                    </thead>
                    <tbody>
                        {chainlet.replicas.map((replica, i) => (
                            <tr key={i}>
                                <td>
                                    <Badge state={replica.state} />
                                    {replica.last_end && <div class="dim small"><Text>{replica.last_end}</Text></div>}
                                </td>
                                <td title={replica.node ? `on ${replica.node}` : undefined}>{replica.pod || replica.pid || "–"}</td>
                                <td><Age at={replica.since} /></td>
                                <td>{replica.restarts}</td>
                                <td><Text>{replica.gpus.join(", ") || "–"}</Text></td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            ) : <Empty>None, until a call comes.</Empty>}
            <History chain={chain} box={box} />
            {scaling && chainlet && (
                <Scale chain={chain.name} environment={chain.environment} chainlet={chainlet}
                    onClose={() => scale(false)} />
            )}
        </>
    );
}

function History({ chain, box }: Of) {
    const { value, error } = useLoaded((signal) => get<PastReplica[]>(
        `${at.chainlet(chain.name, chain.environment, box.name)}/replicas`, { limit: 20 }, signal),
    [chain.name, chain.environment, box.name, box.ready, box.wanted]);
    const ended = value?.filter((each) => each.ended_at) ?? [];
    if (error) return <ErrorNote error={error} />;
    if (!ended.length) return null;
    return (
        <>
            <h3>Ended</h3>
            <table class="small">
                <thead>
                    <tr><th scope="col">Process</th><th scope="col">Version</th><th scope="col">Ended</th>
                        <th scope="col">How</th></tr>
                </thead>
                <tbody>
                    {ended.map((each) => (
                        <tr key={each.id}>
                            <td>{each.pid}</td>
                            <td><code>{each.version}</code></td>
                            <td><time dateTime={each.ended_at!} title={moment(each.ended_at)}><Age at={each.ended_at} /></time> ago</td>
                            <td><Badge state={each.ending ?? ""} /> <Text>{each.how}</Text></td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </>
    );
}

/* uPlot comes only with the first chart. */
function Metrics(props: Of) {
    const [View, set] = useState<{ View: ComponentType<Of> } | null>(null);
    useEffect(() => { void import("./metrics").then((m) => set({ View: m.MetricsView })); }, []);
    return View ? <View.View {...props} /> : <Empty>Loading…</Empty>;
}

function Logs({ chain, box }: Of) {
    const [View, set] = useState<{ View: ComponentType<{ chain: Chain; chainlet: string }> } | null>(null);
    useEffect(() => { void import("./logs").then((m) => set({ View: m.ChainletLogs })); }, []);
    return View ? <View.View chain={chain} chainlet={box.name} /> : <Empty>Loading…</Empty>;
}

function Described({ chain, box }: Of) {
    const { value, error } = useLoaded((signal) => get<Document>(
        `${at.calls(chain.name, chain.environment, box.entrypoint ? null : box.name)}/openapi.json`, {}, signal),
    [chain.name, chain.environment, box.name, chain.version_id]);
    if (error) return <ErrorNote error={error} />;
    return value ? <Signature name={box.name} document={value} /> : <Empty>Loading…</Empty>;
}

function plain(key: string, value: unknown): string {
    if (value === null || value === undefined) return "–";
    if (key === "memory" || key === "max_body") return Number(value) ? bytes(Number(value)) : "no limit";
    if (Array.isArray(value)) return value.map((each) => typeof each === "string" ? each : JSON.stringify(each)).join(", ") || "none";
    return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function ConfigTable({ chain, box }: Of) {
    const { value, error } = useLoaded((signal) => get<Config>(
        at.chainlet(chain.name, chain.environment, box.name), {}, signal),
    [chain.name, chain.environment, box.name, chain.version_id]);
    if (error) return <ErrorNote error={error} />;
    if (!value) return <Empty>Loading…</Empty>;
    const { scaling, ...rest } = value.config as { scaling?: Record<string, unknown> };
    const rows = [...Object.entries(rest), ...Object.entries(scaling ?? {})];
    return (
        <table class="small">
            <thead><tr><th scope="col">Option</th><th scope="col">As deployed</th><th scope="col">Set since</th></tr></thead>
            <tbody>
                {rows.map(([key, each]) => (
                    <tr key={key}>
                        <th scope="row">{key}</th>
                        <td><Text>{plain(key, each)}</Text></td>
                        <td>{(value.override as Record<string, unknown> | null)?.[key] != null &&
                            <Text>{plain(key, (value.override as Record<string, unknown>)[key])}</Text>}</td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

function Errors({ chain, box }: Of) {
    const { value, error, reload } = useLoaded((signal) => get<TracePage>(
        "/api/v1/traces", { chain: chain.name, chainlet: box.name, state: "failed", limit: 20 }, signal),
    [chain.name, box.name]);
    useEvery(5000, reload);
    if (error) return <ErrorNote error={error} />;
    if (!value) return <Empty>Loading…</Empty>;
    if (!value.traces.length) return <Empty>No call that failed is kept.</Empty>;
    return <ul class="plain">{value.traces.map((trace) => <FailedCall key={trace.trace_id} trace={trace} />)}</ul>;
}

function FailedCall({ trace }: { trace: Trace }) {
    return (
        <li class="card">
            <a href={to(["traces", trace.trace_id])}>
                <Badge state={trace.status} /> <Text>{trace.message ?? "no message"}</Text>
            </a>
            <p class="dim">
                {trace.raised_by && <>raised by <b><Text>{trace.raised_by}</Text></b>{" "}</>}
                {trace.file && <code><Text>{trace.file}</Text>:{trace.line}</code>}{" "}
                after {duration(trace.duration_ms)}, <Age at={trace.started_at} /> ago
            </p>
        </li>
    );
}
