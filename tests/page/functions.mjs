/* The page's pure functions: `node --test functions.mjs`. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";

const source = path.join(process.env.CHAINS_SOURCE_DIR, "web/src");
const { build } = createRequire(path.join(process.env.CHAINS_PAGE_MODULES, "x.js"))("esbuild");

const folder = mkdtempSync(path.join(tmpdir(), "chains-page-"));
after(() => rmSync(folder, { recursive: true }));

/** A module of the page, as node can load it. */
async function load(name) {
    const file = path.join(folder, name.replaceAll("/", "-") + ".mjs");
    await build({ entryPoints: [path.join(source, name)], bundle: true, outfile: file, format: "esm",
        nodePaths: [path.join(process.env.CHAINS_PAGE_MODULES, "node_modules")] });
    return import(file);
}

const { age, bytes, duration, rate, share, visible } = await load("ui/format.ts");
const { abridged, bytesIn, mediaType, resolve, sampleOf, sizeOf, typeWords } = await load("views/schema.ts");
const { c, cQuoted, curl, python } = await load("views/snippets.ts");
const { fateOf } = await load("views/fate.ts");
const { eventsOf, linesOf } = await load("api/sse.ts");
const { linesOf: rowsOf, hopsOf, phasesOf, wayOf } = await load("views/spans.ts");

test("numbers as people read them", () => {
    for (const [ms, text] of [[null, "–"], [0, "0.0 µs"], [0.0034, "3.4 µs"], [0.034, "34 µs"], [8.44, "8.4 ms"], [120, "120 ms"],
        [3200, "3.2 s"], [59_999, "60 s"], [126_000, "2.1 min"], [7_200_000, "2.0 h"]])
        assert.equal(duration(ms), text);
    assert.deepEqual([rate(0), rate(0.05), rate(2.5), rate(240), rate(12_345), rate(null)], ["0", "0.05", "2.5", "240", "12.3k", "–"]);
    assert.deepEqual([share(0, 0), share(1, 2), share(1, 10_000), share(null, 1)], ["0 %", "50 %", "<0.1 %", "–"]);
    assert.deepEqual([bytes(0), bytes(1023), bytes(1536), bytes(5 * 2 ** 30)], ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]);
    assert.deepEqual(["12:00:00", "11:59:01", "11:00:00", "00:00:00"].map((at) =>
        age(`2026-01-31T${at}Z`, Date.parse("2026-01-31T12:00:00Z"))), ["0 s", "59 s", "1 h", "12 h"]);
});

test("why a deployment failed", () => {
    assert.deepEqual(fateOf({ version_id: "v2", chainlet: "hand", message: "exit status 1" }),
        { title: "Version v2 failed.", error: { status: "hand", message: "exit status 1" } });
    assert.deepEqual(fateOf({ version_id: "v2", chainlet: null, message: "its ConfigMap was deleted in the cluster" }),
        { title: "Version v2 failed:", error: { status: "", message: "its ConfigMap was deleted in the cluster" } });
});

test("control characters and marks of direction are seen", () => {
    assert.equal(visible("a\u001b[2J\u007f\u202eb\u0085\nc\td"), "a␛[2J␡<U+202E>b<U+0085>\nc\td");
});

const document = {
    info: { title: "x" }, paths: {},
    components: { schemas: {
        turn: { type: "object", description: "A turn.", required: ["text"], properties: {
            text: { type: "string" }, weight: { type: "number", default: 1 }, next: { anyOf: [{ $ref: "#/components/schemas/turn" }, { type: "null" }] } } },
        loop: { $ref: "#/components/schemas/loop" },
    } },
};
const turns = { type: "array", items: { $ref: "#/components/schemas/turn" } };

test("schemas are followed, also where they are circular or lead nowhere", () => {
    assert.deepEqual(resolve(document, { anyOf: [{ type: "integer" }, { type: "null" }] }), { schema: { type: "integer", description: undefined }, nullable: true });
    assert.equal(resolve(document, { type: ["string", "null"] }).nullable, true);
    assert.deepEqual(resolve(document, { $ref: "#/components/schemas/none" }).schema, {});
    assert.doesNotThrow(() => resolve(document, { $ref: "#/components/schemas/loop" }));
    assert.equal(typeWords(document, turns), "list of turn");
    assert.equal(typeWords(document, { type: ["string", "null"], contentEncoding: "base64" }), "bytes or null");
    assert.equal(typeWords(document, { type: "object", additionalProperties: { type: "integer", minimum: 1, maximum: 9 } }), "map of integer, 1 to 9");
    assert.equal(typeWords(document, {}), "JSON");
});

test("a value to begin with has what is required, and defaults", () => {
    assert.deepEqual(sampleOf(document, turns), [{ text: "" }]);
    assert.equal(sampleOf(document, { type: "integer", minimum: 3 }), 3);
    assert.equal(sampleOf(document, { type: "integer", maximum: -2 }), -2);
    assert.equal(sampleOf(document, { type: "integer", default: 7 }), 7);
    assert.equal(sampleOf(document, { type: ["string", "null"] }), null);
    assert.equal(sampleOf(document, { type: "string", enum: ["a", "b"] }), "a");
});

test("bytes are found wherever they are", () => {
    const schema = { type: "object", properties: { pictures: { type: "array", items: { type: "string", contentEncoding: "base64" } },
        byName: { type: "object", additionalProperties: { type: "string", contentEncoding: "base64" } }, text: { type: "string" } } };
    assert.deepEqual(bytesIn(document, schema, { pictures: ["AA==", "AQ=="], byName: { x: "Ag==" }, text: "AA==" }).map(({ path: at }) => at),
        ["pictures[0]", "pictures[1]", "byName.x"]);
    assert.deepEqual(["", "AA==", "AAA=", "AAAA", "AAAAAA=="].map(sizeOf), [0, 1, 2, 3, 4]);
    assert.deepEqual(abridged(document, schema, { pictures: ["AA==", "A".repeat(400)], text: "A".repeat(400) }),
        { pictures: ["AA==", `${"A".repeat(64)}… (300 bytes)`], text: "A".repeat(400) });
    const of = (...values) => mediaType(Uint8Array.from(values.flatMap((v) => typeof v === "string" ? [...v].map((x) => x.charCodeAt(0)) : [v])));
    assert.equal(of(0x89, "PNG"), "image/png");
    assert.equal(of("RIFF", 0, 0, 0, 0, "WAVE"), "audio/wav");
    assert.equal(of("RIFF", 0, 0, 0, 0, "WEBP"), "image/webp");
    assert.equal(of("ID3"), "audio/mpeg");
    assert.equal(of("<svg"), null);
    assert.equal(of(), null);
});

test("what is copied is quoted for where it goes", () => {
    const call = { url: "http://127.0.0.1:1/x", body: "{\"a\":\"it's $HOME\"}", key: true, stream: true };
    assert.match(curl(call), /'\{"a":"it'\\''s \$HOME"\}'/);
    assert.match(curl(call), /"Authorization: Bearer \$CHAINS_KEY"/);
    assert.doesNotMatch(curl({ ...call, key: false }), /KEY/);
    assert.equal(cQuoted("a\"\\\n?é1"), '"a\\"\\\\\\n\\077\\303\\2511"');
    assert.match(c(call), /getenv\("CHAINS_KEY"\)/);
    assert.match(python(call), /text\/event-stream/);
});

function streamOf(...chunks) {
    return new ReadableStream({ start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
    } });
}

test("events come whole, wherever the pieces are cut", async () => {
    const text = ": hello\r\nevent: item\r\ndata: {\"é\": 1}\r\n\r\ndata: a\ndata:b\n\nevent: lost\n\ndata: unfinished";
    const data = new TextEncoder().encode(text);
    for (const size of [1, 2, 3, 7, data.length]) {
        const chunks = [];
        for (let at = 0; at < data.length; at += size) chunks.push(data.slice(at, at + size));
        const events = [];
        for await (const event of eventsOf(streamOf(...chunks))) events.push(event);
        assert.deepEqual(events, [{ event: "item", data: "{\"é\": 1}" }, { event: "message", data: "a\nb" }], `pieces of ${size}`);
    }
    const lines = [];
    for await (const line of linesOf(streamOf(new TextEncoder().encode("a\nb")))) lines.push(line);
    assert.deepEqual(lines, ["a", "b"]);
});

test("what hangs below a closed span is not shown", () => {
    const span = (span_id, depth) => ({ span_id, depth });
    const spans = [span("a", 0), span("b", 1), span("c", 2), span("d", 2), span("e", 1), span("f", 0)];
    const names = (closed) => rowsOf(spans, new Set(closed)).map(({ span: each, inner }) => each.span_id + (inner ? "+" : "")).join(" ");
    assert.equal(names([]), "a+ b+ c d e f");
    assert.equal(names(["b"]), "a+ b+ e f");
    assert.equal(names(["a"]), "a+ f");
    assert.equal(names(["c"]), "a+ b+ c d e f");
    assert.deepEqual(phasesOf({ queue_ms: 1, decode_ms: null, run_ms: 2, encode_ms: 0 }), [{ name: "queue", ms: 1 }, { name: "run", ms: 2 }]);
});

test("a failure's way leads to who raised it", () => {
    const dropped = { status: "INTERNAL", message: "dropped", raised_by: "hand" };
    const span = (chainlet, depth, more = {}) => ({ chainlet, depth, kind: "served", status: "OK", message: null, raised_by: null, ...more });
    const spans = [span("", 0, { kind: "front", status: "INTERNAL" }), span("guide", 1, dropped), span("porter", 3), span("hand", 5),
        span("porter", 3, { status: "INTERNAL", message: "tired", raised_by: "porter" }),
        span("guide", 2, { ...dropped, kind: "made" }), span("porter", 3, dropped), span("hand", 5, dropped), span("singer", 3, dropped)];
    assert.deepEqual(wayOf(spans, dropped).map((each) => each.chainlet), ["guide", "porter", "hand"]);
    assert.deepEqual(wayOf([], dropped), []);
    const told = spans.map((each, i) => ({ ...each, left_at: each.chainlet === "porter" ? null : `${each.chainlet}_run_remote src/${each.chainlet}.c:${i + 1}` }));
    assert.deepEqual(hopsOf(told, { ...dropped, file: "src/hand.c", line: 18 }).map(({ chainlet, function: name, file, line }) => `${chainlet} ${name} ${file}:${line}`),
        ["guide guide_run_remote src/guide.c:2", "porter  :0", "hand hand_run_remote src/hand.c:8", "hand  src/hand.c:18"]);
});

test("arrows stay in the drawing, also those that run round boxes", async () => {
    let placed;
    globalThis.onmessage = null;
    globalThis.postMessage = (answer) => { placed = answer.placed; };
    await load("views/layout.worker.ts");
    const place = (boxes, arrows) => {
        globalThis.onmessage({ data: { id: 1, shape: { boxes, arrows: arrows.map(([from, to]) => ({ from, to })) } } });
        return placed;
    };
    const { height, arrows } = place(["counter", "store", "front", "translator"],
        [["store", "counter"], ["front", "store"], ["front", "translator"], ["front", "counter"]]);
    const heights = arrows.flatMap(({ points }) => points.map(({ y }) => y));
    assert.equal(heights.length > 4 && heights.every((y) => y >= 0 && y <= height), true);
    assert.deepEqual(Object.keys(place(["alone"], []).boxes), ["alone"]);
    assert.equal(place(["alone"], []).height, 86 + 2 * 12);
});
