import { arrayOf } from "./streams.js";

// The neighbours of the kept nodes of one graph: a bit for every crossing of a node's rows and columns.
export class Neighbours {
  constructor(block, { lines }, rowLines, columnLines, bits) {
    Object.assign(this, { block, lines, rowLines, columnLines, bits });
    this.width = Math.ceil(lines[0] * lines[1] / 8);
    this.starts = this.countEdges();
  }

  static async load(block, graph, name) {
    const stream = (number, Type) => arrayOf(`${name}-${number}`, Type);
    return new Neighbours(block, graph, await stream(graph.rowLines, Int16Array),
      await stream(graph.columnLines, Int16Array), await stream(graph.bits, Uint8Array));
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

  /** Rows, columns and edge numbers of a kept node's neighbours; `onMap` is false for phantoms. */
  of(node) {
    const [, across] = this.lines, [height, width] = this.block.shape, found = [];
    for (let bit = 0; bit < this.lines[0] * across; bit++) {
      if (!(this.bits[node.index * this.width + (bit >> 3)] & 128 >> (bit & 7))) continue;
      const row = this.rowLines[node.i * this.lines[0] + Math.floor(bit / across)];
      const column = this.columnLines[node.j * across + bit % across];
      const onMap = row >= 0 && column >= 0 && row < height && column < width;
      found.push({ row, column, onMap, edge: this.starts[node.index] + found.length });
    }
    return found;
  }
}
