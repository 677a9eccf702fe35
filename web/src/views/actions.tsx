/* What can be done to a chain: each asks first. */
import { useState } from "preact/hooks";
import { at, send } from "../api/client";
import type { Chain, Chainlet, Scaling, Version } from "../api/types";
import { Act, Confirm, Field, NumberInput } from "../ui/bits";
import { go, to } from "../ui/route";
import { useCan } from "../ui/use";

export function Rollback({ chain, onClose }: { chain: Chain; onClose: () => void }) {
    return (
        <Confirm title={`Roll ${chain.name} back`} verb="Roll back" onClose={onClose}
            act={() => send("POST", `${at.environment(chain.name, chain.environment)}/rollback`)}>
            <p>
                {chain.canary
                    ? <>Ends the trial of <code>{chain.canary.version_id}</code>: <code>{chain.version_id}</code> answers all calls.</>
                    : <><code>{chain.previous_version_id}</code> answers the calls of <b>{chain.environment}</b> again,
                        in place of <code>{chain.version_id}</code>. Calls that run are finished.</>}
            </p>
        </Confirm>
    );
}

interface PromoteProps {
    chain: string;
    environment: string;
    environments: string[];
    version: Version;
    onClose: () => void;
}

export function Promote({ chain, environment, environments, version, onClose }: PromoteProps) {
    const [target, setTarget] = useState(environment);
    const [percent, setPercent] = useState(0);
    const [minutes, setMinutes] = useState(10);
    return (
        <Confirm title={`Deploy ${version.id}`} verb={percent ? "Try it" : "Deploy"} onClose={onClose}
            act={() => send("POST", `${at.environment(chain, target)}/promote`, {
                version: version.id, ...(percent ? { canary: { percent, minutes } } : {}),
            })}>
            <p>Its processes are started, and answer calls once all of them are ready. Calls that run are finished.</p>
            <Field label="Environment">
                {(id) => (
                    <>
                        <input id={id} list={`${id}-list`} value={target} required
                            onInput={(e) => setTarget(e.currentTarget.value)} />
                        <datalist id={`${id}-list`}>
                            {environments.map((name) => <option key={name} value={name} />)}
                        </datalist>
                    </>
                )}
            </Field>
            <Field label="Try it on a share of the calls first, %"
                hint="0: it answers all of them. A trial that fails more often, or is slower, is taken back by itself.">
                {(id, hint) => (
                    <NumberInput id={id} aria-describedby={hint} min={0} max={99} value={percent}
                        onChange={(next) => setPercent(Number(next))} />
                )}
            </Field>
            {percent > 0 && (
                <Field label="For how long, minutes">
                    {(id) => (
                        <NumberInput id={id} min={0.1} step="any" value={minutes}
                            onChange={(next) => setMinutes(Number(next))} />
                    )}
                </Field>
            )}
        </Confirm>
    );
}

export function DeleteEnvironment({ chain, onClose }: { chain: Chain; onClose: () => void }) {
    return (
        <Confirm title={`Delete ${chain.environment} of ${chain.name}`} verb="Delete" danger typed={chain.name}
            onClose={onClose}
            act={async () => {
                await send("DELETE", at.environment(chain.name, chain.environment));
                go(to([]));
            }}>
            <p>
                Its processes end, when the calls that run are finished. The chain's versions stay, and can be deployed
                again.
            </p>
        </Confirm>
    );
}

export function DeleteChain({ chain, onClose }: { chain: Chain; onClose: () => void }) {
    return (
        <Confirm title={`Delete ${chain.name}`} verb="Delete all of it" danger typed={chain.name} onClose={onClose}
            act={async () => {
                await send("DELETE", at.chain(chain.name));
                go(to([]));
            }}>
            <p>All its environments end, and its versions, logs and asynchronous requests are deleted. There is no way back.</p>
        </Confirm>
    );
}

export function DeleteVersion({ chain, version, onClose }:
    { chain: string; version: Version; onClose: () => void }) {
    return (
        <Confirm title={`Delete version ${version.id}`} verb="Delete" danger onClose={onClose}
            act={() => send("DELETE", `${at.chain(chain)}/versions/${encodeURIComponent(version.id)}`)}>
            <p>Its programs are deleted: it can't be deployed again.</p>
        </Confirm>
    );
}

const options: { key: keyof Scaling; label: string; hint: string; step?: string }[] = [
    { key: "min_replicas", label: "Least replicas", hint: "0: none while nobody calls" },
    { key: "max_replicas", label: "Most replicas", hint: "" },
    { key: "concurrency_target", label: "Calls a replica", hint: "that should run at once", step: "any" },
    { key: "target_utilization", label: "Utilization", hint: "share of those that is aimed at, 0 to 1", step: "any" },
    { key: "window_s", label: "Window, s", hint: "that load is averaged over", step: "any" },
    { key: "scale_down_delay_s", label: "Delay before fewer, s", hint: "", step: "any" },
    { key: "scale_to_zero_delay_s", label: "Delay before none, s", hint: "", step: "any" },
];

export function Scale({ chain, environment, chainlet, onClose }:
    { chain: string; environment: string; chainlet: Chainlet; onClose: () => void }) {
    const [values, setValues] = useState<Scaling>({ ...chainlet.scaling });
    const path = `${at.chainlet(chain, environment, chainlet.name)}/scaling`;
    const changed = Object.fromEntries(
        Object.entries(values).filter(([key, value]) => value !== chainlet.scaling[key as keyof Scaling]));
    return (
        <Confirm title={`Scale ${chainlet.name}`} verb="Apply" onClose={onClose}
            act={async () => {
                /* What was said before stays said: the daemon takes what differs from what was deployed. */
                const before = Object.fromEntries(
                    options.map(({ key }) => [key, chainlet.override?.[key]]).filter(([, value]) => value != null));
                if (Object.keys(changed).length) await send("PUT", path, { ...before, ...changed });
            }}>
            <p>Holds until it is taken back, for later versions, too.</p>
            <div class="pair">
                {options.map(({ key, label, hint, step }) => (
                    <Field key={key} label={label} hint={hint || undefined}>
                        {(id, hintId) => (
                            <NumberInput id={id} aria-describedby={hintId} min={0} step={step ?? "1"} value={values[key]} required
                                onChange={(next) => setValues({ ...values, [key]: Number(next) })} />
                        )}
                    </Field>
                ))}
            </div>
            {chainlet.override && (
                <p>
                    <Act kind="danger" onClick={() => { void send("DELETE", path).then(onClose); }}>
                        Back to what was deployed
                    </Act>
                </p>
            )}
        </Confirm>
    );
}

/** Only what the user may do. */
export function ChainMenu({ chain, all }: { chain: Chain; all?: boolean }) {
    const can = useCan(chain.name);
    const [asking, ask] = useState<"rollback" | "delete" | "delete all" | null>(null);
    const back = chain.previous_version_id || chain.canary;
    return (
        <span class="menu">
            {can("deploy") && back && (
                <Act kind="quiet" onClick={() => ask("rollback")} label={`Roll back ${chain.name} ${chain.environment}`}>
                    Roll back
                </Act>
            )}
            {can("admin") && (
                <Act kind="quiet" onClick={() => ask("delete")}
                    label={`Delete${all ? " environment" : ""} ${chain.environment} of ${chain.name}`}>
                    Delete{all && " environment"}
                </Act>
            )}
            {all && can("admin") && (
                <Act kind="quiet" onClick={() => ask("delete all")}>Delete chain</Act>
            )}
            {asking === "rollback" && <Rollback chain={chain} onClose={() => ask(null)} />}
            {asking === "delete" && <DeleteEnvironment chain={chain} onClose={() => ask(null)} />}
            {asking === "delete all" && <DeleteChain chain={chain} onClose={() => ask(null)} />}
        </span>
    );
}
