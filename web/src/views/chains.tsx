/* All chains: a row an environment. */
import { session } from "../api/client";
import { chains } from "../api/live";
import { useStore } from "../api/store";
import type { Chain } from "../api/types";
import { Age, Badge, Empty, Text } from "../ui/bits";
import { duration, rate, share } from "../ui/format";
import { to } from "../ui/route";
import { useCan } from "../ui/use";
import { ChainMenu } from "./actions";

export function replicasOf(chain: Chain): { ready: number; wanted: number } {
    return chain.chainlets.reduce(
        (sum, { ready, wanted }) => ({ ready: sum.ready + ready, wanted: sum.wanted + wanted }),
        { ready: 0, wanted: 0 });
}

function ChainRow({ chain }: { chain: Chain }) {
    const { ready, wanted } = replicasOf(chain);
    const { deployment, clients } = chain;
    const pending = deployment.state !== "ready" && deployment.version_id !== chain.version_id;
    return (
        <tr>
            <th scope="row">
                <a href={to(["chains", chain.name, chain.environment])}>
                    <Text>{chain.name}</Text>
                </a>
                <div class="dim"><Text>{chain.environment}</Text></div>
            </th>
            <td><Badge state={chain.state} /></td>
            <td>
                <code>{chain.version_id ?? "none"}</code>{" "}
                <span class="dim"><Age at={chain.deployed_at} /></span>
                {chain.canary && (
                    <div class="dim">tries <code>{chain.canary.version_id}</code> on {chain.canary.percent} %</div>
                )}
                {pending && (
                    <div><Badge state={deployment.state} /> <code>{deployment.version_id}</code></div>
                )}
            </td>
            <td class="right">{rate(clients?.calls_per_s)}</td>
            <td class="right">{clients ? share(clients.errors_per_s, clients.calls_per_s) : "–"}</td>
            <td class="right">{duration(clients?.p50_ms)}</td>
            <td class="right">{duration(clients?.p99_ms)}</td>
            <td class="right">{ready}<span class="dim"> of {wanted}</span></td>
            <td class="right"><ChainMenu chain={chain} /></td>
        </tr>
    );
}

function Nothing() {
    return (
        <Empty>
            Nothing is deployed yet. In a terminal: <code>chains init hello &amp;&amp; cd hello &amp;&amp; chains deploy</code>
        </Empty>
    );
}

export function ChainsView() {
    const list = useStore(chains);
    const who = useStore(session);
    const can = useCan();
    return (
        <>
            <div class="title">
                <h1 tabIndex={-1}>Chains</h1>
                {list && <span class="dim">{list.length} deployed</span>}
            </div>
            {!list ? <Empty>Waiting for the daemon…</Empty> : !list.length ? <Nothing /> : (
                <div class="scroll-x" tabIndex={0} role="region" aria-label="Chains">
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">Chain</th>
                                <th scope="col">State</th>
                                <th scope="col">Version</th>
                                <th scope="col" class="right">Calls/s</th>
                                <th scope="col" class="right">Errors</th>
                                <th scope="col" class="right">p50</th>
                                <th scope="col" class="right">p99</th>
                                <th scope="col" class="right">Replicas</th>
                                <th scope="col"><span class="hidden">Actions</span></th>
                            </tr>
                        </thead>
                        <tbody>
                            {list.map((chain) => (
                                <ChainRow key={`${chain.name}/${chain.environment}`} chain={chain} />
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
            {!can("deploy") && !who.chain && (
                <p class="dim">
                    To change anything here, sign in: <code>chains open</code> does it for you.
                </p>
            )}
        </>
    );
}
