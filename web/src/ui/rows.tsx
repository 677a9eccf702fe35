/* A table of any length, of which only the rows in sight are made. Rows have one height, and the same columns. */
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Column<T> {
    name: string;
    /** How wide, as in grid-template-columns. */
    width: string;
    cell: (row: T) => ComponentChildren;
    right?: boolean;
    /** Left out where the page is narrow. */
    wide?: boolean;
}

interface Props<T> {
    label: string;
    rows: T[];
    columns: Column<T>[];
    keyOf: (row: T) => string | number;
    rowHeight?: number;
    /** The end comes near: there may be more. */
    onEnd?: () => void;
    /** Stays at the end as rows come. */
    stick?: boolean;
    className?: string;
    rowClass?: (row: T) => string | undefined;
}

const MARGIN_ROWS = 12;

function useNarrow(): boolean {
    const media = useRef(matchMedia("(max-width: 720px)"));
    const [narrow, set] = useState(media.current.matches);
    useEffect(() => {
        const listen = () => set(media.current.matches);
        media.current.addEventListener("change", listen);
        return () => media.current.removeEventListener("change", listen);
    }, []);
    return narrow;
}

export function Rows<T>(props: Props<T>) {
    const { label, rows, keyOf, rowHeight = 34, onEnd, stick, className, rowClass } = props;
    const narrow = useNarrow();
    const columns = props.columns.filter((column) => !narrow || !column.wide);
    const box = useRef<HTMLDivElement>(null);
    const [view, setView] = useState({ from: 0, to: 40 });

    function look() {
        if (!box.current) return; /* an observer's last word */
        const { scrollTop, clientHeight } = box.current;
        const first = Math.floor(scrollTop / rowHeight);
        const from = Math.max(0, first - MARGIN_ROWS);
        const until = first + Math.ceil(clientHeight / rowHeight) + MARGIN_ROWS;
        setView((old) => old.from === from && old.to === until ? old : { from, to: until });
        if (onEnd && until >= rows.length) onEnd();
    }

    useLayoutEffect(look, [rows.length, rowHeight]);
    useEffect(() => {
        const observer = new ResizeObserver(look);
        observer.observe(box.current!);
        return () => observer.disconnect();
    }, [rows.length]);
    useLayoutEffect(() => {
        if (stick) box.current!.scrollTop = box.current!.scrollHeight;
    }, [stick, rows.length]);

    const template = columns.map((column) => column.width).join(" ");
    const side = (column: Column<T>) => column.right ? "right" : undefined;
    return (
        <div class={`rows ${className ?? ""}`} role="table" aria-label={label} aria-rowcount={rows.length + 1}>
            <div role="rowgroup">
                <div class="row head" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
                    {columns.map((column) => (
                        <span key={column.name} role="columnheader" class={side(column)}>{column.name}</span>
                    ))}
                </div>
            </div>
            <div class="scroll" role="rowgroup" ref={box} onScroll={look} tabIndex={0}
                aria-label={`${label}, rows`}>
                <div class="tall" role="presentation" style={{ height: `${rows.length * rowHeight}px` }}>
                    {rows.slice(view.from, view.to).map((row, i) => (
                        <div key={keyOf(row)} class={`row ${rowClass?.(row) ?? ""}`} role="row"
                            aria-rowindex={view.from + i + 2}
                            style={{
                                gridTemplateColumns: template, height: `${rowHeight}px`,
                                transform: `translateY(${(view.from + i) * rowHeight}px)`,
                            }}>
                            {columns.map((column) => (
                                <span key={column.name} role="cell" class={side(column)}>{column.cell(row)}</span>
                            ))}
                        </div>
                    ))}
                </div>
            </div>
        </div>
    );
}
