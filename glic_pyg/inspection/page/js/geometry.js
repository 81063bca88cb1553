// Between places of a photo, (x, y) in pixels, and nodes of a map, (row, column).

/** Index of the number nearest to `wanted` in rising numbers. */
export function nearest(numbers, wanted) {
  let best = 0;
  for (let i = 1; i < numbers.length; i++)
    if (Math.abs(numbers[i] - wanted) < Math.abs(numbers[best] - wanted)) best = i;
  return best;
}

/** The kept node of a block nearest to a place: its row and column, and its index among the kept ones. */
export function keptNodeAt(block, place) {
  const i = nearest(block.rows, place.y / block.stride - 0.5);
  const j = nearest(block.columns, place.x / block.stride - 0.5);
  return { row: block.rows[i], column: block.columns[j], index: i * block.columns.length + j, i, j };
}

/** The middle of a node. */
export const middleOf = (node, stride) => ({ x: (node.column + 0.5) * stride, y: (node.row + 0.5) * stride });

/** The place some kept nodes away from the one at a place, at the photo's edge the last one. */
export function placeBeside(block, place, rows, columns) {
  const node = keptNodeAt(block, place);
  const within = (i, numbers) => numbers[Math.min(numbers.length - 1, Math.max(0, i))];
  const beside = { row: within(node.i + rows, block.rows), column: within(node.j + columns, block.columns) };
  return middleOf(beside, block.stride);
}

export const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

const WINDS = ["to the right", "to the lower right", "below", "to the lower left",
  "to the left", "to the upper left", "above", "to the upper right"];

/** In words, where b lies as seen from a. */
export function direction(a, b) {
  const eighths = Math.round(Math.atan2(b.y - a.y, b.x - a.x) / (Math.PI / 4));
  return WINDS[(eighths + 8) % 8];
}
