/* JSON whose whole numbers keep their digits beyond what a double holds, as bigint, where the browser can do that:
 * elsewhere they are rounded, as JSON.parse does. */

interface Exact {
    parse(text: string, reviver: (key: string, value: unknown, context?: { source?: string }) => unknown): unknown;
    rawJSON?: (text: string) => unknown;
}
const exact = JSON as unknown as Exact;

/** What may be beyond a double is looked at one by one; other text is parsed as fast as ever. */
export function parse(text: string): unknown {
    return exact.rawJSON && /\d{16}/.test(text)
        ? exact.parse(text, (_, value, context) => typeof value === "number" ? whole(value, context?.source ?? "") : value)
        : JSON.parse(text);
}

/** A number, as it was written. */
export function whole(value: number, text: string): number | bigint {
    return exact.rawJSON && !Number.isSafeInteger(value) && /^-?\d+$/.test(text) ? BigInt(text) : value;
}

export function write(value: unknown, indent?: number): string {
    return JSON.stringify(value, (_, each: unknown) => typeof each === "bigint" ? exact.rawJSON!(String(each)) : each, indent);
}
