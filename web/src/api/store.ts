/* A value that components follow. */
import { useEffect, useState } from "preact/hooks";

export class Store<T> {
    private listeners = new Set<(value: T) => void>();

    constructor(private current: T) {}

    get value(): T {
        return this.current;
    }

    set(value: T): void {
        this.current = value;
        for (const listener of [...this.listeners]) listener(value);
    }

    /** Returns how to stop. */
    follow(listener: (value: T) => void): () => void {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
    }
}

export function useStore<T>(store: Store<T>): T {
    const [value, set] = useState(store.value);
    useEffect(() => {
        set(() => store.value);
        return store.follow((next) => set(() => next));
    }, [store]);
    return value;
}
