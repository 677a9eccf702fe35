/* What happened, and why. */
import { useEffect, useState } from "preact/hooks";
import { at, get } from "../api/client";
import { happened, returned } from "../api/live";
import { useStore } from "../api/store";
import type { Chain, Happening } from "../api/types";
import { Act, Age, Badge, Empty, ErrorNote, Field, FilterInput, Text } from "../ui/bits";
import { moment } from "../ui/format";
import { type Route, setQuery, to } from "../ui/route";

const PAGE = 100;
const kinds = ["", "deployed", "promoted", "rolled_back", "swapped", "deployment_failed", "scaled", "scale_set",
    "crashed", "out_of_memory", "failed", "canary_began", "canary_ended", "canary_rolled_back", "deleted"];

const looks: Record<string, string> = {
    crashed: "failed", out_of_memory: "failed", failed: "failed", deployment_failed: "failed",
    canary_rolled_back: "failed", promoted: "ready", swapped: "ready", deployed: "starting",
};

function EventList({ chain, route }: { chain: string | null; route: Route }) {
    const kind = route.query.get("kind"), chainlet = route.query.get("chainlet");
    const [events, set] = useState<Happening[] | null>(null);
    const [error, setError] = useState<Error | null>(null);
    const [more, setMore] = useState(true);
    const latest = useStore(happened);
    const back = useStore(returned);
    const path = chain ? `${at.chain(chain)}/events` : "/api/v1/events";

    function load(before: number | null, signal?: AbortSignal) {
        get<Happening[]>(path, { kind, chainlet, before, limit: PAGE }, signal).then((page) => {
            set((old) => before === null ? page : [...old ?? [], ...page]);
            setMore(page.length === PAGE);
            setError(null);
        }, (failure: Error) => { if (!signal?.aborted) setError(failure); });
    }

    useEffect(() => {
        const abort = new AbortController();
        load(null, abort.signal);
        return () => abort.abort();
    }, [path, kind, chainlet, back]);

    useEffect(() => {
        if (!latest || (chain && latest.chain !== chain) || (kind && latest.kind !== kind) ||
            (chainlet && latest.chainlet !== chainlet)) return;
        set((old) => !old || old.some((each) => each.id === latest.id) ? old : [latest, ...old]);
    }, [latest]);

    return (
        <>
            <form class="filters" role="search" aria-label="Events" onSubmit={(e) => e.preventDefault()}>
                <Field label="Kind">
                    {(id) => (
                        <select id={id} value={kind ?? ""} onChange={(e) => setQuery({ kind: e.currentTarget.value })}>
                            {kinds.map((each) => <option key={each} value={each}>{each.replaceAll("_", " ") || "any"}</option>)}
                        </select>
                    )}
                </Field>
                <Field label="Chainlet">
                    {(id) => (
                        <FilterInput id={id} type="search" value={chainlet} onChange={(value) => setQuery({ chainlet: value })} />
                    )}
                </Field>
            </form>
            <ErrorNote error={error} />
            {!events ? !error && <Empty>Loading…</Empty> : !events.length ? <Empty>Nothing has happened.</Empty> : (
                <ol class="events">
                    {events.map((event) => (
                        <li key={event.id}>
                            <time dateTime={event.at} title={moment(event.at)}><Age at={event.at} /></time>
                            <Badge state={looks[event.kind] ?? event.kind} label={event.kind.replaceAll("_", " ")} />
                            <span>
                                {!chain && event.chain && <><a href={to(["chains", event.chain])}><Text>{event.chain}</Text></a>{" "}</>}
                                {event.chainlet && <><b><Text>{event.chainlet}</Text></b>{" "}</>}
                                <Text>{event.message}</Text>
                                <Requests details={event.details} />
                            </span>
                        </li>
                    ))}
                </ol>
            )}
            {events && events.length > 0 && more && (
                <p><Act onClick={() => load(events[events.length - 1]!.id)}>Older</Act></p>
            )}
        </>
    );
}

/** The requests that a process ran when it died, as links to their traces. */
function Requests({ details }: { details: Record<string, unknown> | null }) {
    const ids = details?.requests;
    if (!Array.isArray(ids) || !ids.length) return null;
    return (
        <span class="dim">
            {" "}requests {ids.filter((id): id is string => typeof id === "string").map((id) => (
                <a key={id} class="mono" href={to(["traces", id])}>{id.slice(0, 12)} </a>
            ))}
        </span>
    );
}

export function EventsView({ route }: { route: Route }) {
    return (
        <>
            <h1 tabIndex={-1}>Events</h1>
            <EventList chain={null} route={route} />
        </>
    );
}

export function ChainEvents({ chain, route }: { chain: Chain; route: Route }) {
    return <EventList chain={chain.name} route={route} />;
}
