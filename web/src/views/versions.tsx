/* The versions of a chain: what was deployed, and can be again. */
import { useEffect, useState } from "preact/hooks";
import { at, get } from "../api/client";
import { happened } from "../api/live";
import { useStore } from "../api/store";
import type { Version } from "../api/types";
import { Act, Age, Badge, Empty, ErrorNote, Text } from "../ui/bits";
import { useCan, useLoaded } from "../ui/use";
import { DeleteVersion, Promote } from "./actions";

interface Props {
    chain: string;
    environment: string;
    environments: string[];
    /** Says nothing where there is nothing. */
    quiet?: boolean;
}

export function VersionsView({ chain, environment, environments, quiet }: Props) {
    const { value, error, reload } = useLoaded(
        (signal) => get<Version[]>(`${at.chain(chain)}/versions`, {}, signal), [chain]);
    const event = useStore(happened);
    const can = useCan(chain);
    const [asking, ask] = useState<{ what: "promote" | "delete"; version: Version } | null>(null);
    useEffect(() => { if (event?.chain === chain) reload(); }, [event]);
    const close = () => { ask(null); reload(); };
    if (quiet && (error || !value?.length)) return null;
    if (error) return <ErrorNote error={error} />;
    if (!value) return <Empty>Loading…</Empty>;
    return (
        <div class="scroll-x" tabIndex={0} role="region" aria-label="Versions">
            <table>
                <thead>
                    <tr>
                        <th scope="col">Version</th><th scope="col">State</th><th scope="col">Answers in</th>
                        <th scope="col">Made</th><th scope="col">By</th><th scope="col">Sources</th>
                        <th scope="col">Interface</th><th scope="col"><span class="hidden">Actions</span></th>
                    </tr>
                </thead>
                <tbody>
                    {value.map((version) => (
                        <tr key={version.id}>
                            <th scope="row"><code>{version.id}</code></th>
                            <td>
                                <Badge state={version.state} />
                                {version.message && <div class="dim small"><Text>{version.message}</Text></div>}
                            </td>
                            <td><Text>{version.environments.join(", ")}</Text></td>
                            <td><Age at={version.created_at} /></td>
                            <td><Text>{version.created_by ?? "–"}</Text></td>
                            <td><code title={version.source_digest ?? ""}>{version.source_digest?.slice(0, 8) ?? "–"}</code></td>
                            <td><code>{version.interface?.slice(0, 8) ?? "–"}</code></td>
                            <td class="right">
                                {version.kept && can("deploy") && (
                                    <Act kind="quiet" onClick={() => ask({ what: "promote", version })}
                                        label={`Deploy ${version.id}`}>
                                        Deploy
                                    </Act>
                                )}
                                {!version.environments.length && can("admin") && (
                                    <Act kind="quiet" onClick={() => ask({ what: "delete", version })}
                                        label={`Delete ${version.id}`}>
                                        Delete
                                    </Act>
                                )}
                                {!version.kept && <span class="dim">not kept</span>}
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
            {asking?.what === "promote" && (
                <Promote chain={chain} environment={environment} environments={environments}
                    version={asking.version} onClose={close} />
            )}
            {asking?.what === "delete" && (
                <DeleteVersion chain={chain} version={asking.version} onClose={close} />
            )}
        </div>
    );
}
