// @ts-check
/** Where the nodes of a flow's graph stand, left to right, and where its connections run. */

// The library's own types need those of another package.
import * as library from '../../vendor/@dagrejs/dagre/dist/dagre.esm.js';
import { HEIGHT, WIDTH } from './sizes.js';

/** @typedef {import('../../client/index.js').Schemas['Node']} FlowNode */
/** @typedef {import('../../client/index.js').Schemas['Connection']} Connection */
/** @typedef {{ node: FlowNode, x: number, y: number }} Placed its middle */
/** @typedef {{ connection: Connection, path: string, label: { x: number, y: number } }} Line */
/** @typedef {{ width: number, height: number, nodes: Placed[], lines: Line[] }} Layout */

const MARGIN = 16;

const dagre = /** @type {any} */ (library).default ?? library;

/**
 * Lays a graph out.
 *
 * @param {FlowNode[]} nodes
 * @param {Connection[]} connections
 * @returns {Layout}
 */
export function layOut(nodes, connections) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'LR', nodesep: 20, ranksep: 56, marginx: MARGIN, marginy: MARGIN });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(nodes.map((node) => node.id));
  for (const node of nodes) graph.setNode(node.id, { width: WIDTH, height: HEIGHT });
  const drawn = connections.filter((each) => known.has(each.sourceNodeId) && known.has(each.targetNodeId));
  drawn.forEach((each, at) => graph.setEdge(each.sourceNodeId, each.targetNodeId, {}, String(at)));
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  /** @param {string} id @returns {{ x: number, y: number }} */
  const place = (id) => graph.node(id);
  return {
    width: Math.max(width, WIDTH + 2 * MARGIN),
    height: Math.max(height, HEIGHT + 2 * MARGIN),
    nodes: nodes.map((node) => ({ node, x: place(node.id).x, y: place(node.id).y })),
    lines: drawn.map((connection) => {
      const from = place(connection.sourceNodeId);
      const to = place(connection.targetNodeId);
      // Those that lead further down leave further down.
      const beside = drawn.filter(({ sourceNodeId }) => sourceNodeId === connection.sourceNodeId);
      const above = beside.filter((other) => place(other.targetNodeId).y < to.y).length;
      const shift = beside.length > 1 ? (above / (beside.length - 1) - 0.5) * 24 : 0;
      const start = { x: from.x + WIDTH / 2, y: from.y + shift };
      const end = { x: to.x - WIDTH / 2, y: to.y };
      return { connection, path: orthogonal(start, end), label: { x: start.x + 6, y: start.y - 5 } };
    }),
  };
}

/**
 * A line of straight pieces with round corners.
 *
 * @param {{ x: number, y: number }} start
 * @param {{ x: number, y: number }} end
 */
export function orthogonal(start, end) {
  const gap = 20;
  if (end.x - start.x >= gap) {
    const middle = Math.max(start.x + gap / 2, end.x - gap);
    return rounded([start, { x: middle, y: start.y }, { x: middle, y: end.y }, end]);
  }
  // Back to where it came from: around below.
  const below = Math.max(start.y, end.y) + HEIGHT;
  return rounded([
    start,
    { x: start.x + gap, y: start.y },
    { x: start.x + gap, y: below },
    { x: end.x - gap, y: below },
    { x: end.x - gap, y: end.y },
    end,
  ]);
}

/** @param {{ x: number, y: number }[]} points */
function rounded(points) {
  const radius = 6;
  let path = `M${points[0]?.x} ${points[0]?.y}`;
  for (let at = 1; at < points.length - 1; at += 1) {
    const [before, here, after] = [points[at - 1], points[at], points[at + 1]];
    if (before === undefined || here === undefined || after === undefined) continue;
    const [first, second] = [toward(here, before, radius), toward(here, after, radius)];
    path += `L${first.x} ${first.y}Q${here.x} ${here.y} ${second.x} ${second.y}`;
  }
  const last = points.at(-1);
  return `${path}L${last?.x} ${last?.y}`;
}

/**
 * @param {{ x: number, y: number }} from
 * @param {{ x: number, y: number }} to
 * @param {number} by
 */
function toward(from, to, by) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.abs(dx) + Math.abs(dy);
  const part = length === 0 ? 0 : Math.min(by, length / 2) / length;
  return { x: from.x + dx * part, y: from.y + dy * part };
}
