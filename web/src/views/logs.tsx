/* What Chainlets say, as they say it. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, at, Failure, withQuery } from "../api/client";
import { chains, returned } from "../api/live";
import { linesOf } from "../api/sse";
import { useStore } from "../api/store";
import type { Chain, LogLine } from "../api/types";
import { Act, Badge, Empty, ErrorNote, Field, FilterInput, RequestLink, Text } from "../ui/bits";
import { moment } from "../ui/format";
import { type Route, setQuery } from "../ui/route";
import { type Column, Rows } from "../ui/rows";

const KEPT = 5000, TAIL = 500;
/* Lines that come at once are shown at once. */
const GATHER_MS = 100;

interface Filter {
    chain: string | null;
    chainlet: string | null;
    environment: string | null;
    version: string | null;
    level: string | null;
    contains: string | null;
}

interface Numbered extends LogLine {
    number: number;
}

function useLines(filter: Filter): { lines: Numbered[] | null; error: Error | null } {
    const [lines, set] = useState<Numbered[] | null>(null);
    const [error, setError] = useState<Error | null>(null);
    const { chain, chainlet, ...rest } = filter;
    const back = useStore(returned);
    useEffect(() => {
        set(null);
        setError(null);
        if (!chain) return;
        const abort = new AbortController();
        let gathered: Numbered[] = [], timer: ReturnType<typeof setTimeout> | undefined, number = 0;
        const show = () => {
            timer = undefined;
            const fresh = gathered;
            gathered = [];
            set((old) => [...old ?? [], ...fresh].slice(-KEPT));
        };
        const read = async () => {
            const path = `${at.chain(chain)}${chainlet ? `/chainlets/${encodeURIComponent(chainlet)}` : ""}/logs`;
            const response = await ask(
                withQuery(path, { ...rest, format: "json", tail: TAIL, follow: true }), { signal: abort.signal });
            timer = setTimeout(show, GATHER_MS);
            for await (const line of linesOf(response.body!)) {
                if (!line) continue;
                gathered.push({ ...JSON.parse(line) as LogLine, number: number++ });
                timer ??= setTimeout(show, GATHER_MS);
            }
        };
        /* A connection that breaks is made again when the daemon is back; the light says so until then. */
        read().catch((failure: Error) => { if (!abort.signal.aborted && failure instanceof Failure) setError(failure); });
        return () => {
            abort.abort();
            clearTimeout(timer);
        };
    }, [JSON.stringify(filter), back]);
    return { lines, error };
}

function columnsOf(open: (line: Numbered) => void): Column<Numbered>[] {
    return [
        { name: "Time", width: "190px", wide: true, cell: (line) => <time dateTime={line.at} class="mono">{moment(line.at)}</time> },
        { name: "Level", width: "70px", cell: (line) => line.level && line.level !== "info" && line.level !== "debug"
            ? <Badge state={/err|crit|fail/.test(line.level) ? "failed" : "degraded"} label={line.level} /> : <span class="dim">{line.level}</span> },
        { name: "From", width: "minmax(90px, 170px)", cell: (line) => (
            <><Text>{line.chainlet}</Text>{line.replica !== null && <span class="dim">/{line.replica}</span>}</>) },
        { name: "Message", width: "minmax(140px, 1fr)", cell: (line) => (
            <span class="mono"><button type="button" class="link said" title={line.message} onClick={() => open(line)}><Text>{line.message}</Text></button></span>) },
        { name: "Request", width: "130px", wide: true, cell: (line) => line.request_id ? <RequestLink id={line.request_id} /> : "" },
    ];
}

function LogLines({ filter }: { filter: Filter }) {
    const { lines, error } = useLines(filter);
    const [stick, setStick] = useState(true);
    const [chosen, choose] = useState<Numbered | null>(null);
    const columns = useMemo(() => columnsOf(choose), []);
    const card = useRef<HTMLElement>(null);
    useEffect(() => { card.current?.focus(); }, [chosen]);
    return (
        <>
            <ErrorNote error={error} />
            {!filter.chain ? <Empty>Choose a chain.</Empty>
                : !lines ? !error && <Empty>Loading…</Empty>
                : !lines.length ? <Empty>Nothing has been said yet.</Empty> : (
                    <>
                        <div class="tools">
                            <Act kind="quiet" pressed={stick} onClick={() => setStick(!stick)}>
                                {stick ? "Following the end" : "Follow the end"}
                            </Act>
                        </div>
                        <Rows label="Log" className="full log" rows={lines} columns={columns} rowHeight={26} stick={stick}
                            keyOf={(line) => line.number} />
                        {chosen && (
                            <section class="card" aria-label="The line that is chosen" ref={card} tabIndex={-1}>
                                <p class="dim">
                                    {moment(chosen.at)} <Text>{chosen.environment}</Text> <code>{chosen.version}</code>{" "}
                                    <Text>{chosen.chainlet}</Text>/{chosen.replica}{" "}
                                    {chosen.request_id && <RequestLink id={chosen.request_id} />}
                                </p>
                                <pre tabIndex={0} aria-label="Message"><Text>{chosen.message}</Text></pre>
                            </section>
                        )}
                    </>
                )}
        </>
    );
}

function Filters({ route, chain }: { route: Route; chain: string | null }) {
    const list = useStore(chains) ?? [];
    const { query } = route;
    const named = chain ?? query.get("chain");
    const names = [...new Set(list.map((each) => each.name))];
    const of = list.filter((each) => each.name === named);
    const chainlets = [...new Set(of.flatMap((each) => each.chainlets.map(({ name }) => name)))];
    const choice = (name: string, label: string, values: string[], any = "any") => (
        <Field label={label}>
            {(id) => (
                <select id={id} value={query.get(name) ?? ""} onChange={(e) => setQuery({ [name]: e.currentTarget.value })}>
                    <option value="">{any}</option>
                    {values.map((value) => <option key={value} value={value}>{value}</option>)}
                </select>
            )}
        </Field>
    );
    return (
        <form class="filters" role="search" aria-label="Log" onSubmit={(e) => e.preventDefault()}>
            {!chain && choice("chain", "Chain", names, "choose")}
            {choice("chainlet", "Chainlet", chainlets, "all")}
            {!chain && choice("environment", "Environment", of.map((each) => each.environment))}
            {choice("level", "Level", ["info", "warning", "error"])}
            <Field label="Contains">
                {(id) => (
                    <FilterInput id={id} type="search" value={query.get("contains")} onChange={(value) => setQuery({ contains: value })} />
                )}
            </Field>
        </form>
    );
}

function filterOf(query: URLSearchParams): Omit<Filter, "chain" | "environment"> {
    return {
        chainlet: query.get("chainlet"), version: query.get("version"), level: query.get("level"),
        contains: query.get("contains"),
    };
}

export function LogsView({ route }: { route: Route }) {
    const list = useStore(chains);
    const { query } = route;
    const chain = query.get("chain") ?? (list?.length === 1 ? list[0]!.name : null);
    return (
        <>
            <h1 tabIndex={-1}>Logs</h1>
            <Filters route={route} chain={null} />
            <LogLines filter={{ ...filterOf(query), chain, environment: query.get("environment") }} />
        </>
    );
}

export function ChainLogs({ chain, route }: { chain: Chain; route: Route }) {
    return (
        <>
            <Filters route={route} chain={chain.name} />
            <LogLines filter={{ ...filterOf(route.query), chain: chain.name, environment: chain.environment }} />
        </>
    );
}

export function ChainletLogs({ chain, chainlet }: { chain: Chain; chainlet: string }) {
    return (
        <LogLines filter={{
            chain: chain.name, environment: chain.environment, chainlet, version: null, level: null, contains: null,
        }} />
    );
}
