import { nearest } from "./data.js";

// Maps that can be laid over the image, in a sequential scale that colour-blind readers see alike
// (cividis, nine of its colours).

const STOPS = [[0, 34, 78], [24, 55, 108], [65, 77, 107], [93, 98, 110], [124, 123, 120],
  [154, 149, 118], [187, 176, 108], [220, 205, 89], [254, 232, 56]];

/** Red, green and blue of a share from 0 to 1. */
function colour(share) {
  const position = Math.min(1, Math.max(0, share)) * (STOPS.length - 1);
  const below = Math.min(STOPS.length - 2, Math.floor(position)), part = position - below;
  return STOPS[below].map((value, i) => value + part * (STOPS[below + 1][i] - value));
}

export const gradient = `linear-gradient(90deg, ${STOPS.map(stop => `rgb(${stop})`).join(", ")})`;

export const OVERLAYS = {
  none: { title: "None" },
  complexity: { title: "Complexity", unit: "", of: "block", words: "shares out the budget: the higher, the more neighbours a node may have" },
  degree: { title: "Degree", unit: "nodes", of: "block", words: "nodes that a node reads, in all graphs of the block" },
  outDegree: { title: "Out-degree", unit: "nodes", of: "block", words: "nodes that read a node, in all graphs of the block" },
  bits: { title: "Bits", unit: "bits per pixel", of: "squares", words: "what 16 × 16 pixels take in the file, as the entropy model estimates it" },
  error: { title: "Error", unit: "levels of 255", of: "squares", words: "root mean square difference of image and decoded image over 4 × 4 pixels" },
  field: { title: "Receptive field", words: "of the latent in the dashed square: the lit pixels move it; faint squares are the others that can be pointed at" },
};

/** The map of a panel under an overlay's name, or none. */
export async function overlayMap(panel, name, block) {
  if (name === "bits" || name === "error") return (await panel.squares)[name === "bits" ? 0 : 1];
  const own = panel.block(block);
  return OVERLAYS[name].of === "block" && own ? (await panel.load(own))[name] : null;
}

/** Limits that leave out the faintest and strongest hundredth, alike for all panels. */
export function limitsOf(maps) {
  const low = Math.min(...maps.map(map => map.quantile(0.01))), high = Math.max(...maps.map(map => map.quantile(0.99)));
  return { low, high: high > low ? high : low + 1 };
}

/** Draw a map, one pixel of the canvas per value. */
export function drawMap(canvas, map, { low, high }) {
  paint(canvas, map.rows, map.columns, map.stride, i => [...colour((map.values[i] - low) / (high - low)), 215]);
}

/** Darken the pixels that do not move a latent. */
export function drawField(canvas, fields, levels, index) {
  const size = fields.rows * fields.columns;
  paint(canvas, fields.rows, fields.columns, fields.side, i => [8, 10, 16, 232 * (1 - levels[index * size + i] / 255)]);
}

/** The centres of the latents whose receptive fields the page holds. */
export const latentsOf = fields => fields.positions.map(([row, column]) => ({ x: (column + 0.5) * 16, y: (row + 0.5) * 16 }));

/** The index of the receptive field nearest to a place. */
export const fieldAt = (fields, place) =>
  nearest(latentsOf(fields).map(({ x, y }) => Math.hypot(x - place.x, y - place.y)), 0);

function paint(canvas, rows, columns, stride, pixel) {
  Object.assign(canvas, { width: columns, height: rows });
  const pen = canvas.getContext("2d"), image = pen.createImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) image.data.set(pixel(i), 4 * i);
  pen.putImageData(image, 0, 0);
  Object.assign(canvas.dataset, { width: columns * stride, height: rows * stride });
}
