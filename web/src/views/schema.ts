/* What the form and the signature know of JSON Schema: as much as Chainlets' documents use. Pure functions. */
import type { Document, Schema } from "../api/types";

/** The schema that is meant, and whether null is allowed beside it. */
export function resolve(document: Document, schema: Schema): { schema: Schema; nullable: boolean } {
    let nullable = false, at = schema;
    for (let i = 0; i < 32; i++) {
        const { description } = at;
        if (at.anyOf) {
            nullable ||= at.anyOf.some((each) => each.type === "null");
            at = { description, ...at.anyOf.find((each) => each.type !== "null") };
        } else if (at.$ref) {
            const name = at.$ref.replace(/^#\/components\/schemas\//, "");
            const found = document.components?.schemas?.[name];
            if (!found) return { schema: {}, nullable };
            at = { ...found, description: description ?? found.description };
        } else {
            break;
        }
    }
    if (Array.isArray(at.type)) {
        nullable ||= at.type.includes("null");
        at = { ...at, type: at.type.find((each) => each !== "null") };
    }
    return { schema: at, nullable };
}

function operation(document: Document) {
    return document.paths["/run_remote"]?.post;
}

export function inputOf(document: Document): Schema | undefined {
    return operation(document)?.requestBody?.content["application/json"]?.schema;
}

export function outputOf(document: Document): Schema | undefined {
    return operation(document)?.responses["200"]?.content?.["application/json"]?.schema;
}

/** The items of its stream; undefined: it has none. */
export function streamOf(document: Document): Schema | undefined {
    return operation(document)?.responses["200"]?.content?.["text/event-stream"]?.["x-item"];
}

/** The type in a few words: "list of text", "phi_message or null". */
export function typeWords(document: Document, schema: Schema): string {
    const name = (schema.$ref ?? schema.anyOf?.find((each) => each.$ref)?.$ref)
        ?.replace(/^#\/components\/schemas\//, "");
    const { schema: meant, nullable } = resolve(document, schema);
    const words = ((): string => {
        if (meant.enum) return meant.enum.filter((each) => each !== null).map((each) => JSON.stringify(each)).join(" | ");
        if (name) return name;
        if (meant.contentEncoding === "base64") return "bytes";
        switch (meant.type) {
        case "array": return `list of ${meant.items ? typeWords(document, meant.items) : "JSON"}`;
        case "object":
            if (meant.properties) return "object";
            return meant.additionalProperties ? `map of ${typeWords(document, meant.additionalProperties)}` : "object";
        case "string": return "text";
        case undefined: return "JSON";
        default: return String(meant.type);
        }
    })();
    const range = meant.minimum !== undefined && meant.maximum !== undefined && Math.abs(meant.maximum) < 1e9
        ? `, ${meant.minimum} to ${meant.maximum}` : "";
    return words + range + (nullable ? " or null" : "");
}

/** A value to begin with: what is required, with its default, or empty. What may be left out is left out. */
export function sampleOf(document: Document, schema: Schema, depth = 0): unknown {
    if (schema.default !== undefined) return schema.default;
    const { schema: meant, nullable } = resolve(document, schema);
    if (meant.default !== undefined) return meant.default;
    if (meant.enum?.length) return meant.enum[0];
    if (nullable || depth > 8) return null;
    switch (meant.type) {
    case "boolean": return false;
    case "integer":
    case "number": return Math.min(Math.max(0, meant.minimum ?? 0), meant.maximum ?? 0) || Math.max(0, meant.minimum ?? 0);
    case "string": return "";
    case "array":
        return Array.from({ length: Math.max(1, Math.min(meant.minItems ?? 1, 16)) },
            () => sampleOf(document, meant.items ?? {}, depth + 1));
    case "object":
        return Object.fromEntries((meant.required ?? []).map(
            (name) => [name, sampleOf(document, meant.properties?.[name] ?? {}, depth + 1)]));
    default: return null;
    }
}

/** How many bytes base64 stands for. */
export function sizeOf(base64: string): number {
    const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
    return Math.max(0, Math.floor(base64.length / 4) * 3 - padding);
}

const SHOWN_BASE64 = 64;

/** The value with what is too long of its bytes left out, to be read by people. */
export function abridged(document: Document, schema: Schema, value: unknown): unknown {
    const { schema: meant } = resolve(document, schema);
    if (typeof value === "string" && meant.contentEncoding === "base64" && value.length > SHOWN_BASE64)
        return `${value.slice(0, SHOWN_BASE64)}… (${sizeOf(value)} bytes)`;
    if (Array.isArray(value)) return value.map((each) => abridged(document, meant.items ?? {}, each));
    if (typeof value === "object" && value !== null)
        return Object.fromEntries(Object.entries(value).map(([name, each]) => [
            name, abridged(document, meant.properties?.[name] ?? meant.additionalProperties ?? {}, each)]));
    return value;
}

/** Bytes of an answer: where they are and what they seem to be. */
export interface Found {
    path: string;
    base64: string;
}

/** All bytes in a value of that schema. */
export function bytesIn(document: Document, schema: Schema, value: unknown, path = ""): Found[] {
    const { schema: meant } = resolve(document, schema);
    if (value === null || value === undefined) return [];
    if (typeof value === "string") return meant.contentEncoding === "base64" ? [{ path, base64: value }] : [];
    if (Array.isArray(value))
        return value.flatMap((each, i) => bytesIn(document, meant.items ?? {}, each, `${path}[${i}]`));
    if (typeof value === "object")
        return Object.entries(value).flatMap(([name, each]) => bytesIn(
            document, meant.properties?.[name] ?? meant.additionalProperties ?? {}, each, path ? `${path}.${name}` : name));
    return [];
}

/** The media type that the first bytes say; null: nothing that can be shown. */
export function mediaType(bytes: Uint8Array): string | null {
    const begins = (text: string, at = 0) =>
        [...text].every((c, i) => bytes[at + i] === c.charCodeAt(0));
    if (begins("\x89PNG")) return "image/png";
    if (begins("\xff\xd8\xff")) return "image/jpeg";
    if (begins("GIF8")) return "image/gif";
    if (begins("RIFF") && begins("WEBP", 8)) return "image/webp";
    if (begins("RIFF") && begins("WAVE", 8)) return "audio/wav";
    if (begins("OggS")) return "audio/ogg";
    if (begins("fLaC")) return "audio/flac";
    if (begins("ID3") || (bytes[0] === 0xff && (bytes[1]! & 0xe6) === 0xe2)) return "audio/mpeg";
    return null;
}
