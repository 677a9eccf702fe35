import { graphlib, layout } from "@dagrejs/dagre";
import { BOX, type Placed, type Shape } from "./layout";

function place(shape: Shape): Placed {
    const graph = new graphlib.Graph();
    graph.setGraph({ rankdir: "LR", nodesep: 26, ranksep: 128, marginx: 12, marginy: 12 });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const name of shape.boxes) graph.setNode(name, { ...BOX });
    for (const { from, to } of shape.arrows) graph.setEdge(from, to);
    layout(graph);
    const size = graph.graph() as { width?: number; height?: number };
    return {
        width: size.width ?? BOX.width,
        height: size.height ?? BOX.height,
        boxes: Object.fromEntries(graph.nodes().map((name) => {
            const { x, y } = graph.node(name) as { x: number; y: number };
            return [name, { x: x - BOX.width / 2, y: y - BOX.height / 2 }];
        })),
        arrows: graph.edges().map((edge) => ({
            from: edge.v, to: edge.w,
            points: (graph.edge(edge) as { points: { x: number; y: number }[] }).points,
        })),
    };
}

onmessage = ({ data }: MessageEvent<{ id: number; shape: Shape }>) => {
    postMessage({ id: data.id, placed: place(data.shape) });
};
