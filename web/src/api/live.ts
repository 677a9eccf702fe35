/* What goes on, as the daemon tells it: one connection for the whole page, which follows the chain that is being
 * looked at. A connection that ends is made again, after 0.5 s and then twice as long each time, up to 8 s. */
import type { Chain, Graph, Happening } from "./types";
import { ask, Failure, refreshSession, withQuery } from "./client";
import { eventsOf } from "./sse";
import { Store } from "./store";

export type Connection = "connecting" | "live" | "lost" | "refused";

export const connection = new Store<Connection>("connecting");
/** null: not heard of yet. */
export const chains = new Store<Chain[] | null>(null);
/** Of the chain that is being looked at. */
export const graph = new Store<Graph | null>(null);
/** The latest one; each is set once. */
export const happened = new Store<Happening | null>(null);
/** The highest number of a trace that the daemon has. */
export const newestTrace = new Store(0);
/** Counts how often the daemon came back: what is shown may be old then. */
export const returned = new Store(0);

const FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 8000;

let current: AbortController | null = null;
let looked: { chain: string; environment: string } | null = null;

function take(event: string, data: string): void {
    const value: unknown = JSON.parse(data);
    if (event === "chains") chains.set(value as Chain[]);
    else if (event === "graph") graph.set(value as Graph);
    else if (event === "happened") happened.set(value as Happening);
    else if (event === "traces") newestTrace.set((value as { newest: number }).newest);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
}

async function follow(signal: AbortSignal): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
        try {
            const response = await ask(withQuery("/api/v1/live", { ...looked }), { signal });
            if (connection.value === "lost") returned.set(returned.value + 1);
            connection.set("live");
            pauseMs = FIRST_PAUSE_MS;
            for await (const { event, data } of eventsOf(response.body!)) {
                if (signal.aborted) return;
                take(event, data);
            }
        } catch (error) {
            if (signal.aborted) return;
            const http = error instanceof Failure ? error.http : 0;
            if (http === 401 || http === 403) {
                connection.set("refused");
                await refreshSession();
                return;
            }
            if (http === 404 && looked) {
                /* The chain is gone; all the others are not. */
                looked = null;
                graph.set(null);
                continue;
            }
        }
        if (signal.aborted) return;
        connection.set("lost");
        await pause(pauseMs, signal);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
        await refreshSession();
    }
}

/** Connects anew: as who is signed in now. */
export function reconnect(): void {
    current?.abort();
    current = new AbortController();
    void follow(current.signal);
}

/** Follows that chain's graph from now on; null: none. */
export function lookAt(chain: string | null, environment: string | null): void {
    const next = chain && environment ? { chain, environment } : null;
    if (next?.chain === looked?.chain && next?.environment === looked?.environment) return;
    looked = next;
    graph.set(null);
    reconnect();
}
