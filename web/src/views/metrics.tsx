/* A Chainlet over time. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { at, get } from "../api/client";
import { useStore } from "../api/store";
import type { Box, Chain, Series } from "../api/types";
import { Empty, ErrorNote } from "../ui/bits";
import { duration, rate } from "../ui/format";
import { colour, repaint } from "../ui/theme";
import { useEvery, useLoaded } from "../ui/use";

interface Line {
    column: string;
    label: string;
    colour: string;
    fill?: boolean;
    bars?: boolean;
}

interface Chart {
    title: string;
    lines: Line[];
    show: (value: number) => string;
}

const whole = (value: number) => value.toFixed(value % 1 ? 1 : 0);

const charts: Chart[] = [
    { title: "Calls a second", show: rate, lines: [
        { column: "calls_per_s", label: "calls", colour: "line-1", fill: true },
        { column: "errors_per_s", label: "failed", colour: "line-2" }] },
    { title: "Latency", show: (ms) => duration(ms), lines: [
        { column: "p50_ms", label: "p50", colour: "line-1" },
        { column: "p99_ms", label: "p99", colour: "line-3" },
        { column: "queue_p99_ms", label: "p99 in the queue", colour: "line-2" }] },
    { title: "In flight and waiting", show: whole, lines: [
        { column: "in_flight", label: "in flight", colour: "line-1", fill: true },
        { column: "waiting", label: "waiting", colour: "line-2" }] },
    { title: "Replicas", show: whole, lines: [
        { column: "ready", label: "ready", colour: "line-1", fill: true },
        { column: "wanted", label: "wanted", colour: "line-3" }] },
    { title: "Cold starts", show: whole, lines: [
        { column: "cold_starts", label: "starts", colour: "line-1", bars: true }] },
];

const HEIGHT = 130;

/** 14:05, or 14:05:30, in the user's zone. */
function clockTime(at: number): string {
    return new Date(at * 1000).toTimeString().slice(0, at % 60 ? 8 : 5);
}

function optionsOf(chart: Chart, width: number): uPlot.Options {
    const grid = { stroke: colour("line"), width: 1 };
    const axis = { stroke: colour("dim"), grid, ticks: { stroke: colour("line"), width: 1 }, font: "11px system-ui" };
    return {
        width, height: HEIGHT,
        cursor: { sync: { key: "chainlet" }, points: { size: 6 } },
        legend: { live: true },
        scales: { y: { range: (_, __, most) => [0, most && most > 0 ? most * 1.1 : 1] } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map(clockTime) }, { ...axis, size: 64, values: (_, ticks) => ticks.map(chart.show) }],
        series: [
            { label: "at", value: (_, at: number | null) => at === null ? "–" : clockTime(at) },
            ...chart.lines.map((line) => ({
                label: line.label,
                stroke: colour(line.colour),
                width: 1.5,
                fill: line.fill || line.bars ? colour(line.colour, 0.2) : undefined,
                paths: line.bars ? uPlot.paths.bars!({ size: [0.8, 12] }) : undefined,
                points: { show: false },
                value: (_: uPlot, value: number | null) => value === null ? "–" : chart.show(value),
            })),
        ],
    };
}

function dataOf(chart: Chart, series: Series): uPlot.AlignedData {
    return [series.at, ...chart.lines.map(
        (line) => (series[line.column] as (number | null)[] | undefined) ?? series.at.map(() => null))];
}

/** The latest values in words, for who can't see the line. */
function words(chart: Chart, series: Series): string {
    return chart.lines.map((line) => {
        const values = ((series[line.column] as (number | null)[] | undefined) ?? []).filter((v) => v !== null);
        const last = values.at(-1), most = values.length ? values.reduce((a, b) => Math.max(a, b)) : null;
        return `${line.label} ${last === undefined ? "unknown" : chart.show(last)} now, ` +
            `${most === null ? "unknown" : chart.show(most)} at most`;
    }).join("; ");
}

function Plot({ chart, series }: { chart: Chart; series: Series }) {
    const box = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot | null>(null);
    const painted = useStore(repaint);
    useEffect(() => {
        const width = box.current!.clientWidth;
        plot.current = new uPlot(optionsOf(chart, width), dataOf(chart, series), box.current!);
        const observer = new ResizeObserver(([entry]) => {
            const next = Math.floor(entry!.contentRect.width);
            if (next > 0) plot.current?.setSize({ width: next, height: HEIGHT });
        });
        observer.observe(box.current!);
        return () => {
            observer.disconnect();
            plot.current?.destroy();
        };
    }, [chart, painted]);
    useEffect(() => { plot.current?.setData(dataOf(chart, series)); }, [series]);
    return (
        <figure class="plot">
            <figcaption>{chart.title}</figcaption>
            <div ref={box} role="img" aria-label={`${chart.title}: ${words(chart, series)}`} />
        </figure>
    );
}

const spans = [5, 15, 60];

export function MetricsView({ chain, box }: { chain: Chain; box: Box }) {
    const [minutes, setMinutes] = useState(15);
    const { value, error, reload } = useLoaded((signal) => get<Series>(
        `${at.chainlet(chain.name, chain.environment, box.name)}/metrics`, { minutes }, signal),
    [chain.name, chain.environment, box.name, minutes]);
    useEvery(5000, reload);
    if (error && !value) return <ErrorNote error={error} />;
    if (!value) return <Empty>Loading…</Empty>;
    return (
        <>
            <fieldset class="choice">
                <legend>Last</legend>
                {spans.map((span) => (
                    <label key={span}>
                        <input type="radio" name="span" checked={minutes === span} onChange={() => setMinutes(span)} />
                        {span} min
                    </label>
                ))}
            </fieldset>
            {value.at.length
                ? charts.map((chart) => <Plot key={chart.title} chart={chart} series={value} />)
                : <Empty>Nothing has been measured yet.</Empty>}
        </>
    );
}
