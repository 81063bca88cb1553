import { direction } from "./data.js";

// What the page says of a node: numbers as people read them, sentences, and the table beside the image.

/** About three digits. */
export function short(value) {
  if (Number.isInteger(value)) return `${value}`;
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}

/** A share: 12%, 1.2%, 0.7%; weights are stored to within about 5% of themselves. */
const percent = share => share < 0.0005 ? "under 0.1%" : `${(100 * share).toFixed(share < 0.0195 ? 1 : 0)}%`;

const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** "a", "a and b", "a, b and c". */
const listed = parts => parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;

const sum = numbers => numbers.reduce((total, number) => total + number, 0);

/** How many of the largest numbers make half of their sum. */
function countOfHalf(numbers) {
  const order = numbers.toSorted((a, b) => b - a), half = sum(order) / 2;
  let total = 0, taken = 0;
  while (total < half) total += order[taken++];
  return taken;
}

const KINDS = { local: "nearby", mesh: "on the mesh" };

const kindWords = kind => KINDS[kind] ?? `in the graph “${kind}”`;

/** Where the node is. */
function placeWords({ block, node, left, top, side }) {
  const square = `${side} × ${side} pixels at x ${left}, y ${top}`;
  return block ? `Node ${node.row}, ${node.column}: ${square}` : square;
}

/** How many nodes it reads from, and why so many; or how many read it. */
function degreeWords({ groups, data, complexity, direction, node }) {
  if (!groups.length) return "This model builds no graph.";
  const [first, ...others] = groups.map(({ kind, neighbours }) => [neighbours.length, kindWords(kind)]);
  const counts = [`${count(first[0], "node")} ${first[1]}`, ...others.map(other => other.join(" "))];
  if (direction === "readers") {
    const rank = Math.round(100 * data.outDegree.shareBelow(data.outDegree.at(node.row, node.column)));
    return `It is read by ${listed(counts)}. Its out-degree is above that of ${rank}% of the nodes.`;
  }
  const isolated = groups.filter(group => group.isolated).map(({ kind }) => kindWords(kind));
  const rank = Math.round(100 * data.complexity.shareBelow(complexity));
  return `It reads from ${listed(counts)}. Its complexity, ${short(complexity)}, is above that of ${rank}% of the nodes.`
    + (isolated.length ? ` No node ${listed(isolated)} is enough like it, so it reads all its candidates there.` : "");
}

/** Where the attention goes, or where it comes from. */
function attentionWords({ groups, place, direction: view }) {
  const told = groups.filter(group => group.weighted && group.shown && group.neighbours.some(({ distance }) => distance > 0));
  const parts = told.map(({ kind, neighbours }) => {
    const self = neighbours.find(neighbour => neighbour.distance === 0);
    const first = strongestOf(neighbours.filter(neighbour => neighbour !== self));
    const where = `the node ${Math.round(first.distance)} pixels ${direction(place, first)} (${percent(first.weight)})`;
    if (view === "readers") return `${kindWords(kind)} ${where} gives it the largest share of its attention`;
    return `${kindWords(kind)} it gives ${self ? `${percent(self.weight)} of its attention to itself, then most ` : "most "}to ${where}`;
  });
  return capital(parts.join("; "));
}

const capital = text => text && `${text[0].toUpperCase()}${text.slice(1)}.`;

const strongestOf = neighbours =>
  neighbours.reduce((best, neighbour) => neighbour.weight > best.weight ? neighbour : best);

/** What the place costs. */
const codingWords = ({ bits, error }) =>
  `The image takes ${short(bits)} bits per pixel here and is off by ${short(error)} levels of 255.`;

/** All of it but the place. */
const sentences = look => [degreeWords(look), attentionWords(look), codingWords(look)].filter(Boolean);

/** All of it, to be spoken. */
export const spokenWords = look => [`${placeWords(look)}.`, ...sentences(look)].join(" ");

// The text beside the image: sentences, a table, and all neighbours on demand.
export class Readout {
  constructor(element) {
    this.element = element;
    this.list = element.querySelector("details");
    this.list.addEventListener("toggle", () => this.listNeighbours());
  }

  show(look) {
    this.look = look;
    const part = name => this.element.querySelector(name);
    part(".place").textContent = placeWords(look);
    part(".sentences").innerHTML = sentences(look).map(sentence => `<p>${sentence}</p>`).join("");
    part(".numbers").innerHTML = look.groups.length ? tableOf(look.groups, look.direction === "readers" ? OF_READERS : OF_READS) : "";
    part(".whole").innerHTML = look.groups.length ? `<caption>All nodes of the block</caption>${tableOf(look.groups, OF_ALL)}` : "";
    this.list.querySelector("summary").textContent = look.direction === "readers" ? "All readers" : "All neighbours";
    this.list.hidden = !look.groups.length;
    this.listNeighbours();
  }

  listNeighbours() {
    if (!this.list.open || !this.look) return;
    const all = this.look.groups.flatMap(({ kind, neighbours }) => neighbours.map(neighbour => ({ kind, ...neighbour })));
    const rows = all.sort((a, b) => b.weight - a.weight || a.row - b.row || a.column - b.column).map(rowOf);
    this.list.querySelector("tbody").innerHTML = rows.join("");
  }
}

// The columns of the tables: title and value of a graph.
const MUTUAL = ["Mutual", ({ neighbours }) => neighbours.filter(({ mutual, distance }) => mutual && distance > 0).length];
const BEYOND = ["Beyond the image", ({ neighbours }) => neighbours.filter(({ inImage }) => !inImage).length];
const STRONGEST = ["Strongest", ({ neighbours, weighted }) => weighted && neighbours.length ? percent(strongestOf(neighbours).weight) : "–"];
const DISTANCE = ["Mean distance", ({ neighbours, weighted }) => weighted && neighbours.length ? `${Math.round(meanDistance(neighbours))} px` : "–"];
const HALF = ["Half of the attention", ({ neighbours, weighted }) =>
  weighted ? count(countOfHalf(neighbours.map(({ weight }) => weight)), "node") : "–"];
const number = ({ neighbours }) => neighbours.length;
const OF_READS = [["Neighbours", number], ["Budget", ({ target }) => target.toFixed(1)], MUTUAL, BEYOND, STRONGEST, HALF, DISTANCE];
const OF_READERS = [["Readers", number], MUTUAL, BEYOND, STRONGEST, DISTANCE];
const OF_ALL = [
  ["Edges", ({ stats }) => stats.edges.toLocaleString("en")],
  ["Mean degree", ({ stats }) => stats.degree.toFixed(1)],
  ["Out-degree", ({ stats }) => stats.outDegree.join(" to ")],
  ["Reciprocity", ({ stats }) => percent(stats.reciprocity)],
  ["Components", ({ stats }) => stats.components],
];

function meanDistance(neighbours) {
  const weights = neighbours.map(({ weight }) => weight);
  return sum(neighbours.map(neighbour => neighbour.weight * neighbour.distance)) / sum(weights);
}

function tableOf(groups, columns) {
  const heads = columns.map(([title]) => `<th scope="col">${title}</th>`).join("");
  const lines = groups.map(group => `<tr><th scope="row"><span class="key ${group.kind}">${group.kind}</span></th>`
    + `${columns.map(([title, value]) => `<td data-title="${title}">${value(group)}</td>`).join("")}</tr>`).join("");
  return `<thead><tr><td></td>${heads}</tr></thead><tbody>${lines}</tbody>`;
}

const rowOf = ({ kind, row, column, distance, onMap, inImage, mutual, weight }) =>
  `<tr><td><span class="key ${kind}">${kind}</span></td><td>${row}</td><td>${column}</td><td>${Math.round(distance)} px</td>`
  + `<td>${weight === null ? "–" : `<data value="${weight}">${percent(weight)}</data>`}</td><td>${[mutual && distance > 0 ? "mutual" : "", inImage ? "" : onMap ? "padding" : "off the map"].filter(Boolean).join(", ")}</td></tr>`;
