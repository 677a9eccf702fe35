/* Requests to the daemon that the page came from, with the key that the user signed in with. The key is kept for
 * as long as the tab is open, and goes nowhere but into the header. */
import type { ErrorBody, Session } from "./types";
import { Store } from "./store";

const KEY = "chains.key";

const nobody: Session = {
    scopes: [], may_read_logs: false, key_id: null, chain: null, keys_wanted: false, home: null, version: "",
};

/** Who the daemon takes us for. */
export const session = new Store<Session>(nobody);
/** Whether the session has been asked for, so that nobody is shown a door before. */
export const asked = new Store(false);

export class Failure extends Error {
    constructor(readonly http: number, readonly body: ErrorBody) {
        super(body.message);
    }
}

export function storedKey(): string | null {
    try {
        return sessionStorage.getItem(KEY);
    } catch {
        return null;
    }
}

export function authorization(): Record<string, string> {
    const key = storedKey();
    return key ? { Authorization: `Bearer ${key}` } : {};
}

function isError(value: unknown): value is { error: ErrorBody } {
    return typeof value === "object" && value !== null &&
        typeof (value as { error?: { message?: unknown } }).error?.message === "string";
}

/** The failure that an answer says, whatever its body. */
export async function failureOf(response: Response): Promise<Failure> {
    const text = await response.text().catch(() => "");
    try {
        const value: unknown = JSON.parse(text);
        if (isError(value)) return new Failure(response.status, value.error);
    } catch { /* no JSON: said as it is */ }
    return new Failure(response.status, {
        status: "UNKNOWN", message: text.trim().slice(0, 500) || `HTTP status ${response.status}`,
    });
}

export async function ask(path: string, options: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
        response = await fetch(path, {
            ...options, headers: { ...authorization(), ...options.headers }, cache: "no-store",
        });
    } catch (error) {
        if (options.signal?.aborted) throw error;
        throw new Failure(0, { status: "UNAVAILABLE", message: "the daemon can't be reached" });
    }
    if (!response.ok) throw await failureOf(response);
    return response;
}

export type Query = Record<string, string | number | boolean | null | undefined>;

/** Without what is null or empty. */
export function withQuery(path: string, query: Query = {}): string {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(query))
        if (value !== null && value !== undefined && value !== "" && value !== false)
            params.set(name, value === true ? "1" : String(value));
    const text = params.toString();
    return text ? `${path}?${text}` : path;
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    return (await ask(withQuery(path, query), { signal })).json() as Promise<T>;
}

export async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await ask(path, {
        method,
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return (text ? JSON.parse(text) : null) as T;
}

/** Asks who we are; says whether the daemon was reached. */
export async function refreshSession(): Promise<boolean> {
    try {
        session.set(await get<Session>("/api/v1/session"));
        return true;
    } catch (error) {
        if (!(error instanceof Failure) || error.http === 0) return false;
        session.set({ ...nobody, keys_wanted: true });
        return true;
    } finally {
        asked.set(true);
    }
}

/** False: the daemon doesn't know that key. An old one stays then. */
export async function signIn(key: string): Promise<boolean> {
    const before = storedKey();
    sessionStorage.setItem(KEY, key);
    const reached = await refreshSession();
    const { scopes, key_id, home } = session.value;
    if (reached && (key_id || (scopes.includes("admin") && home))) return true;
    if (before) sessionStorage.setItem(KEY, before);
    else sessionStorage.removeItem(KEY);
    await refreshSession();
    return false;
}

export async function signOut(): Promise<void> {
    sessionStorage.removeItem(KEY);
    await refreshSession();
}

/** `chains open` brings the home's token in the fragment: it is kept, and taken out of the address at once.
 * Says whether there was one. */
export function takeTokenFromAddress(): boolean {
    const match = /^#token=([0-9A-Za-z_.-]+)(?:&(.*))?$/.exec(location.hash);
    if (!match) return false;
    try {
        sessionStorage.setItem(KEY, match[1]!);
    } catch { /* without storage one signs in by hand */ }
    history.replaceState(null, "", `${location.pathname}#${match[2] ?? "/"}`);
    return true;
}

/** Paths of the API, with names as they may be in them. */
export const at = {
    chain: (chain: string) => `/api/v1/chains/${encodeURIComponent(chain)}`,
    environment: (chain: string, environment: string) =>
        `${at.chain(chain)}/environments/${encodeURIComponent(environment)}`,
    chainlet: (chain: string, environment: string, chainlet: string) =>
        `${at.environment(chain, environment)}/chainlets/${encodeURIComponent(chainlet)}`,
    /** Where calls go to; chainlet null: the entrypoint. */
    calls: (chain: string, environment: string, chainlet: string | null) =>
        `/chains/${encodeURIComponent(chain)}/${encodeURIComponent(environment)}` +
        (chainlet ? `/chainlets/${encodeURIComponent(chainlet)}` : ""),
};
