/* One call through all services, as a waterfall. */
import { get } from "../api/client";
import type { Span, Trace } from "../api/types";
import { Age, Badge, Copy, Empty, ErrorNote, Text } from "../ui/bits";
import { duration, moment } from "../ui/format";
import { to } from "../ui/route";
import { useEvery, useLoaded } from "../ui/use";
import { hopsOf } from "./spans";
import { Waterfall } from "./waterfall";

export interface Whole {
    trace: Trace;
    spans: Span[];
}

export function TraceView({ id }: { id: string }) {
    const { value, error, reload } = useLoaded(
        (signal) => get<Whole>(`/api/v1/traces/${encodeURIComponent(id)}`, {}, signal), [id]);
    /* Until it is whole, more of it may come. */
    useEvery(1500, () => { if (!value || value.trace.state === "partial") reload(); });
    if (!value) return error ? (
        <>
            <h1 tabIndex={-1}>Trace</h1>
            <ErrorNote error={error} />
            <p><a href={to(["traces"])}>All traces</a></p>
        </>
    ) : <Empty>Loading…</Empty>;
    const { trace, spans } = value;
    return (
        <>
            <div class="title">
                <h1 tabIndex={-1}><Text>{trace.chainlet || trace.chain}</Text></h1>
                <Badge state={trace.state === "failed" ? trace.status : trace.state} />
                <b>{duration(trace.duration_ms)}</b>
                <span class="gap" />
                <Copy label="Copy link" text={() => location.href} />
            </div>
            <p class="dim">
                <a href={to(["chains", trace.chain])}><Text>{trace.chain}</Text></a>, <Age at={trace.started_at} /> ago
                {" "}({moment(trace.started_at)}), request <code>{trace.request_id}</code>{" "}
                <a href={to(["logs"], { chain: trace.chain, contains: trace.request_id })}>its log lines</a>
            </p>
            {trace.message && (
                <ErrorNote error={{
                    status: trace.status, message: trace.message,
                    trace: hopsOf(spans, trace),
                }} />
            )}
            {trace.dropped > 0 && <p class="note warn">{trace.dropped} spans more were not kept.</p>}
            <Waterfall spans={spans} />
        </>
    );
}
