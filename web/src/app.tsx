/* The frame round all views: where one can go, whether the daemon is there, who is signed in. */
import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { asked, session, signOut, storedKey } from "./api/client";
import { connection, lookAt, reconnect } from "./api/live";
import { useStore } from "./api/store";
import { Act } from "./ui/bits";
import { type Route, to, useRoute } from "./ui/route";
import { SignIn } from "./ui/sign_in";
import { useTheme } from "./ui/theme";
import { useMayList } from "./ui/use";
import { ChainsView } from "./views/chains";

/* Views beside the first are loaded when they are gone to. */
type View = ComponentType<{ route: Route }>;
const views: Record<string, () => Promise<View>> = {
    chains: () => import("./views/chain").then((m) => m.ChainView),
    traces: () => import("./views/traces").then((m) => m.TracesView),
    requests: () => import("./views/requests").then((m) => m.RequestsView),
    events: () => import("./views/events").then((m) => m.EventsView),
    logs: () => import("./views/logs").then((m) => m.LogsView),
    keys: () => import("./views/keys").then((m) => m.KeysView),
};

const places = [
    { id: "", label: "Chains" },
    { id: "traces", label: "Traces" },
    { id: "requests", label: "Requests" },
    { id: "events", label: "Events" },
    { id: "logs", label: "Logs" },
    { id: "keys", label: "Keys" },
];

/* Not offered to who may not look. */
const guarded = ["traces", "events", "logs"];

function useView(name: string): View | null {
    const [loaded, set] = useState<{ name: string; view: View } | null>(null);
    useEffect(() => {
        let current = true;
        views[name]?.().then((view) => { if (current) set({ name, view }); },
            () => { if (current) location.reload(); });
        return () => { current = false; };
    }, [name]);
    return loaded?.name === name ? loaded.view : null;
}

function Later({ name, route }: { name: string; route: Route }) {
    const View = useView(name);
    return View ? <View route={route} /> : <p class="empty" aria-busy="true">Loading…</p>;
}

function Main({ route }: { route: Route }) {
    const [first = ""] = route.path;
    if (!first || (first === "chains" && route.path.length < 2)) return <ChainsView />;
    if (views[first]) return <Later name={first} route={route} />;
    return (
        <>
            <h1 tabIndex={-1}>There is no such page</h1>
            <p><a href={to([])}>All chains</a></p>
        </>
    );
}

function Light() {
    const state = useStore(connection);
    const words = {
        connecting: "Connecting", live: "Live", lost: "The daemon doesn't answer; trying again",
        refused: "Not signed in",
    }[state];
    return <span class={`light ${state}`} role="status"><span class="words">{words}</span></span>;
}

export function App() {
    const route = useRoute();
    const who = useStore(session);
    const lists = useMayList();
    const known = useStore(asked);
    const state = useStore(connection);
    const [signing, setSigning] = useState(false);
    const [theme, nextTheme] = useTheme();
    const main = useRef<HTMLElement>(null);
    const place = route.path.join("/");
    const here = route.path[0] === "chains" ? "" : route.path[0] ?? "";

    useEffect(() => {
        const [first, chain, environment] = route.path;
        lookAt(first === "chains" ? chain ?? null : null, environment ?? "production");
    }, [place]);

    /* A new place is announced, and the keyboard begins there. */
    const before = useRef(place);
    useEffect(() => {
        if (before.current === place) return;
        before.current = place;
        document.title = [...route.path].reverse().concat("Chains").join(" · ");
        if (!main.current?.contains(document.activeElement)) main.current?.focus();
        scrollTo(0, 0);
    }, [place]);

    const shut = known && state === "refused" && !who.scopes.length;
    return (
        <>
            <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current?.focus(); }}>
                Skip to content
            </a>
            <header class="top">
                <a class="brand" href={to([])}>
                    <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
                        <g fill="none" stroke="currentColor" stroke-width="4">
                            <rect x="3" y="10" width="15" height="12" rx="6" />
                            <rect x="14" y="10" width="15" height="12" rx="6" />
                        </g>
                    </svg>
                    Chains
                </a>
                <nav aria-label="Main">
                    {places.filter(({ id }) => id === "requests" ? lists : who.may_read_logs || !guarded.includes(id)).map(({ id, label }) => (
                        <a key={id} href={to(id ? [id] : [])} aria-current={here === id ? "page" : undefined}>
                            {label}
                        </a>
                    ))}
                </nav>
                <div class="side">
                    <Light />
                    <Act kind="quiet" onClick={nextTheme} label={`Colours: ${theme}`}>
                        {theme === "dark" ? "☾" : theme === "light" ? "☀" : "◐"}
                    </Act>
                    {storedKey()
                        ? <Act kind="quiet" onClick={() => { void signOut().then(reconnect); }}>Sign out</Act>
                        : <Act kind="quiet" onClick={() => setSigning(true)}>Sign in</Act>}
                </div>
            </header>
            <main id="main" ref={main} tabIndex={-1}>
                {shut
                    ? <Shut onSignIn={() => setSigning(true)} />
                    : <Main route={route} />}
            </main>
            {signing && <SignIn onClose={() => setSigning(false)} />}
        </>
    );
}

function Shut({ onSignIn }: { onSignIn: () => void }) {
    return (
        <section class="door">
            <h1>Sign in</h1>
            <p>This daemon wants an API key.</p>
            <Act kind="main" onClick={onSignIn}>Sign in with a key</Act>
        </section>
    );
}
