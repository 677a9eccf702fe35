import { graphlib, layout } from "@dagrejs/dagre";
import { BOX, type Placed, type Shape } from "./layout";

const MARGIN = 12;

function place(shape: Shape): Placed {
    const graph = new graphlib.Graph();
    graph.setGraph({ rankdir: "LR", nodesep: 26, ranksep: 128, marginx: MARGIN, marginy: MARGIN });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const name of shape.boxes) graph.setNode(name, { ...BOX });
    for (const { from, to } of shape.arrows) graph.setEdge(from, to);
    layout(graph);
    const size = graph.graph() as { width?: number; height?: number };
    const arrows = graph.edges().map((edge) => ({
        from: edge.v, to: edge.w,
        points: (graph.edge(edge) as { points: { x: number; y: number }[] }).points,
    }));
    /* An arrow may run round the boxes, beyond what they take: above and below them. */
    const heights = arrows.flatMap(({ points }) => points.map(({ y }) => y));
    const top = Math.min(0, Math.min(...heights) - MARGIN);
    return {
        width: size.width ?? BOX.width,
        height: Math.max(size.height ?? BOX.height, Math.max(...heights) + MARGIN) - top,
        boxes: Object.fromEntries(graph.nodes().map((name) => {
            const { x, y } = graph.node(name) as { x: number; y: number };
            return [name, { x: x - BOX.width / 2, y: y - BOX.height / 2 - top }];
        })),
        arrows: arrows.map(({ points, ...ends }) => ({ ...ends, points: points.map(({ x, y }) => ({ x, y: y - top })) })),
    };
}

onmessage = ({ data }: MessageEvent<{ id: number; shape: Shape }>) => {
    postMessage({ id: data.id, placed: place(data.shape) });
};
