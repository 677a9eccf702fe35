/* Where the user is: the fragment of the address, `#/chains/NAME/production?tab=try`. A place is a link that can be
 * shared. */
import { Store, useStore } from "../api/store";

export interface Route {
    path: string[];
    query: URLSearchParams;
}

function read(): Route {
    const [path = "", query = ""] = location.hash.replace(/^#/, "").split("?", 2);
    const decode = (text: string) => {
        try {
            return decodeURIComponent(text);
        } catch {
            return text;
        }
    };
    return { path: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

const route = new Store(read());
addEventListener("hashchange", () => route.set(read()));

export function useRoute(): Route {
    return useStore(route);
}

export type Values = Record<string, string | null | undefined>;

/** A link to a place. Parts are names as they are. */
export function to(parts: string[], query: Values = {}): string {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value) params.set(name, value);
    const text = params.toString();
    return `#/${parts.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

export function go(link: string): void {
    location.hash = link;
}

/** Changes values of the query where the user is, without a step in the history. */
export function setQuery(values: Values): void {
    const { path, query } = read();
    const all: Values = Object.fromEntries(query);
    history.replaceState(null, "", to(path, { ...all, ...values }));
    route.set(read());
}
