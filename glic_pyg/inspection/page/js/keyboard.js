import { placeBeside } from "./geometry.js";

// Keys: arrows on a photo, letters anywhere but in a chooser.

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const SELECTS = { s: "stage", b: "block", l: "layer", h: "head" };
const SEGMENTS = { o: "overlay", p: "picture" };
const FAR = 8;

/** Move the node with the arrow keys while a photo has the focus. */
export function wireArrows(figure, choices, start) {
  const { panel, view } = figure;
  view.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    if (step) move(panel, choices, step.map(length => length * (event.shiftKey ? FAR : 1)));
    else if (event.key === "Enter" || event.key === " ") choices.change({ held: !choices.held }, "keys");
    else if (event.key === "Home") choices.change({ place: start }, "keys");
    else return;
    event.preventDefault();
  });
}

function move(panel, choices, [rows, columns]) {
  const place = { x: choices.place.u * panel.width, y: choices.place.v * panel.height };
  const beside = placeBeside(panel.block(choices.block) ?? squares(panel), place, rows, columns);
  choices.change({ place: { u: beside.x / panel.width, v: beside.y / panel.height } }, "keys");
}

/** Squares of 16 pixels, for a model without nodes. */
function squares({ width, height }) {
  const every = length => Array.from({ length: Math.ceil(length / 16) }, (_, i) => i);
  return { rows: every(height), columns: every(width), stride: 16 };
}

/** Letters step through the choosers, digits show and hide graphs. */
export function wireLetters() {
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
    const key = event.key.toLowerCase(), by = event.shiftKey ? -1 : 1;
    if (SELECTS[key]) stepSelect(document.getElementById(SELECTS[key]), by);
    else if (SEGMENTS[key]) stepSegments(document.getElementById(SEGMENTS[key]), by);
    else if ("12".includes(key)) document.querySelectorAll("#kinds input")[key - 1]?.click();
  });
}

function stepSelect(select, by) {
  if (!select.length) return;
  select.selectedIndex = (select.selectedIndex + by + select.length) % select.length;
  select.dispatchEvent(new Event("change"));
}

function stepSegments(fieldset, by) {
  const inputs = [...fieldset.querySelectorAll("input")], at = inputs.findIndex(input => input.checked);
  inputs[(at + by + inputs.length) % inputs.length].click();
}
