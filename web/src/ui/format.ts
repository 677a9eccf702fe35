/* Numbers and times as people read them. */

const unknown = "–";

/** 0.034 ms, 8.4 ms, 120 ms, 3.2 s, 2.1 min. */
export function duration(ms: number | null | undefined): string {
    if (ms === null || ms === undefined) return unknown;
    if (ms < 1) return `${(ms * 1000).toFixed(ms < 0.01 ? 1 : 0)} µs`;
    if (ms < 10) return `${ms.toFixed(1)} ms`;
    if (ms < 1000) return `${ms.toFixed(0)} ms`;
    if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
    if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
    return `${(ms / 3_600_000).toFixed(1)} h`;
}

/** Of things a second. */
export function rate(perSecond: number | null | undefined): string {
    if (perSecond === null || perSecond === undefined) return unknown;
    if (perSecond === 0) return "0";
    if (perSecond < 10) return perSecond.toFixed(perSecond < 0.1 ? 2 : 1);
    if (perSecond < 10_000) return perSecond.toFixed(0);
    return `${(perSecond / 1000).toFixed(1)}k`;
}

/** Of 0 to 1. */
export function share(part: number | null, whole: number | null): string {
    if (part === null || whole === null) return unknown;
    if (!whole || !part) return "0 %";
    const percent = 100 * part / whole;
    return percent < 0.1 ? "<0.1 %" : `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

export function bytes(count: number | null | undefined): string {
    if (count === null || count === undefined) return unknown;
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (count >= 1024 && unit < units.length - 1) {
        count /= 1024;
        unit++;
    }
    return `${unit && count < 10 ? count.toFixed(1) : count.toFixed(0)} ${units[unit]}`;
}

/** How long ago: 5 s, 3 min, 2 h, 4 d. */
export function age(at: string | null, now: number): string {
    if (!at) return unknown;
    const seconds = Math.max(0, (now - Date.parse(at)) / 1000);
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86_400)} d`;
}

/** In the user's zone: 2026-01-31 12:00:00.123 */
export function moment(at: string | null): string {
    if (!at) return unknown;
    const date = new Date(at);
    if (Number.isNaN(date.getTime())) return at;
    const two = (n: number) => String(n).padStart(2, "0");
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
        `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.` +
        String(date.getMilliseconds()).padStart(3, "0");
}

export function count(n: number, noun: string): string {
    return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

/** Control characters as what they are called, so that text of others can't hide. */
export function visible(text: string): string {
    return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
        (c) => {
            const code = c.codePointAt(0)!;
            return code < 0x20 ? String.fromCodePoint(0x2400 + code)
                : code === 0x7f ? "␡" : `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
        });
}
