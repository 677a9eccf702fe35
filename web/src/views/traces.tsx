/* Recent calls, and one of them in whole. */
import type { TargetedEvent } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api/client";
import { newestTrace } from "../api/live";
import { useStore } from "../api/store";
import type { Chain, Trace, TracePage } from "../api/types";
import { Act, Age, Badge, Empty, ErrorNote, Field, Text } from "../ui/bits";
import { duration } from "../ui/format";
import { type Route, setQuery, to } from "../ui/route";
import { type Column, Rows } from "../ui/rows";
import { TraceView } from "./trace";

const columns: Column<Trace>[] = [
    { name: "Call", width: "minmax(110px, 1.3fr)", cell: (trace) => (
        <a href={to(["traces", trace.trace_id])}>
            <Text>{trace.chain}</Text>
            {trace.chainlet !== trace.chain && <span class="dim"> <Text>{trace.chainlet}</Text></span>}
        </a>) },
    { name: "State", width: "minmax(90px, .8fr)", cell: (trace) =>
        <Badge state={trace.state === "failed" ? trace.status : trace.state} /> },
    { name: "Took", width: "80px", right: true, cell: (trace) => duration(trace.duration_ms) },
    { name: "Spans", width: "60px", right: true, wide: true, cell: (trace) => trace.spans },
    { name: "Chainlets", width: "minmax(100px, 1.4fr)", wide: true, cell: (trace) => <Text>{trace.chainlets.join(", ")}</Text> },
    { name: "Failure", width: "minmax(80px, 1.6fr)", wide: true, cell: (trace) => <Text>{trace.message}</Text> },
    { name: "Request", width: "130px", wide: true, cell: (trace) => <code>{trace.request_id.slice(0, 12)}</code> },
    { name: "Ago", width: "60px", right: true, cell: (trace) => <Age at={trace.started_at} /> },
];

const PAGE = 500;

interface Filter {
    chain: string | null;
    chainlet: string | null;
    state: string | null;
    min_ms: string | null;
    request_id: string | null;
}

/** Traces page by page; new ones come to the top while `follow`. */
function useTraces(filter: Filter, follow: boolean) {
    const [traces, set] = useState<Trace[] | null>(null);
    const [error, setError] = useState<Error | null>(null);
    const next = useRef<string | number | null>(null);
    const loading = useRef(false);
    const newest = useStore(newestTrace);
    const key = JSON.stringify(filter);
    const current = useRef(key);
    current.current = key;

    const more = useCallback(async (before: string | number | null, signal?: AbortSignal) => {
        loading.current = true;
        try {
            const page = await get<TracePage>("/api/v1/traces", { ...filter, limit: PAGE, before }, signal);
            if (signal?.aborted || current.current !== key) return; /* of another filter */
            next.current = page.next;
            set((old) => before === null ? page.traces : [...old ?? [], ...page.traces]);
            setError(null);
        } catch (failure) {
            if (!signal?.aborted) setError(failure as Error);
        } finally {
            loading.current = false;
        }
    }, [key]);

    useEffect(() => {
        const abort = new AbortController();
        void more(null, abort.signal);
        return () => abort.abort();
    }, [key]);

    /* What is new joins what is there; a trace that has grown takes its place. Where more came than one page has, the
     * list begins anew, rather than with a gap. */
    useEffect(() => {
        if (!follow || !traces) return;
        const abort = new AbortController();
        get<TracePage>("/api/v1/traces", { ...filter, limit: PAGE }, abort.signal).then((page) => {
            const known = new Set(traces.map((trace) => trace.trace_id));
            if (traces.length && !page.traces.some((trace) => known.has(trace.trace_id))) {
                next.current = page.next;
                set(page.traces);
                return;
            }
            set((old) => {
                const fresh = new Set(page.traces.map((trace) => trace.trace_id));
                const kept = (old ?? []).filter((trace) => !fresh.has(trace.trace_id));
                return [...page.traces, ...kept].sort((a, b) => b.number - a.number);
            });
        }, () => { /* the light says that the daemon is gone */ });
        return () => abort.abort();
    }, [newest]);

    return {
        traces, error,
        onEnd: () => { if (next.current !== null && !loading.current) void more(next.current); },
    };
}

const states = ["", "ok", "failed", "partial", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "UNAVAILABLE",
    "RESOURCE_EXHAUSTED", "INTERNAL", "CANCELLED"];

function TraceList({ route, chain }: { route: Route; chain: string | null }) {
    const [follow, setFollow] = useState(true);
    const { query } = route;
    const filter: Filter = {
        chain: chain ?? query.get("chain"), chainlet: query.get("chainlet"), state: query.get("state"),
        min_ms: query.get("min_ms"), request_id: query.get("request_id"),
    };
    const { traces, error, onEnd } = useTraces(filter, follow);
    const text = (name: keyof Filter, label: string, number = false) => (
        <Field label={label}>
            {(id) => {
                const props = {
                    id, value: filter[name] ?? "",
                    onChange: (e: TargetedEvent<HTMLInputElement>) => setQuery({ [name]: e.currentTarget.value.trim() }),
                };
                return number ? <input type="number" min={0} {...props} /> : <input type="text" {...props} />;
            }}
        </Field>
    );
    return (
        <>
            <form class="filters" role="search" aria-label="Traces" onSubmit={(e) => e.preventDefault()}>
                {!chain && text("chain", "Chain")}
                {text("chainlet", "Chainlet")}
                <Field label="State">
                    {(id) => (
                        <select id={id} value={filter.state ?? ""} onChange={(e) => setQuery({ state: e.currentTarget.value })}>
                            {states.map((state) => <option key={state} value={state}>{state || "any"}</option>)}
                        </select>
                    )}
                </Field>
                {text("min_ms", "At least, ms", true)}
                {text("request_id", "Request")}
                <Act kind="quiet" pressed={follow} onClick={() => setFollow(!follow)}>
                    {follow ? "Following" : "Follow"}
                </Act>
            </form>
            <ErrorNote error={error} />
            {!traces ? !error && <Empty>Loading…</Empty> : !traces.length ? <Empty>No such call is kept.</Empty> : (
                <Rows label="Traces" className="full" rows={traces} columns={columns} onEnd={onEnd}
                    keyOf={(trace) => trace.trace_id} />
            )}
        </>
    );
}

export function TracesView({ route }: { route: Route }) {
    const [, id] = route.path;
    if (id) return <TraceView id={id} />;
    return (
        <>
            <h1 tabIndex={-1}>Traces</h1>
            <TraceList route={route} chain={null} />
        </>
    );
}

export function ChainTraces({ chain, route }: { chain: Chain; route: Route }) {
    return <TraceList route={route} chain={chain.name} />;
}
