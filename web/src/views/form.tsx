/* A form made from a schema, for one value of it. It edits JSON: what is left out stays left out. */
import { useId, useRef, useState } from "preact/hooks";
import type { Document, Schema } from "../api/types";
import { Act, Text } from "../ui/bits";
import { bytes } from "../ui/format";
import { resolve, sampleOf, sizeOf, typeWords } from "./schema";

interface Props {
    document: Document;
    schema: Schema;
    value: unknown;
    onChange: (value: unknown) => void;
}

interface NamedProps extends Props {
    name: string;
    required: boolean;
    onRemove?: () => void;
}

/** A field with its name, type and comment; one that may be left out can be. */
function Named({ name, required, onRemove, ...props }: NamedProps) {
    const id = useId();
    const { document, schema, value, onChange } = props;
    const { schema: meant, nullable } = resolve(document, schema);
    const out = value === undefined;
    const comment = schema.description ?? meant.description;
    const grouped = !out && value !== null && (meant.type === "object" || meant.type === "array");
    const label = (
        <>
            <span class="key"><Text>{name}</Text></span>{" "}
            <span class="dim small"><Text>{typeWords(document, schema)}</Text></span>
        </>
    );
    const presence = !required && (
        <label class="presence">
            <input type="checkbox" checked={!out}
                onChange={(e) => onChange(e.currentTarget.checked ? sampleOf(document, stripped(schema)) : undefined)} />
            <span class="hidden">{name} is </span>given
            {out && schema.default !== undefined && <span class="dim"> (default <Text>{JSON.stringify(schema.default)}</Text>)</span>}
        </label>
    );
    const nothing = nullable && required && (
        <label class="presence">
            <input type="checkbox" checked={value !== null}
                onChange={(e) => onChange(e.currentTarget.checked ? sampleOf(document, meant) : null)} />
            <span class="hidden">{name} is </span>given
        </label>
    );
    const remove = onRemove && <Act kind="quiet" onClick={onRemove} label={`Remove ${name}`}>✕</Act>;
    /* Where any JSON may stand, null is a value like others. */
    const empty = out || (value === null && meant.type !== undefined);
    const body = empty ? null : <Value {...props} id={id} describedBy={comment ? `${id}-c` : undefined} name={name} />;
    if (grouped)
        return (
            <fieldset class="value">
                <legend>{label} {presence}{nothing}{remove}</legend>
                {comment && <small id={`${id}-c`}><Text>{comment}</Text></small>}
                {body}
            </fieldset>
        );
    return (
        <div class="value">
            <div class="line">
                {body ? <label for={id}>{label}</label> : <span>{label}</span>}
                {presence}{nothing}{remove}
            </div>
            {comment && <small id={`${id}-c`}><Text>{comment}</Text></small>}
            {body}
        </div>
    );
}

/** Without "or null": what is given when something is. */
function stripped(schema: Schema): Schema {
    if (schema.default !== undefined && schema.default !== null) return schema;
    const { default: _, ...rest } = schema;
    if (rest.anyOf) return rest.anyOf.find((each) => each.type !== "null") ?? rest;
    return Array.isArray(rest.type)
        ? { ...rest, type: rest.type.find((each) => each !== "null"), enum: rest.enum?.filter((each) => each !== null) }
        : rest;
}

interface ValueProps extends Props {
    id: string;
    name: string;
    describedBy?: string;
}

function Value(props: ValueProps) {
    const { document, schema, id, describedBy, value, onChange } = props;
    const { schema: meant } = resolve(document, schema);
    const common = { id, "aria-describedby": describedBy };
    if (meant.enum)
        return (
            <select {...common} value={String(value)} onChange={(e) => onChange(e.currentTarget.value)}>
                {meant.enum.filter((each) => each !== null).map((each) => <option key={each} value={each!}>{each}</option>)}
            </select>
        );
    switch (meant.type) {
    case "boolean":
        return (
            <input {...common} type="checkbox" checked={value === true}
                onChange={(e) => onChange(e.currentTarget.checked)} />
        );
    case "integer":
    case "number":
        return (
            <input {...common} type="number" step={meant.type === "integer" ? 1 : "any"} min={meant.minimum}
                max={meant.maximum} value={value as number} required
                onInput={(e) => {
                    const number = e.currentTarget.valueAsNumber;
                    if (!Number.isNaN(number)) onChange(number);
                }} />
        );
    case "string":
        return meant.contentEncoding === "base64" ? <File {...props} schema={meant} /> : (
            <textarea {...common} rows={Math.min(8, 1 + String(value).split("\n").length)} spellcheck={false}
                minLength={meant.minLength} maxLength={meant.maxLength} value={String(value ?? "")}
                onInput={(e) => onChange(e.currentTarget.value)} />
        );
    case "array": return <List {...props} schema={meant} />;
    case "object": return meant.properties ? <Fields {...props} schema={meant} /> : <Entries {...props} schema={meant} />;
    default: return <Json {...props} />;
    }
}

function Fields({ document, schema, value, onChange }: Props) {
    const object = (value ?? {}) as Record<string, unknown>;
    return (
        <>
            {Object.entries(schema.properties ?? {}).map(([name, field]) => (
                <Named key={name} name={name} document={document} schema={field} value={object[name]}
                    required={schema.required?.includes(name) ?? false}
                    onChange={(next) => {
                        const { [name]: _, ...rest } = object;
                        onChange(next === undefined ? rest : { ...object, [name]: next });
                    }} />
            ))}
        </>
    );
}

function List({ document, schema, value, onChange, name }: ValueProps) {
    const list = Array.isArray(value) ? value : [];
    const items = schema.items ?? {};
    /* Items have no names: they keep their place on the page by a number of their own. */
    const keys = useRef<number[]>([]);
    const next = useRef(0);
    while (keys.current.length < list.length) keys.current.push(next.current++);
    keys.current.length = list.length;
    return (
        <>
            {list.map((each: unknown, i) => (
                <Named key={keys.current[i]} name={`${i + 1}`} document={document} schema={items} value={each} required
                    onChange={(item) => onChange(list.map((old: unknown, j) => j === i ? item : old))}
                    onRemove={() => {
                        keys.current.splice(i, 1);
                        onChange(list.filter((_, j) => j !== i));
                    }} />
            ))}
            <Act kind="quiet" onClick={() => onChange([...list, sampleOf(document, items)])}
                disabled={schema.maxItems !== undefined && list.length >= schema.maxItems}
                label={`Add to ${name}`}>
                + Add
            </Act>
        </>
    );
}

function Entries({ document, schema, value, onChange, name }: ValueProps) {
    const map = (value ?? {}) as Record<string, unknown>;
    const [key, setKey] = useState("");
    const of = schema.additionalProperties ?? {};
    return (
        <>
            {Object.entries(map).map(([each, inner]) => (
                <Named key={each} name={each} document={document} schema={of} value={inner} required
                    onChange={(next) => onChange({ ...map, [each]: next })}
                    onRemove={() => {
                        const { [each]: _, ...rest } = map;
                        onChange(rest);
                    }} />
            ))}
            <div class="line">
                <input aria-label={`New key of ${name}`} placeholder="key" value={key}
                    onInput={(e) => setKey(e.currentTarget.value)} />
                <Act kind="quiet" disabled={!key || key in map} label={`Add to ${name}`}
                    onClick={() => {
                        onChange({ ...map, [key]: sampleOf(document, of) });
                        setKey("");
                    }}>
                    + Add
                </Act>
            </div>
        </>
    );
}

/** Bytes: a file, which becomes base64. */
function File({ id, describedBy, value, onChange }: ValueProps) {
    const [name, setName] = useState("");
    const size = sizeOf(String(value ?? ""));
    return (
        <>
            <input id={id} aria-describedby={describedBy} type="file" onChange={async (e) => {
                const file = e.currentTarget.files?.[0];
                if (!file) return;
                setName(file.name);
                onChange(await base64Of(file));
            }} />
            <small>{size ? `${name || "given"}, ${bytes(size)}` : "No bytes."}</small>
        </>
    );
}

export function base64Of(file: Blob): Promise<string> {
    return new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
        reader.onerror = () => reject(reader.error ?? new Error("the file can't be read"));
        reader.readAsDataURL(file);
    });
}

/** Any JSON. */
function Json({ id, describedBy, value, onChange }: ValueProps) {
    const [text, setText] = useState(() => JSON.stringify(value, null, 2));
    const [bad, setBad] = useState<string | null>(null);
    return (
        <>
            <textarea id={id} aria-describedby={describedBy} aria-invalid={bad !== null} class="mono" rows={3}
                spellcheck={false} value={text}
                onInput={(e) => {
                    setText(e.currentTarget.value);
                    try {
                        onChange(JSON.parse(e.currentTarget.value));
                        setBad(null);
                    } catch (error) {
                        setBad((error as Error).message);
                    }
                }} />
            {bad && <small class="bad" role="alert">{bad}</small>}
        </>
    );
}

/** The arguments of a Chainlet. */
export function Arguments(props: Props) {
    const { schema } = resolve(props.document, props.schema);
    return Object.keys(schema.properties ?? {}).length
        ? <Fields {...props} schema={schema} />
        : <p class="dim">It takes nothing.</p>;
}
