/* Small parts that all views are made of. */
import type { ComponentChildren, TargetedMouseEvent } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Failure } from "../api/client";
import { whole } from "../api/json";
import type { ErrorBody } from "../api/types";
import { age, moment, visible } from "./format";
import { to } from "./route";
import { useNow } from "./use";

const good = ["ready", "ok", "OK", "SUCCEEDED", "DELIVERED"];
const bad = ["failed", "FAILED", "EXPIRED", "lost"];
const busy = ["starting", "trying", "draining", "RUNNING", "QUEUED", "picked_up", "PENDING"];

/** A state, by word and colour. */
export function Badge({ state, label }: { state: string; label?: string }) {
    const kind = good.includes(state) ? "good" : bad.includes(state) ? "bad"
        : busy.includes(state) ? "busy"
        : /^[A-Z_]{2,}$/.test(state) && state !== "CANCELLED" ? "bad"
        : state === "degraded" || state === "backing off" || state === "partial" ? "warn" : "calm";
    /* Statuses of calls are called as in code: FAILED_PRECONDITION. */
    const words = /^[A-Z_]+$/.test(state) ? state : state.replaceAll("_", " ");
    return <span class={`badge ${kind}`}>{label ?? words}</span>;
}

export function Age({ at }: { at: string | null }) {
    const now = useNow();
    return at ? <time dateTime={at} title={moment(at)}>{age(at, now)}</time> : <>–</>;
}

export function Text({ children }: { children: string | null | undefined }) {
    return <>{visible(children ?? "")}</>;
}

/** A failure with its way through the Chainlets. */
export function ErrorNote({ error, title }: { error: Error | ErrorBody | null; title?: string }) {
    if (!error) return null;
    const body: ErrorBody = error instanceof Failure ? error.body
        : error instanceof Error ? { status: "UNKNOWN", message: error.message } : error;
    return (
        <div class="note bad" role="alert">
            <p>
                {title && <strong>{title} </strong>}
                {body.status && <><code>{body.status}</code> </>}<Text>{body.message}</Text>
                {body.path && <> (at <code><Text>{body.path}</Text></code>)</>}
            </p>
            {!!body.trace?.length && (
                <ol class="hops">
                    {body.trace.map((hop, i) => (
                        <li key={i}>
                            <b><Text>{hop.chainlet}</Text></b> <Text>{hop.function}</Text>{" "}
                            {hop.file && <code><Text>{hop.file}</Text>:{hop.line}</code>}{" "}
                            <Text>{hop.message}</Text>
                        </li>
                    ))}
                </ol>
            )}
            {body.request_id && (
                <p class="dim">request <RequestLink id={body.request_id} /></p>
            )}
        </div>
    );
}

export function RequestLink({ id }: { id: string }) {
    return <a class="mono" href={to(["traces", id])} title={`The trace of ${id}`}>{id.slice(0, 12)}</a>;
}

export function Empty({ children }: { children: ComponentChildren }) {
    return <p class="empty">{children}</p>;
}

interface ActProps {
    children: ComponentChildren;
    onClick: () => void;
    kind?: "plain" | "main" | "danger" | "quiet";
    disabled?: boolean;
    label?: string;
    pressed?: boolean;
}

export function Act({ children, onClick, kind = "plain", disabled, label, pressed }: ActProps) {
    return (
        <button type="button" class={`act ${kind}`} onClick={onClick} disabled={disabled}
            aria-label={label} aria-pressed={pressed}>
            {children}
        </button>
    );
}

/** A question over the page. It is modal: the browser keeps the focus in it, and Escape closes it. */
export function Dialog({ title, onClose, children }:
    { title: string; onClose: () => void; children: ComponentChildren }) {
    const dialog = useRef<HTMLDialogElement>(null);
    const id = useId();
    useEffect(() => {
        const before = document.activeElement as HTMLElement | null;
        const element = dialog.current!;
        element.showModal();
        return () => {
            /* As long as it is open nothing outside takes the focus. */
            element.close();
            before?.focus();
        };
    }, []);
    return (
        <dialog ref={dialog} aria-labelledby={id} onClose={onClose}
            onClick={(event: TargetedMouseEvent<HTMLDialogElement>) => {
                if (event.target === dialog.current) dialog.current?.close();
            }}>
            <div class="dialog">
                <h2 id={id}>{title}</h2>
                {children}
            </div>
        </dialog>
    );
}

interface ConfirmProps {
    title: string;
    /** What the button says: a verb. */
    verb: string;
    danger?: boolean;
    /** What has to be typed before. */
    typed?: string;
    children: ComponentChildren;
    act: () => Promise<unknown>;
    onClose: () => void;
}

/** Asks, does it, and shows why it failed. */
export function Confirm({ title, verb, danger, typed, children, act, onClose }: ConfirmProps) {
    const [error, setError] = useState<Error | null>(null);
    const [doing, setDoing] = useState(false);
    const [text, setText] = useState("");
    const id = useId();
    async function go(event: Event) {
        event.preventDefault();
        setDoing(true);
        setError(null);
        try {
            await act();
            onClose();
        } catch (failure) {
            setError(failure as Error);
            setDoing(false);
        }
    }
    return (
        <Dialog title={title} onClose={onClose}>
            <form onSubmit={go}>
                {children}
                {typed && (
                    <p>
                        <label for={id}>Type <code>{typed}</code> to go on</label>
                        <input id={id} value={text} autocomplete="off"
                            onInput={(e) => setText(e.currentTarget.value)} />
                    </p>
                )}
                <ErrorNote error={error} />
                <div class="buttons">
                    <Act onClick={onClose} kind="quiet">Cancel</Act>
                    <button type="submit" class={`act ${danger ? "danger" : "main"}`}
                        disabled={doing || (typed !== undefined && text !== typed)}>
                        {doing ? "Working…" : verb}
                    </button>
                </div>
            </form>
        </Dialog>
    );
}

export function Field({ label, hint, children }:
    { label: string; hint?: string; children: (id: string, hintId?: string) => ComponentChildren }) {
    const id = useId();
    return (
        <div class="field">
            <label for={id}>{label}</label>
            {children(id, hint ? `${id}-hint` : undefined)}
            {hint && <small id={`${id}-hint`}>{hint}</small>}
        </div>
    );
}

interface NumberProps {
    id: string;
    "aria-describedby"?: string;
    min?: number;
    max?: number;
    step?: number | string;
    required?: boolean;
    value: unknown;
    onChange: (value: number | bigint) => void;
}

/** What is typed stays as it is while it means the same: "1." is on its way to 1.05. */
export function NumberInput({ value, onChange, ...rest }: NumberProps) {
    const box = useRef<HTMLInputElement>(null);
    useLayoutEffect(() => {
        const input = box.current!;
        if (whole(input.valueAsNumber, input.value) !== value) input.value = String(value);
    }, [value]);
    return (
        <input {...rest} ref={box} type="number" onInput={(e) => {
            const number = e.currentTarget.valueAsNumber;
            if (!Number.isNaN(number)) onChange(whole(number, e.currentTarget.value));
        }} />
    );
}

interface FilterInputProps {
    id: string;
    type: "search" | "number";
    value: string | null;
    onChange: (value: string) => void;
}

/** Counts when it is left, or by Enter. What is being typed stays, whatever comes live meanwhile. */
export function FilterInput({ id, type, value, onChange }: FilterInputProps) {
    const box = useRef<HTMLInputElement>(null);
    useLayoutEffect(() => { box.current!.value = value ?? ""; }, [value]);
    const props = { ref: box, id, onChange: () => onChange(box.current!.value.trim()) };
    return type === "number" ? <input {...props} type="number" min={0} /> : <input {...props} type="search" />;
}

/** Puts text on the clipboard, and says so. */
export function Copy({ text, label = "Copy" }: { text: () => string; label?: string }) {
    const [done, setDone] = useState<boolean | null>(null);
    useEffect(() => {
        if (done === null) return;
        const timer = setTimeout(() => setDone(null), 2000);
        return () => clearTimeout(timer);
    }, [done]);
    return (
        <Act kind="quiet" onClick={() => {
            const copied = navigator.clipboard?.writeText(text()) ?? Promise.reject(new Error("none"));
            copied.then(() => setDone(true), () => setDone(false));
        }}>
            <span aria-live="polite">{done === null ? label : done ? "Copied" : "Can't copy here"}</span>
        </Act>
    );
}

export interface Tab {
    id: string;
    label: string;
    href: string;
}

/** Places side by side: links, as each has its address. */
export function Tabs({ tabs, current, label }: { tabs: Tab[]; current: string; label: string }) {
    return (
        <nav class="tabs" aria-label={label}>
            {tabs.map((tab) => (
                <a key={tab.id} href={tab.href} aria-current={tab.id === current ? "page" : undefined}>
                    {tab.label}
                </a>
            ))}
        </nav>
    );
}
