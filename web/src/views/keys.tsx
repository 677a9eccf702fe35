/* API keys and secrets: their names, never what they hold. */
import { useState } from "preact/hooks";
import { get, send } from "../api/client";
import type { Key, Scope, Secret } from "../api/types";
import { Act, Age, Badge, Confirm, Copy, Dialog, Empty, ErrorNote, Field, NumberInput, Text } from "../ui/bits";
import { useCan, useLoaded } from "../ui/use";
import type { Route } from "../ui/route";

export function KeysView(_: { route: Route }) {
    const can = useCan();
    return (
        <>
            <h1 tabIndex={-1}>Keys and secrets</h1>
            {can("admin") ? <><Keys /><Secrets /></>
                : <Empty>Keys and secrets are shown to who signs in with the scope admin.</Empty>}
        </>
    );
}

function Keys() {
    const { value, error, reload } = useLoaded((signal) => get<Key[]>("/api/v1/keys", {}, signal), []);
    const [revoking, revoke] = useState<Key | null>(null);
    const [making, make] = useState(false);
    return (
        <section aria-label="API keys">
            <div class="title">
                <h2>API keys</h2>
                <span class="gap" />
                <Act onClick={() => make(true)}>New key…</Act>
            </div>
            <ErrorNote error={error} />
            {value && !value.length && <Empty>There are none: whoever reaches the daemon on this machine may call.</Empty>}
            {!!value?.length && (
                <div class="scroll-x" tabIndex={0} role="region" aria-label="Keys">
                    <table>
                        <thead>
                            <tr><th scope="col">Key</th><th scope="col">May</th><th scope="col">Chain</th>
                                <th scope="col" class="right">Rate</th><th scope="col">Note</th><th scope="col">Made</th>
                                <th scope="col">Used</th><th scope="col"><span class="hidden">Actions</span></th></tr>
                        </thead>
                        <tbody>
                            {value.map((key) => (
                                <tr key={key.id}>
                                    <th scope="row"><code>{key.id}</code></th>
                                    <td><Badge state={key.scope} /></td>
                                    <td><Text>{key.chain ?? "all"}</Text></td>
                                    <td class="right">{key.rate_per_s ? `${key.rate_per_s}/s` : "–"}</td>
                                    <td><Text>{key.note ?? ""}</Text></td>
                                    <td><Age at={key.created_at} /></td>
                                    <td><Age at={key.last_used_at} /></td>
                                    <td class="right">
                                        {key.revoked_at ? <span class="dim">revoked</span> : (
                                            <Act kind="quiet" onClick={() => revoke(key)} label={`Revoke ${key.id}`}>Revoke</Act>
                                        )}
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
            {revoking && (
                <Confirm title={`Revoke ${revoking.id}`} verb="Revoke" danger
                    onClose={() => { revoke(null); reload(); }}
                    act={() => send("DELETE", `/api/v1/keys/${encodeURIComponent(revoking.id)}`)}>
                    <p>Who uses it is refused from then on, and streams that it has open are cut. There is no way back.</p>
                </Confirm>
            )}
            {making && <NewKey onClose={() => { make(false); reload(); }} />}
        </section>
    );
}

function NewKey({ onClose }: { onClose: () => void }) {
    const [scope, setScope] = useState<Scope>("call");
    const [chain, setChain] = useState("");
    const [rate, setRate] = useState(0);
    const [note, setNote] = useState("");
    const [made, setMade] = useState<string | null>(null);
    const [error, setError] = useState<Error | null>(null);
    async function go(event: Event) {
        event.preventDefault();
        try {
            const answer = await send<{ key: string }>("POST", "/api/v1/keys", {
                scope, rate_per_s: rate, ...(chain ? { chain } : {}), ...(note ? { note } : {}),
            });
            setMade(answer.key);
        } catch (failure) {
            setError(failure as Error);
        }
    }
    if (made)
        return (
            <Dialog title="The new key" onClose={onClose}>
                <p>It is shown this once.</p>
                <pre tabIndex={0} aria-label="Key">{made}</pre>
                <div class="buttons"><Copy text={() => made} /><Act kind="main" onClick={onClose}>Done</Act></div>
            </Dialog>
        );
    return (
        <Dialog title="New key" onClose={onClose}>
            <form onSubmit={go}>
                <Field label="It may" hint="deploy includes call, admin all">
                    {(id, hint) => (
                        <select id={id} aria-describedby={hint} value={scope}
                            onChange={(e) => setScope(e.currentTarget.value as Scope)}>
                            {["call", "deploy", "admin"].map((each) => <option key={each}>{each}</option>)}
                        </select>
                    )}
                </Field>
                <Field label="Only this chain" hint="empty: all">
                    {(id, hint) => <input id={id} aria-describedby={hint} value={chain} onInput={(e) => setChain(e.currentTarget.value)} />}
                </Field>
                <Field label="Requests a second" hint="0: no limit">
                    {(id, hint) => (
                        <NumberInput id={id} aria-describedby={hint} min={0} step="any" value={rate}
                            onChange={(next) => setRate(Number(next))} />
                    )}
                </Field>
                <Field label="Note">
                    {(id) => <input id={id} value={note} onInput={(e) => setNote(e.currentTarget.value)} />}
                </Field>
                <ErrorNote error={error} />
                <div class="buttons">
                    <Act kind="quiet" onClick={onClose}>Cancel</Act>
                    <button type="submit" class="act main">Make it</button>
                </div>
            </form>
        </Dialog>
    );
}

function Secrets() {
    const { value, error, reload } = useLoaded((signal) => get<Secret[]>("/api/v1/secrets", {}, signal), []);
    const [asking, ask] = useState<{ what: "set" | "delete"; name: string } | null>(null);
    const path = (name: string) => `/api/v1/secrets/${name.split("/").map(encodeURIComponent).join("/")}`;
    const close = () => { ask(null); reload(); };
    return (
        <section aria-label="Secrets">
            <div class="title">
                <h2>Secrets</h2>
                <span class="gap" />
                <Act onClick={() => ask({ what: "set", name: "" })}>Set a secret…</Act>
            </div>
            <ErrorNote error={error} />
            {value && !value.length && <Empty>There are none.</Empty>}
            {!!value?.length && (
                <table>
                    <thead><tr><th scope="col">Name</th><th scope="col">Changed</th>
                        <th scope="col"><span class="hidden">Actions</span></th></tr></thead>
                    <tbody>
                        {value.map((secret) => (
                            <tr key={secret.name}>
                                <th scope="row"><code><Text>{secret.name}</Text></code></th>
                                <td><Age at={secret.updated_at} /></td>
                                <td class="right">
                                    <Act kind="quiet" onClick={() => ask({ what: "set", name: secret.name })}
                                        label={`Set ${secret.name}`}>Set</Act>
                                    <Act kind="quiet" onClick={() => ask({ what: "delete", name: secret.name })}
                                        label={`Delete ${secret.name}`}>Delete</Act>
                                </td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            )}
            {asking?.what === "delete" && (
                <Confirm title={`Delete ${asking.name}`} verb="Delete" danger onClose={close}
                    act={() => send("DELETE", path(asking.name))}>
                    <p>What needs it can't be started any more. It is refused while processes have it.</p>
                </Confirm>
            )}
            {asking?.what === "set" && <SetSecret name={asking.name} path={path} onClose={close} />}
        </section>
    );
}

function SetSecret({ name: first, path, onClose }:
    { name: string; path: (name: string) => string; onClose: () => void }) {
    const [name, setName] = useState(first);
    const [value, setValue] = useState("");
    return (
        <Confirm title={first ? `Set ${first}` : "Set a secret"} verb="Set" onClose={onClose}
            act={() => send("PUT", path(name), { value })}>
            {!first && (
                <Field label="Name" hint="NAME, or CHAIN/NAME for one chain alone">
                    {(id, hint) => (
                        <input id={id} aria-describedby={hint} required value={name} autocomplete="off"
                            onInput={(e) => setName(e.currentTarget.value)} />
                    )}
                </Field>
            )}
            <Field label="Value" hint="Sealed on disk; it can't be read back here. Processes that run keep the old one.">
                {(id, hint) => (
                    <input id={id} aria-describedby={hint} type="password" required value={value} autocomplete="off"
                        onInput={(e) => setValue(e.currentTarget.value)} />
                )}
            </Field>
        </Confirm>
    );
}
