/* Where the boxes of a graph are, and what the arrows between them run through. Computed beside the page's thread:
 * hundreds of boxes take longer than a frame. */

export const BOX = { width: 196, height: 86 };

export interface Shape {
    boxes: string[];
    arrows: { from: string; to: string }[];
}

export interface Placed {
    width: number;
    height: number;
    boxes: Record<string, { x: number; y: number }>;
    arrows: { from: string; to: string; points: { x: number; y: number }[] }[];
}

let worker: Worker | null = null;
let asked = 0;
const waiting = new Map<number, (placed: Placed) => void>();

export function place(shape: Shape): Promise<Placed> {
    if (!worker) {
        worker = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
        worker.onmessage = ({ data }: MessageEvent<{ id: number; placed: Placed }>) => {
            waiting.get(data.id)?.(data.placed);
            waiting.delete(data.id);
        };
    }
    const id = ++asked;
    worker.postMessage({ id, shape });
    return new Promise((resolve) => waiting.set(id, resolve));
}
