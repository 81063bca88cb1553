// A node and its neighbours as SVG, in pixels of the photo. `zoom` is screen pixels a pixel of the photo.

const FAINT = 1.6; // radius of a neighbour without weight, in screen pixels
const LARGEST = { mesh: 9, local: 11 };

/** The markup of everything that a look shows. */
export function marksOf(look, zoom) {
  const others = look.groups.flatMap(({ neighbours }) => neighbours.filter(neighbour => neighbour.distance > 0));
  const strongest = Math.max(...others.map(({ weight }) => weight ?? 0), 1e-9); // the node itself may outweigh all
  const groups = look.groups.filter(group => group.shown).sort((a, b) => (a.kind === "local") - (b.kind === "local"));
  return groups.map(group => groupOf(group, look, strongest, zoom)).join("") + nodeOf(look, zoom);
}

function groupOf(group, look, strongest, zoom) {
  const drawn = group.neighbours.filter(neighbour => neighbour.inPhoto).sort((a, b) => a.weight - b.weight);
  const lines = group.kind === "local" ? "" : drawn.map(end => lineOf(end, look.place, strongest, zoom)).join("");
  const largest = Math.min(LARGEST[group.kind] ?? LARGEST.mesh, Math.max(2.6, look.side * zoom * (group.kind === "local" ? 0.55 : 1)));
  const mark = group.kind === "local" ? disc : diamond;
  const marks = drawn.map(end => {
    const size = end.weight === null ? FAINT : Math.max(FAINT, largest * Math.sqrt(Math.min(1, end.weight / strongest)));
    return mark(end, size / zoom);
  });
  return `<g class="graph ${group.kind}${group.weighted ? "" : " faint"}" stroke-width="${0.8 / zoom}">${lines}${marks.join("")}</g>`;
}

const fixed = number => +number.toFixed(2);

const disc = ({ x, y }, r) => `<circle cx="${x}" cy="${y}" r="${fixed(r)}"/>`;

const diamond = ({ x, y }, r) => `<path class="mark" d="M${x} ${fixed(y - r)}l${fixed(r)} ${fixed(r)}l${fixed(-r)} ${fixed(r)}l${fixed(-r)} ${fixed(-r)}z"/>`;

function lineOf({ x, y, weight }, place, strongest, zoom) {
  const opacity = weight === null ? 0.12 : 0.16 + 0.64 * Math.min(1, weight / strongest);
  return `<line x1="${place.x}" y1="${place.y}" x2="${x}" y2="${y}" stroke-width="${fixed(1.1 / zoom)}" opacity="${fixed(opacity)}"/>`;
}

/** The node itself: its square of pixels, in a ring where that is small. */
function nodeOf({ left, top, side, place }, zoom) {
  const radius = Math.max(8 / zoom, side * 0.9);
  return `<g class="node"><circle class="halo" cx="${place.x}" cy="${place.y}" r="${radius}" stroke-width="${4.5 / zoom}"/>`
    + `<circle cx="${place.x}" cy="${place.y}" r="${radius}" stroke-width="${2 / zoom}"/>`
    + `<rect x="${left}" y="${top}" width="${side}" height="${side}" stroke-width="${1 / zoom}"/></g>`;
}
