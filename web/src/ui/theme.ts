/* Dark, light, or as the system has it. */
import { useEffect, useState } from "preact/hooks";
import { Store } from "../api/store";

export type Theme = "system" | "dark" | "light";
const KEY = "chains.theme";
const order: Theme[] = ["system", "dark", "light"];

/** Counts changes of colours, for what is painted by hand. */
export const repaint = new Store(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => repaint.set(repaint.value + 1));

function stored(): Theme {
    try {
        const theme = localStorage.getItem(KEY) as Theme | null;
        return theme && order.includes(theme) ? theme : "system";
    } catch {
        return "system";
    }
}

export function useTheme(): [Theme, () => void] {
    const [theme, set] = useState(stored);
    useEffect(() => {
        if (theme === "system") delete document.documentElement.dataset.theme;
        else document.documentElement.dataset.theme = theme;
        repaint.set(repaint.value + 1);
    }, [theme]);
    return [theme, () => {
        const next = order[(order.indexOf(theme) + 1) % order.length]!;
        try {
            localStorage.setItem(KEY, next);
        } catch { /* then it lasts as long as the page */ }
        set(next);
    }];
}

/** A colour of the style sheet as a canvas takes it; alpha from 0 to 1. */
export function colour(name: string, alpha = 1): string {
    const probe = document.createElement("span");
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color.replace(/^rgb\((.*)\)$/, (_, parts: string) => `rgba(${parts}, ${alpha})`);
}
