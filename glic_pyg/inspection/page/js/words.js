import { direction } from "./geometry.js";
import { count, listed, percent, short } from "./numbers.js";

// A look in words.

const KINDS = { local: "nearby", mesh: "on the mesh" };

export const kindWords = kind => KINDS[kind] ?? `in the graph “${kind}”`;

/** Where the node is. */
export function placeWords({ block, node, left, top, side }) {
  const square = `${side} × ${side} pixels at x ${left}, y ${top}`;
  return block ? `Node ${node.row}, ${node.column}: ${square}` : square;
}

/** How many it reads from, and why so many. */
export function degreeWords({ groups, data, complexity }) {
  if (!groups.length) return "This model builds no graph.";
  const [first, ...others] = groups.map(({ kind, neighbours }) => [neighbours.length, kindWords(kind)]);
  const counts = [`${count(first[0], "node")} ${first[1]}`, ...others.map(other => other.join(" "))];
  const lonely = groups.filter(group => group.lonely).map(({ kind }) => kindWords(kind));
  const rank = Math.round(100 * data.complexity.shareBelow(complexity));
  return `It reads from ${listed(counts)}. Its complexity, ${short(complexity)}, is above that of ${rank}% of the nodes.`
    + (lonely.length ? ` No node ${listed(lonely)} is enough like it, so it reads all its candidates there.` : "");
}

/** Where the attention goes. */
export function attentionWords({ groups, place }) {
  const parts = groups.filter(group => group.weighted && group.shown && group.neighbours.length > 1).map(({ kind, neighbours }) => {
    const self = neighbours.find(neighbour => neighbour.distance === 0);
    const first = strongestOf(neighbours.filter(neighbour => neighbour !== self));
    const where = `the node ${Math.round(first.distance)} pixels ${direction(place, first)} (${percent(first.weight)})`;
    return `${kindWords(kind)} it gives ${self ? `${percent(self.weight)} of its attention to itself, then most ` : "most "}to ${where}`;
  });
  return capital(parts.join("; "));
}

const capital = text => text && `${text[0].toUpperCase()}${text.slice(1)}.`;

export const strongestOf = neighbours =>
  neighbours.reduce((best, neighbour) => neighbour.weight > best.weight ? neighbour : best);

/** What the place costs. */
export const codingWords = ({ bits, error }) =>
  `The picture takes ${short(bits)} bits a pixel here and is off by ${short(error)} levels of 255.`;

/** All of it but the place. */
export const sentences = look => [degreeWords(look), attentionWords(look), codingWords(look)].filter(Boolean);

/** All of it, to be spoken. */
export const spokenWords = look => [`${placeWords(look)}.`, ...sentences(look)].join(" ");
