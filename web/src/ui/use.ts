/* Hooks that several views share. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { session } from "../api/client";
import { Store, useStore } from "../api/store";
import type { Scope } from "../api/types";

const clock = new Store(Date.now());
setInterval(() => { if (!document.hidden) clock.set(Date.now()); }, 5000);

/** The time, renewed every few seconds. */
export function useNow(): number {
    return useStore(clock);
}

export interface Loaded<T> {
    value: T | null;
    error: Error | null;
    loading: boolean;
    reload: () => void;
}

/** What `load` gives, anew whenever `inputs` change; the old value stays until then. An answer that came too late is
 * dropped. */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, inputs: unknown[]): Loaded<T> {
    const [state, set] = useState<{ value: T | null; error: Error | null; loading: boolean }>(
        { value: null, error: null, loading: true });
    const [turn, setTurn] = useState(0);
    useEffect(() => {
        const abort = new AbortController();
        set((old) => ({ ...old, loading: true }));
        load(abort.signal).then(
            (value) => { if (!abort.signal.aborted) set({ value, error: null, loading: false }); },
            (error: Error) => { if (!abort.signal.aborted) set((old) => ({ ...old, error, loading: false })); });
        return () => abort.abort();
    }, [...inputs, turn]);
    return { ...state, reload: useCallback(() => setTurn((n) => n + 1), []) };
}

/** Calls `tick` every `ms` while the page is visible. */
export function useEvery(ms: number, tick: () => void): void {
    const latest = useRef(tick);
    latest.current = tick;
    useEffect(() => {
        const timer = setInterval(() => { if (!document.hidden) latest.current(); }, ms);
        return () => clearInterval(timer);
    }, [ms]);
}

/** Whether logs, events and traces may be looked at. */
export function useMayRead(): boolean {
    return useStore(session).may_read_logs;
}

/** Whether asynchronous requests may be listed: of all chains, or (with a chain) of that one. */
export function useMayList(chain?: string | null): boolean {
    const { scopes, chain: only, keys_wanted } = useStore(session);
    if (!chain) return scopes.includes("admin") && !only;
    return (scopes.includes("deploy") || (keys_wanted && scopes.includes("call"))) && (!only || only === chain);
}

/** What the user may do here; for a key that is for one chain, with that chain alone. */
export function useCan(chain?: string | null): (scope: Scope) => boolean {
    const { scopes, chain: only } = useStore(session);
    return (scope) => scopes.includes(scope) && (!only || only === chain);
}
