import { arrayOf } from "./streams.js";

// A map over the photo, one value a square of `stride` pixels.
export class NodeMap {
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
export function sumOf(maps) {
  const sum = new NodeMap({ ...maps[0], low: 0, step: 1 }, maps[0].values);
  for (const map of maps.slice(1)) map.values.forEach((value, i) => { sum.values[i] += value; });
  return sum;
}
