// The data of the page: streams, maps, neighbours, and everything there is to say of one node.

// Streams: base64 in script elements, arrays deflated.

const textOf = id => document.getElementById(id).textContent;
const known = new Map();

/** The address of an image. */
const imageAddress = id => `data:image/webp;base64,${textOf(id)}`;

/** A promise of the array of a stream, little-endian values of a typed array's class. */
function arrayOf(id, Type) {
  if (!known.has(id)) known.set(id, inflate(bytesOf(textOf(id))).then(buffer => new Type(buffer)));
  return known.get(id);
}

function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function inflate(bytes) {
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(inflated).arrayBuffer();
}

// Geometry: between places of an image, (x, y) in pixels, and nodes of a map, (row, column).

/** Index of the number nearest to `wanted` in rising numbers. */
export function nearest(numbers, wanted) {
  let best = 0;
  for (let i = 1; i < numbers.length; i++)
    if (Math.abs(numbers[i] - wanted) < Math.abs(numbers[best] - wanted)) best = i;
  return best;
}

/** The kept node of a block nearest to a place: its row and column, and its index among the kept nodes. */
function keptNodeAt(block, place) {
  const i = nearest(block.rows, place.y / block.stride - 0.5);
  const j = nearest(block.columns, place.x / block.stride - 0.5);
  return { row: block.rows[i], column: block.columns[j], index: i * block.columns.length + j, i, j };
}

/** The centre of a node. */
const centreOf = (node, stride) => ({ x: (node.column + 0.5) * stride, y: (node.row + 0.5) * stride });

/** The place some kept nodes away from the one at a place, at the edge of the image the last one. */
export function placeBeside(block, place, rows, columns) {
  const node = keptNodeAt(block, place);
  const within = (i, numbers) => numbers[Math.min(numbers.length - 1, Math.max(0, i))];
  const beside = { row: within(node.i + rows, block.rows), column: within(node.j + columns, block.columns) };
  return centreOf(beside, block.stride);
}

const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

const WINDS = ["to the right", "to the lower right", "below", "to the lower left",
  "to the left", "to the upper left", "above", "to the upper right"];

/** In words, where b lies as seen from a. */
export function direction(a, b) {
  const eighths = Math.round(Math.atan2(b.y - a.y, b.x - a.x) / (Math.PI / 4));
  return WINDS[(eighths + 8) % 8];
}

// A map over the image, one value per square of `stride` pixels.
class NodeMap {
  constructor({ rows, columns, stride, low, step }, levels) {
    Object.assign(this, { rows, columns, stride });
    this.values = Float32Array.from(levels, level => low + step * level);
  }

  static async load(header, name) {
    return new NodeMap(header, await arrayOf(`${name}-${header.stream}`, Uint16Array));
  }

  at(row, column) {
    return this.values[row * this.columns + column];
  }

  atPlace({ x, y }) {
    const index = (length, position) => Math.min(length - 1, Math.max(0, Math.floor(position / this.stride)));
    return this.at(index(this.rows, y), index(this.columns, x));
  }

  /** Quadratic mean over a square of pixels. */
  rootMeanSquare(left, top, side) {
    const { stride, rows, columns } = this;
    const bottom = Math.min(rows, Math.ceil((top + side) / stride)), right = Math.min(columns, Math.ceil((left + side) / stride));
    let sum = 0, count = 0;
    for (let row = Math.floor(top / stride); row < bottom; row++)
      for (let column = Math.floor(left / stride); column < right; column++, count++) sum += this.at(row, column) ** 2;
    return Math.sqrt(sum / count);
  }

  get sorted() {
    return this.inOrder ??= this.values.slice().sort();
  }

  /** The value that a share of all values lies below. */
  quantile(share) {
    return this.sorted[Math.round(share * (this.sorted.length - 1))];
  }

  /** The share of values below one. */
  shareBelow(value) {
    return this.sorted.findIndex(other => other >= value) / this.sorted.length;
  }
}

/** The sum of maps of one shape. */
function sumOf(maps) {
  const sum = new NodeMap({ ...maps[0], low: 0, step: 1 }, maps[0].values);
  for (const map of maps.slice(1)) map.values.forEach((value, i) => { sum.values[i] += value; });
  return sum;
}

// The nodes that the kept nodes of a graph read, or those that read them: a bit for every crossing of a node's
// rows and columns.
class Neighbours {
  constructor(block, { lines }, rowLines, columnLines, bits) {
    Object.assign(this, { block, lines, rowLines, columnLines, bits });
    this.width = Math.ceil(lines[0] * lines[1] / 8);
    this.starts = this.countEdges();
  }

  static async load(block, header, name) {
    const stream = (number, Type) => arrayOf(`${name}-${number}`, Type);
    return new Neighbours(block, header, await stream(header.rowLines, Int16Array),
      await stream(header.columnLines, Int16Array), await stream(header.bits, Uint8Array));
  }

  /** The number of every node's first edge, and of all edges. */
  countEdges() {
    const starts = new Uint32Array(this.bits.length / this.width + 1);
    for (let i = 0; i < this.bits.length; i++) {
      let byte = this.bits[i], count = 0;
      for (; byte; byte &= byte - 1) count++;
      starts[Math.floor(i / this.width) + 1] += count;
    }
    for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1];
    return starts;
  }

  /** The numbers of a node's first edge and of the one after its last. */
  edges(node) {
    return [this.starts[node.index], this.starts[node.index + 1]];
  }

  /** Rows and columns of a kept node's neighbours in the order of the edges; `onMap` is false for padding nodes. */
  of(node) {
    const [, across] = this.lines, [height, width] = this.block.shape, found = [];
    for (let bit = 0; bit < this.lines[0] * across; bit++) {
      if (!(this.bits[node.index * this.width + (bit >> 3)] & 128 >> (bit & 7))) continue;
      const row = this.rowLines[node.i * this.lines[0] + Math.floor(bit / across)];
      const column = this.columnLines[node.j * across + bit % across];
      const onMap = row >= 0 && column >= 0 && row < height && column < width;
      found.push({ row, column, onMap });
    }
    return found;
  }
}

// What the page holds of one image and model. Data of a block are read when it is first shown.
export class PanelData {
  constructor(header, { levelsPerOctave, topLevel }) {
    Object.assign(this, header, { loaded: new Map() });
    this.shares = Float64Array.from({ length: topLevel + 1 }, (_, level) => level && 2 ** ((level - topLevel) / levelsPerOctave));
  }

  /** The address of the "original" or the "decoded" image. */
  address(image) {
    return imageAddress(`${this.streams}-${this[image]}`);
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
    const map = header => NodeMap.load(header, this.streams), graphs = {};
    for (const [kind, graph] of Object.entries(block.graphs))
      graphs[kind] = {
        kind,
        reads: await Neighbours.load(block, graph.reads, this.streams),
        readers: await Neighbours.load(block, graph.readers, this.streams),
        degree: await map(graph.degree),
        outDegree: await map(graph.outDegree),
        target: await map(graph.target),
        isolated: new Set(graph.isolated),
      };
    const total = name => sumOf(Object.values(graphs).map(graph => graph[name]));
    return { block, graphs, degree: total("degree"), outDegree: total("outDegree"), complexity: await map(block.complexity) };
  }

  /**
   * A node's attention to each of its neighbours in a graph, the mean of the chosen layers and heads; none where the
   * chosen layer attends along another graph.
   */
  async attention(block, graph, node, { layer, head }) {
    const layers = block.layers.filter(each => each.kind === graph.kind && (layer === "all" || each.number === +layer));
    const streams = layers.flatMap(each => head === "all" ? each.heads : each.heads.slice(+head, +head + 1));
    const heads = await Promise.all(streams.map(stream => this.levels(stream, graph.reads.edges(node))));
    const sums = heads.map(weights => weights.reduce((sum, weight) => sum + weight, 0));
    return heads.length ? heads[0].map((_, i) => heads.reduce((sum, weights, h) => sum + weights[i] / sums[h], 0) / heads.length) : null;
  }

  /** The attention to a node of each of its readers in a graph, the mean of all layers and heads. */
  attentionOfReaders(block, graph, node) {
    const { weights } = block.graphs[graph.kind].readers;
    return weights === null ? null : this.levels(weights, graph.readers.edges(node));
  }

  /** The shares that some levels of a stream stand for. */
  async levels(stream, [from, to]) {
    const levels = await arrayOf(`${this.streams}-${stream}`, Uint8Array);
    return Float64Array.from(levels.subarray(from, to), level => this.shares[level]);
  }

  get squares() {
    return this.maps ??= Promise.all(["bits", "error"].map(map => NodeMap.load(this[map], this.streams)));
  }

  get fieldLevels() {
    return arrayOf(`${this.streams}-${this.fields.stream}`, Uint8Array);
  }
}

/** All there is to say of the node at a place; without graphs, of the square of 16 pixels there. */
export async function look(panel, choices) {
  const place = { x: choices.place.u * panel.width, y: choices.place.v * panel.height };
  const [bits, error] = await panel.squares, block = panel.block(choices.block);
  if (!block) return { panel, place, side: 16, groups: [], ...squareAt(place, 16), ...coding(place, 16, bits, error) };
  const data = await panel.load(block), node = keptNodeAt(block, place), centre = centreOf(node, block.stride);
  const groups = await Promise.all(Object.values(data.graphs).map(graph => group(panel, block, graph, node, choices)));
  return {
    panel, place: centre, block, node, data, groups, side: block.stride,
    complexity: data.complexity.at(node.row, node.column), direction: choices.direction,
    ...squareAt(centre, block.stride), ...coding(centre, block.stride, bits, error),
  };
}

const squareAt = ({ x, y }, side) => ({ left: Math.floor(x / side) * side, top: Math.floor(y / side) * side });

function coding(place, side, bits, error) {
  const { left, top } = squareAt(place, side);
  return { bits: bits.atPlace(place), error: error.rootMeanSquare(left, top, side) };
}

/** The neighbours of a node in one graph: those that it reads, or with the direction "readers" those that read it. */
async function group(panel, block, graph, node, choices) {
  const reading = choices.direction === "reads", from = centreOf(node, block.stride);
  const weights = await (reading ? panel.attention(block, graph, node, choices) : panel.attentionOfReaders(block, graph, node));
  const [there, back] = [graph.reads.of(node), graph.readers.of(node)], key = ({ row, column }) => `${row} ${column}`;
  const others = new Set((reading ? back : there).map(key));
  const neighbours = (reading ? there : back).map(({ onMap, ...place }, i) => {
    const centre = centreOf(place, block.stride);
    return {
      ...place, ...centre, onMap, distance: distance(from, centre), mutual: others.has(key(place)),
      inImage: onMap && centre.x < panel.width && centre.y < panel.height,
      weight: weights && weights[i],
    };
  });
  return {
    kind: graph.kind, neighbours, weighted: weights !== null, shown: choices.kinds.has(graph.kind),
    target: graph.target.values[node.index], isolated: graph.isolated.has(node.index), stats: block.graphs[graph.kind].stats,
  };
}
