import { count, countOfHalf, percent, sum } from "./numbers.js";
import { placeWords, sentences, strongestOf } from "./words.js";

// The numbers of the node beside the photo: sentences, a table, and all neighbours on demand.
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
    part(".numbers").innerHTML = look.groups.length ? tableOf(look) : "";
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

const LINES = [
  ["Neighbours", ({ neighbours }) => neighbours.length],
  ["Budget", ({ target }) => target.toFixed(1)],
  ["Beyond the photo", ({ neighbours }) => neighbours.filter(({ inPhoto }) => !inPhoto).length],
  ["Strongest", ({ neighbours, weighted }) => weighted ? percent(strongestOf(neighbours).weight) : "–"],
  ["Half of the attention", ({ neighbours, weighted }) =>
    weighted ? count(countOfHalf(neighbours.map(({ weight }) => weight)), "node") : "–"],
  ["Mean distance", ({ neighbours, weighted }) => weighted ? `${Math.round(meanDistance(neighbours))} px` : "–"],
];

function meanDistance(neighbours) {
  const weights = neighbours.map(({ weight }) => weight);
  return sum(neighbours.map(neighbour => neighbour.weight * neighbour.distance)) / sum(weights);
}

function tableOf({ groups }) {
  const heads = LINES.map(([title]) => `<th scope="col">${title}</th>`).join("");
  const lines = groups.map(group => `<tr><th scope="row"><span class="key ${group.kind}">${group.kind}</span></th>`
    + `${LINES.map(([title, value]) => `<td data-title="${title}">${value(group)}</td>`).join("")}</tr>`).join("");
  return `<thead><tr><td></td>${heads}</tr></thead><tbody>${lines}</tbody>`;
}

const rowOf = ({ kind, row, column, distance, onMap, inPhoto, weight }) =>
  `<tr><td><span class="key ${kind}">${kind}</span></td><td>${row}</td><td>${column}</td><td>${Math.round(distance)} px</td>`
  + `<td>${weight === null ? "–" : `<data value="${weight}">${percent(weight)}</data>`}</td><td>${inPhoto ? "" : onMap ? "padding" : "off the map"}</td></tr>`;
