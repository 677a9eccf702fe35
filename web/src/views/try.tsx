/* A place to try a Chainlet: a form beside its JSON, the answer as it comes, and its trace. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, at, authorization, Failure, failureOf, get, session, storedKey } from "../api/client";
import { parse, write } from "../api/json";
import { useStore } from "../api/store";
import { eventsOf } from "../api/sse";
import type { Chain, Document, ErrorBody, TracePage } from "../api/types";
import { Act, Badge, Copy, Empty, ErrorNote, Field, Text } from "../ui/bits";
import { bytes, duration } from "../ui/format";
import { type Route, setQuery, to } from "../ui/route";
import { useCan, useLoaded, useMayRead } from "../ui/use";
import { Arguments } from "./form";
import { abridged, bytesIn, inputOf, mediaType, outputOf, sampleOf, streamOf } from "./schema";
import * as snippets from "./snippets";
import type { Whole } from "./trace";
import { Waterfall } from "./waterfall";

export function TryView({ chain, route }: { chain: Chain; route: Route }) {
    const can = useCan(chain.name);
    const name = route.query.get("chainlet") ?? chain.entrypoint;
    const inner = name === chain.entrypoint ? null : name;
    const base = at.calls(chain.name, chain.environment, inner);
    const { value, error } = useLoaded(
        async (signal) => ({ base, document: await get<Document>(`${base}/openapi.json`, {}, signal) }), [base, chain.version_id]);
    /* The one before isn't what this form begins with. */
    const document = value?.base === base ? value.document : null;
    return (
        <>
            <div class="filters">
                <Field label="Chainlet">
                    {(id) => (
                        <select id={id} value={name} onChange={(e) => setQuery({
                            chainlet: e.currentTarget.value === chain.entrypoint ? null : e.currentTarget.value })}>
                            {chain.chainlets.map((each) => (
                                <option key={each.name} value={each.name}>
                                    {each.name}{each.entrypoint ? " (entrypoint)" : ""}
                                </option>
                            ))}
                        </select>
                    )}
                </Field>
            </div>
            {inner && !can("admin") && (
                <p class="note">To call a Chainlet that isn't the entrypoint, sign in with the scope admin.</p>
            )}
            {error ? <ErrorNote error={error} /> : !document ? <Empty>Loading…</Empty>
                : <Trial key={base} base={base} document={document} chain={chain} />}
        </>
    );
}

interface Answer {
    requestId: string | null;
    ms: number;
    items: unknown[];
    result?: unknown;
    error?: Error | ErrorBody;
    /** It goes on. */
    open: boolean;
    /** An asynchronous request's id, where one was made. */
    queued?: string;
}

const SHOWN_ITEMS = 200;
/* Items that come at once are shown at once: to show each by itself takes longer than they do. */
const GATHER_MS = 100;

function Trial({ base, document, chain }: { base: string; document: Document; chain: Chain }) {
    const input = inputOf(document) ?? {};
    const [text, setText] = useState(() => write(sampleOf(document, input), 2));
    const [value, setValue] = useState<unknown>(() => parse(text));
    const [bad, setBad] = useState<string | null>(null);
    const [answer, setAnswer] = useState<Answer | null>(null);
    const running = useRef<AbortController | null>(null);
    const item = streamOf(document);
    const { keys_wanted } = useStore(session);
    useEffect(() => () => running.current?.abort(), []);

    function change(next: unknown) {
        setValue(next);
        setText(write(next, 2));
        setBad(null);
    }

    function type(next: string) {
        setText(next);
        try {
            setValue(parse(next));
            setBad(null);
        } catch (error) {
            setBad((error as Error).message);
        }
    }

    /* The text goes out as it is: numbers beyond a double's keep their digits. */
    async function run() {
        running.current?.abort();
        const abort = running.current = new AbortController();
        const began = performance.now();
        const items: unknown[] = [];
        let timer: ReturnType<typeof setTimeout> | undefined;
        const say = (more: Partial<Answer>) => {
            clearTimeout(timer);
            timer = undefined;
            if (running.current === abort)
                setAnswer((old) => ({ requestId: null, open: true, ...old, ...more, items: [...items], ms: performance.now() - began }));
        };
        /* Ours, so that a call that is cancelled before it is answered has a trace, too. */
        const requestId = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
        setAnswer({ requestId, ms: 0, items, open: true });
        try {
            const response = await fetch(`${base}/run_remote`, {
                method: "POST", body: text, signal: abort.signal, cache: "no-store",
                headers: {
                    ...authorization(), "Content-Type": "application/json", "X-Request-Id": requestId,
                    Accept: item ? "text/event-stream" : "application/json",
                },
            });
            if (!response.ok) throw await failureOf(response);
            if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
                say({ result: parse(await response.text()), open: false });
                return;
            }
            for await (const { event, data } of eventsOf(response.body!)) {
                const part = parse(data);
                if (event === "item") items.push(part);
                if (event === "error")
                    say({ error: (part as { error?: ErrorBody }).error ?? part as ErrorBody, open: false });
                else if (event === "result") say({ result: part, open: false });
                else timer ??= setTimeout(() => say({}), GATHER_MS);
            }
            say({ open: false });
        } catch (error) {
            say(abort.signal.aborted
                ? { error: { status: "CANCELLED", message: "you cancelled it" }, open: false }
                : { error: error instanceof Failure ? error : new Failure(0, { status: "UNAVAILABLE", message: "the connection broke" }), open: false });
        }
    }

    async function queue() {
        const began = performance.now();
        try {
            const response = await ask(`${base}/async_run_remote`, {
                method: "POST", headers: { "Content-Type": "application/json" }, body: `{"input": ${text}}`,
            });
            const { request_id } = await response.json() as { request_id: string };
            setAnswer({ requestId: request_id, ms: performance.now() - began, items: [], open: false, queued: request_id });
        } catch (error) {
            setAnswer({ requestId: null, ms: performance.now() - began, items: [], open: false, error: error as Error });
        }
    }

    return (
        <div class="try">
            <form class="side" aria-label="Arguments" onSubmit={(e) => { e.preventDefault(); void run(); }}>
                <Arguments document={document} schema={input} value={value} onChange={change} />
                <div class="buttons">
                    <button type="submit" class="act main" disabled={bad !== null}>Call</button>
                    {!item && <Act onClick={() => { void queue(); }} disabled={bad !== null}>Call asynchronously</Act>}
                    {answer?.open && <Act kind="danger" onClick={() => running.current?.abort()}>Cancel</Act>}
                </div>
            </form>
            <div class="side">
                <Field label="As JSON">
                    {(id) => (
                        <textarea id={id} class="mono json" rows={Math.min(24, 2 + text.split("\n").length)} spellcheck={false}
                            aria-invalid={bad !== null} value={text.length > 200_000 ? `${text.slice(0, 200_000)}…` : text}
                            readOnly={text.length > 200_000} onInput={(e) => type(e.currentTarget.value)} />
                    )}
                </Field>
                {bad && <p class="note bad" role="alert">{bad}</p>}
                <p class="buttons">
                    {(["curl", "c", "python"] as const).map((language) => (
                        <Copy key={language} label={{ curl: "Copy as curl", c: "Copy as C", python: "Copy as Python" }[language]}
                            text={() => snippets[language]({
                                url: `${location.origin}${base}/run_remote`, body: compact(text),
                                key: keys_wanted || base.includes("/chainlets/") || storedKey() !== null, stream: !!item,
                            })} />
                    ))}
                </p>
                {answer && <AnswerView answer={answer} document={document} chain={chain} />}
            </div>
        </div>
    );
}

/** The same JSON on one line. */
function compact(text: string): string {
    try {
        return write(parse(text));
    } catch {
        return text;
    }
}

function AnswerView({ answer, document, chain }: { answer: Answer; document: Document; chain: Chain }) {
    const reads = useMayRead();
    const output = outputOf(document), item = streamOf(document);
    const error = answer.error ?? null;
    const before = Math.max(0, answer.items.length - SHOWN_ITEMS);
    const status = error ? error instanceof Failure ? error.body.status : "status" in error ? error.status : "UNKNOWN"
        : answer.queued ? "QUEUED" : answer.open ? "RUNNING" : "OK";
    return (
        <section class="answer" aria-label="Answer" aria-live="polite" aria-busy={answer.open}>
            <div class="title">
                <h2>Answer</h2>
                <Badge state={status} />
                <span>{duration(answer.ms)}</span>
                <span class="gap" />
                {answer.queued && (
                    <a class="act quiet" href={to(["chains", chain.name, chain.environment, "requests"], { request: answer.queued })}>
                        The request
                    </a>
                )}
                {reads && answer.requestId && <a class="act quiet" href={to(["traces", answer.requestId])}>Trace</a>}
            </div>
            <ErrorNote error={error} />
            {answer.items.length > 0 && (
                <>
                    <h3>{answer.items.length} items{before > 0 && <span class="dim">, the last {SHOWN_ITEMS} of them</span>}</h3>
                    <ol class="items" tabIndex={0} aria-label="Items" start={before + 1}>
                        {answer.items.slice(before).map((each, i) => (
                            <li key={before + i}>
                                <code><Text>{write(item ? abridged(document, item, each) : each)}</Text></code>
                                {item && <Media document={document} schema={item} value={each} />}
                            </li>
                        ))}
                    </ol>
                </>
            )}
            {answer.result !== undefined && (
                <>
                    {output && <Media document={document} schema={output} value={answer.result} />}
                    <pre tabIndex={0} aria-label="Result"><Text>{shortened(output ? abridged(document, output, answer.result) : answer.result)}</Text></pre>
                </>
            )}
            {reads && !answer.open && !answer.queued && answer.requestId && <Follow id={answer.requestId} />}
        </section>
    );
}

const SHOWN_TEXT = 100_000;

function shortened(value: unknown): string {
    const text = write(value, 2) ?? "null";
    return text.length > SHOWN_TEXT ? `${text.slice(0, SHOWN_TEXT)}\n… ${bytes(text.length - SHOWN_TEXT)} more` : text;
}

/** Bytes of an answer that are sound or pictures are played and shown; others can be saved. */
function Media({ document, schema, value }: { document: Document; schema: object; value: unknown }) {
    const found = useMemo(() => bytesIn(document, schema, value).slice(0, 20).map(({ path, base64 }) => {
        const data = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
        const type = mediaType(data);
        return { path, size: data.length, type, url: URL.createObjectURL(new Blob([data], { type: type ?? "application/octet-stream" })) };
    }), [value]);
    useEffect(() => () => found.forEach(({ url }) => URL.revokeObjectURL(url)), [found]);
    return (
        <>
            {found.map(({ path, size, type, url }) => (
                <figure key={path} class="media">
                    {type?.startsWith("image/") && <img src={url} alt={`Picture ${path || "result"}`} />}
                    {type?.startsWith("audio/") && <audio controls src={url} aria-label={`Sound ${path || "result"}`} />}
                    <figcaption>
                        <code><Text>{path || "result"}</Text></code> {bytes(size)}{" "}
                        <a href={url} download={path || "result"}>Save</a>
                    </figcaption>
                </figure>
            ))}
        </>
    );
}

/* Spans come a moment after the answer, those of what was cancelled when it has noticed. */
const LOOKS = 30, SOON_MS = 250, SOON_LOOKS = 12, LATER_MS = 1000;

/** The trace of the call that was just made, as it grows. */
function Follow({ id }: { id: string }) {
    const [value, set] = useState<Whole | null>(null);
    useEffect(() => {
        const abort = new AbortController();
        const { signal } = abort;
        const look = async () => {
            let known = 1; /* the front door alone is no way */
            for (let i = 0; i < LOOKS && !signal.aborted; i++) {
                /* Looked for in the list, where none is no error. */
                const { traces: [trace] } = await get<TracePage>("/api/v1/traces", { request_id: id, limit: 1 }, signal);
                if (trace && trace.spans > known) {
                    const whole = await get<Whole>(`/api/v1/traces/${encodeURIComponent(trace.trace_id)}`, {}, signal);
                    known = trace.spans;
                    if (!signal.aborted) set(whole);
                }
                await new Promise((resolve) => setTimeout(resolve, i < SOON_LOOKS ? SOON_MS : LATER_MS));
            }
        };
        look().catch(() => { /* without it the answer is still there */ });
        return () => abort.abort();
    }, [id]);
    if (!value) return null;
    return (
        <>
            <h3>Its way</h3>
            <Waterfall spans={value.spans} short />
        </>
    );
}
