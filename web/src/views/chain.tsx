/* One chain in one environment: graph, versions, a place to try it, and what else is about it. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { chains } from "../api/live";
import { useStore } from "../api/store";
import type { Chain } from "../api/types";
import { Age, Badge, Empty, ErrorNote, Tabs, Text } from "../ui/bits";
import { bytes, duration, rate, share } from "../ui/format";
import { type Route, to } from "../ui/route";
import { useMayList, useMayRead } from "../ui/use";
import { ChainMenu } from "./actions";
import { fateOf } from "./fate";
import { GraphView } from "./graph";
import { VersionsView } from "./versions";

type Part = ComponentType<{ chain: Chain; route: Route }>;
/* Loaded when they are looked at. */
const parts: Record<string, () => Promise<Part>> = {
    try: () => import("./try").then((m) => m.TryView),
    traces: () => import("./traces").then((m) => m.ChainTraces),
    logs: () => import("./logs").then((m) => m.ChainLogs),
    events: () => import("./events").then((m) => m.ChainEvents),
    requests: () => import("./requests").then((m) => m.ChainRequests),
};

const tabs = [
    { id: "", label: "Graph" },
    { id: "try", label: "Try it" },
    { id: "versions", label: "Versions" },
    { id: "traces", label: "Traces" },
    { id: "requests", label: "Requests" },
    { id: "events", label: "Events" },
    { id: "logs", label: "Logs" },
];

/* Not offered to who may not look. */
const guarded = ["traces", "events", "logs"];

function Later({ name, chain, route }: { name: string; chain: Chain; route: Route }) {
    const [part, set] = useState<{ name: string; Part: Part } | null>(null);
    useEffect(() => {
        let current = true;
        void parts[name]!().then((Part) => { if (current) set({ name, Part }); });
        return () => { current = false; };
    }, [name]);
    return part?.name === name ? <part.Part chain={chain} route={route} />
        : <p class="empty" aria-busy="true">Loading…</p>;
}

function Progress({ chain }: { chain: Chain }) {
    const reads = useMayRead();
    const { deployment, canary } = chain;
    const { assets } = deployment;
    if (deployment.state === "failed")
        return (
            <>
                <ErrorNote {...fateOf(deployment)} />
                {reads && (
                    <p><a href={to(["chains", chain.name, chain.environment, "logs"],
                        { chainlet: deployment.chainlet, version: deployment.version_id })}>What it said</a></p>
                )}
            </>
        );
    return (
        <>
            {deployment.state === "starting" && (
                <p class="note" role="status">
                    <Badge state="starting" /> Version <code>{deployment.version_id}</code>:{" "}
                    {deployment.chainlets.filter((each) => each.ready > 0).length} of{" "}
                    {deployment.chainlets.length} Chainlets are ready.
                    {assets && assets.files_done < assets.files && (
                        <>
                            {" "}Assets: {assets.files_done} of {assets.files} files, {bytes(assets.bytes_done)}
                            {assets.bytes >= 0 && <> of {bytes(assets.bytes)}</>}, {bytes(assets.bytes_per_s)}/s
                            {assets.trouble && <> (<Text>{assets.trouble}</Text>)</>}
                        </>
                    )}
                </p>
            )}
            {canary && (
                <div class="note">
                    <p>
                        Version <code>{canary.version_id}</code> is tried on {canary.percent} % of the calls, until{" "}
                        <time dateTime={canary.until}>{new Date(canary.until).toLocaleTimeString()}</time>.
                    </p>
                    <table class="small">
                        <thead>
                            <tr><th scope="col">Version</th><th scope="col" class="right">Calls</th>
                                <th scope="col" class="right">Failed</th><th scope="col" class="right">p99</th></tr>
                        </thead>
                        <tbody>
                            {([["old", chain.version_id, canary.old_version],
                                ["new", canary.version_id, canary.new_version]] as const).map(([which, id, side]) => (
                                <tr key={which}>
                                    <th scope="row"><code>{id}</code> <span class="dim">{which}</span></th>
                                    <td class="right">{side.calls}</td>
                                    <td class="right">{share(side.failed, side.calls)}</td>
                                    <td class="right">{side.p99_ms ? duration(side.p99_ms) : "–"}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </>
    );
}

function Numbers({ chain }: { chain: Chain }) {
    const { clients } = chain;
    const facts: [string, string][] = [
        ["Calls/s", rate(clients?.calls_per_s)],
        ["Errors", clients ? share(clients.errors_per_s, clients.calls_per_s) : "–"],
        ["p50", duration(clients?.p50_ms)],
        ["p99", duration(clients?.p99_ms)],
    ];
    return (
        <dl class="facts">
            {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
        </dl>
    );
}

export function ChainView({ route }: { route: Route }) {
    const reads = useMayRead();
    const lists = useMayList(route.path[1]);
    const [, name = "", environment = "production", tab = "", inner] = route.path;
    const list = useStore(chains);
    const others = list?.filter((each) => each.name === name) ?? [];
    const chain = others.find((each) => each.environment === environment);
    if (!list) return <Empty>Waiting for the daemon…</Empty>;
    if (!chain)
        return (
            <>
                <h1 tabIndex={-1}>There is no {name} in {environment}</h1>
                <p>
                    {others.length
                        ? <>It is in {others.map((each) => (
                            <a key={each.environment} href={to(["chains", name, each.environment])}>{each.environment} </a>
                        ))}</>
                        : <a href={to([])}>All chains</a>}
                </p>
                <VersionsOfNone name={name} environment={environment} />
            </>
        );
    const here = ["chains", name, environment];
    const shown = tab === "chainlets" ? "" : tab;
    return (
        <>
            <div class="title">
                <h1 tabIndex={-1}><Text>{name}</Text></h1>
                <Badge state={chain.state} />
                <nav aria-label="Environments" class="pills">
                    {others.map((each) => (
                        <a key={each.environment} href={to(["chains", name, each.environment, ...(shown ? [shown] : [])])}
                            aria-current={each === chain ? "true" : undefined}>
                            <Text>{each.environment}</Text>
                        </a>
                    ))}
                </nav>
                <span class="dim">
                    <code>{chain.version_id ?? "no version"}</code>{chain.deployed_at && <>, <Age at={chain.deployed_at} /> old</>}
                </span>
                <span class="gap" />
                <ChainMenu chain={chain} all />
            </div>
            <Numbers chain={chain} />
            <Progress chain={chain} />
            <Tabs label="Of this chain" current={shown}
                tabs={tabs.filter(({ id }) => id === "requests" ? lists : reads || !guarded.includes(id)).map(({ id, label }) => ({ id, label, href: to(id ? [...here, id] : here) }))} />
            {shown === "" ? <GraphView chain={chain} route={route} chainlet={tab === "chainlets" ? inner ?? null : null} />
                : shown === "versions" ? <VersionsView key={name} chain={name} environment={environment}
                    environments={others.map((each) => each.environment)} />
                : parts[shown] ? <Later name={shown} chain={chain} route={route} />
                : <Empty>There is no such page.</Empty>}
        </>
    );
}

/* What was deleted from an environment can be deployed there again. */
function VersionsOfNone({ name, environment }: { name: string; environment: string }) {
    return name ? <VersionsView chain={name} environment={environment} environments={[]} quiet /> : null;
}
