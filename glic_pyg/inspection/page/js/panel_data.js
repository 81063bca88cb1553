import { distance, keptNodeAt, middleOf } from "./geometry.js";
import { Neighbours } from "./neighbours.js";
import { NodeMap, sumOf } from "./node_map.js";
import { arrayOf, pictureAddress } from "./streams.js";

// What the page knows of one photo and model. Data of a block are read when it is first shown.
export class PanelData {
  constructor(header, weightSteps) {
    Object.assign(this, header, { name: header.streams, weightSteps, loaded: new Map() });
  }

  address(picture) {
    return pictureAddress(`${this.name}-${this[picture]}`);
  }

  /** The block of this name, or else one of the same stage. */
  block(wanted) {
    return this.blocks.find(block => block.name === wanted?.name)
      ?? this.blocks.find(block => block.transform === wanted?.transform && block.stage === wanted?.stage);
  }

  /** Everything of a block but its attention. */
  load(block) {
    if (!this.loaded.has(block)) this.loaded.set(block, this.read(block));
    return this.loaded.get(block);
  }

  async read(block) {
    const map = header => NodeMap.load(header, this.name), graphs = {};
    for (const [kind, graph] of Object.entries(block.graphs))
      graphs[kind] = {
        kind,
        neighbours: await Neighbours.load(block, graph, this.name),
        degree: await map(graph.degree),
        target: await map(graph.target),
        lonely: new Set(graph.lonely),
      };
    const degree = sumOf(Object.values(graphs).map(graph => graph.degree));
    return { block, graphs, degree, complexity: await map(block.complexity) };
  }

  /** Attention of a kind's layers: those that are chosen, of the chosen heads; none where a layer of another kind is. */
  attention(block, kind, layer, head) {
    const layers = block.layers.filter(each => each.kind === kind && (layer === "all" || each.number === +layer));
    const streams = layers.flatMap(each => head === "all" ? each.heads : each.heads.slice(+head, +head + 1));
    return Promise.all(streams.map(stream => arrayOf(`${this.name}-${stream}`, Uint8Array)));
  }

  get squares() {
    return this.maps ??= Promise.all(["bits", "error"].map(map => NodeMap.load(this[map], this.name)));
  }

  get fieldLevels() {
    return arrayOf(`${this.name}-${this.fields.stream}`, Uint8Array);
  }
}

/** All there is to say of the node at a place; without graphs, of the square of 16 pixels there. */
export async function look(panel, choices) {
  const place = { x: choices.place.u * panel.width, y: choices.place.v * panel.height };
  const [bits, error] = await panel.squares, block = panel.block(choices.block);
  if (!block) return { panel, place, side: 16, groups: [], ...squareAt(place, 16), ...coding(place, 16, bits, error) };
  const data = await panel.load(block), node = keptNodeAt(block, place), middle = middleOf(node, block.stride);
  const groups = await Promise.all(Object.values(data.graphs).map(graph => group(panel, block, graph, node, choices)));
  return {
    panel, place: middle, block, node, data, groups, side: block.stride,
    complexity: data.complexity.at(node.row, node.column),
    ...squareAt(middle, block.stride), ...coding(middle, block.stride, bits, error),
  };
}

const squareAt = ({ x, y }, side) => ({ left: Math.floor(x / side) * side, top: Math.floor(y / side) * side });

function coding(place, side, bits, error) {
  const { left, top } = squareAt(place, side);
  return { bits: bits.atPlace(place), error: error.rootMeanSquare(left, top, side) };
}

async function group(panel, block, graph, node, choices) {
  const arrays = await panel.attention(block, graph.kind, choices.layer, choices.head);
  const scale = 1 / (arrays.length * panel.weightSteps), from = middleOf(node, block.stride);
  const neighbours = graph.neighbours.of(node).map(({ edge, onMap, ...place }) => {
    const middle = middleOf(place, block.stride);
    return {
      ...place, ...middle, onMap, distance: distance(from, middle),
      inPhoto: onMap && middle.x < panel.width && middle.y < panel.height,
      weight: arrays.length ? arrays.reduce((sum, array) => sum + array[edge], 0) * scale : null,
    };
  });
  return {
    kind: graph.kind, neighbours, weighted: arrays.length > 0, shown: choices.kinds.has(graph.kind),
    target: graph.target.values[node.index], lonely: graph.lonely.has(node.index),
  };
}
