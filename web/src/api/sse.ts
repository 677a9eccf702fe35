/* Streams that the daemon sends, read by fetch(): an EventSource can't send a key. */

export interface ServerEvent {
    event: string;
    data: string;
}

/** Whole lines of a stream of text, without their breaks. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    try {
        for (;;) {
            const { done, value } = await reader.read();
            rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
            const lines = rest.split(/\r\n|\n|\r(?!$)/);
            rest = lines.pop()!;
            yield* lines;
            if (done) break;
        }
        if (rest) yield rest;
    } finally {
        await reader.cancel().catch(() => {});
    }
}

/** The events of a text/event-stream (HTML Living Standard, 9.2). */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
    let event = "", data: string[] = [];
    for await (const line of linesOf(body)) {
        if (line === "") {
            if (data.length) yield { event: event || "message", data: data.join("\n") };
            event = "";
            data = [];
            continue;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") event = value;
        else if (field === "data") data.push(value);
    }
}
