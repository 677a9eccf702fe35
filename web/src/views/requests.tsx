/* Asynchronous requests: what waits, runs and has ended. */
import { useState } from "preact/hooks";
import { get, send } from "../api/client";
import type { AsyncRequest, Chain } from "../api/types";
import { Act, Age, Badge, Confirm, Empty, ErrorNote, Field, Text } from "../ui/bits";
import { moment } from "../ui/format";
import { type Route, setQuery, to } from "../ui/route";
import { useCan, useEvery, useLoaded, useMayList } from "../ui/use";

const states = ["", "QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED"];

function RequestList({ chain, route }: { chain: string | null; route: Route }) {
    const lists = useMayList(chain);
    const chosen = route.query.get("request");
    return (
        <>
            {lists ? <Listed chain={chain} route={route} />
                : <p class="note">To list requests{chain ? "" : " of all chains"}, sign in{chain ? "" : " with the scope admin"}.</p>}
            {chosen && <OneRequest key={chosen} id={chosen} />}
        </>
    );
}

function Listed({ chain, route }: { chain: string | null; route: Route }) {
    const status = route.query.get("status"), chosen = route.query.get("request");
    const { value, error, reload } = useLoaded((signal) => get<AsyncRequest[]>(
        "/requests", { chain: chain ?? route.query.get("chain"), status, limit: 200 }, signal),
    [chain, status, route.query.get("chain")]);
    useEvery(2000, reload);
    return (
        <>
            <form class="filters" role="search" aria-label="Requests" onSubmit={(e) => e.preventDefault()}>
                <Field label="State">
                    {(id) => (
                        <select id={id} value={status ?? ""} onChange={(e) => setQuery({ status: e.currentTarget.value })}>
                            {states.map((each) => <option key={each} value={each}>{each || "any"}</option>)}
                        </select>
                    )}
                </Field>
            </form>
            <ErrorNote error={error} />
            {!value ? !error && <Empty>Loading…</Empty> : !value.length ? <Empty>There are none.</Empty> : (
                <div class="scroll-x" tabIndex={0} role="region" aria-label="Requests">
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">Request</th><th scope="col">Chain</th><th scope="col">State</th>
                                <th scope="col" class="right">Attempts</th><th scope="col" class="right">Priority</th>
                                <th scope="col">Asked</th><th scope="col">Webhook</th>
                            </tr>
                        </thead>
                        <tbody>
                            {value.map((each) => (
                                <tr key={each.request_id} class={each.request_id === chosen ? "chosen" : undefined}>
                                    <th scope="row">
                                        <button type="button" class="link mono" aria-expanded={each.request_id === chosen}
                                            onClick={() => setQuery({ request: each.request_id === chosen ? null : each.request_id })}>
                                            {each.request_id.slice(0, 12)}
                                        </button>
                                    </th>
                                    <td><Text>{each.chain}</Text> <span class="dim"><Text>{each.version ?? each.environment}</Text></span></td>
                                    <td><Badge state={each.status} /></td>
                                    <td class="right">{each.attempts}</td>
                                    <td class="right">{each.priority}</td>
                                    <td><Age at={each.created_at} /> ago</td>
                                    <td>{each.webhook ? <Badge state={each.webhook_status ?? ""} /> : "–"}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </>
    );
}

function OneRequest({ id }: { id: string }) {
    const { value, error, reload } = useLoaded(
        (signal) => get<AsyncRequest>(`/requests/${encodeURIComponent(id)}`, {}, signal), [id]);
    const can = useCan(value?.chain);
    const [cancelling, cancel] = useState(false);
    const open = value?.status === "QUEUED" || value?.status === "RUNNING";
    useEvery(1500, () => { if (open) reload(); });
    if (!value) return error ? <ErrorNote error={error} /> : <Empty>Loading…</Empty>;
    return (
        <section class="card" aria-label={`Request ${id}`}>
            <div class="title">
                <h2 class="mono">{id}</h2>
                <Badge state={value.status} />
                <span class="gap" />
                <a class="act quiet" href={to(["traces", id])}>Trace</a>
                {open && can("call") && <Act onClick={() => cancel(true)}>Cancel…</Act>}
            </div>
            <dl class="facts">
                {([["Asked", moment(value.created_at)], ["Begun", moment(value.started_at)],
                    ["Ended", moment(value.ended_at)], ["Attempts", `${value.attempts} of ${value.retries + 1}`],
                    ["Webhook", value.webhook ?? "none"]] as const).map(([name, text]) => (
                    <div key={name}><dt>{name}</dt><dd><Text>{text}</Text></dd></div>
                ))}
            </dl>
            <ErrorNote error={value.error} />
            {value.status === "SUCCEEDED" && <pre tabIndex={0} aria-label="Result"><Text>{JSON.stringify(value.result, null, 2)}</Text></pre>}
            {cancelling && (
                <Confirm title="Cancel this request" verb="Cancel it" danger onClose={() => cancel(false)}
                    act={async () => {
                        await send("DELETE", `/requests/${encodeURIComponent(id)}`);
                        reload();
                    }}>
                    <p>One that waits never runs. Of one that runs, the call is ended, and all below it.</p>
                </Confirm>
            )}
        </section>
    );
}

export function RequestsView({ route }: { route: Route }) {
    return (
        <>
            <h1 tabIndex={-1}>Asynchronous requests</h1>
            <RequestList chain={null} route={route} />
        </>
    );
}

export function ChainRequests({ chain, route }: { chain: Chain; route: Route }) {
    return <RequestList chain={chain.name} route={route} />;
}
