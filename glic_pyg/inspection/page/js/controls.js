import { placeBeside } from "./data.js";
import { OVERLAYS } from "./overlays.js";

// What is chosen, and the ways to choose: menus and buttons above the images, keys.

// The choices of all panels together; listeners are called after every change.
export class Choices {
  constructor(start) {
    Object.assign(this, start);
    this.listeners = [];
  }

  /** Change some choices. `source` is how: "pointer", "tap", "keys" or "controls". */
  change(some, source) {
    Object.assign(this, some);
    for (const listener of this.listeners) listener(source);
  }

  listen(listener) {
    this.listeners.push(listener);
  }

  toggleKind(kind, source) {
    const kinds = new Set(this.kinds);
    if (!kinds.delete(kind)) kinds.add(kind);
    this.change({ kinds }, source);
  }
}

const TRANSFORMS = { g_a: "Encoder", g_s: "Decoder" };
const $ = id => document.getElementById(id);

const stageOf = block => `${block.transform} ${block.stage}`;
const stageTitle = ({ transform, stage, stride }) => `${TRANSFORMS[transform] ?? transform}, stage ${stage} (${stride} px per node)`;

/** Fill the controls and let them change the choices. */
export function wireControls(panels, choices) {
  const blocks = [...new Map(panels.flatMap(panel => panel.blocks).map(block => [block.name, block])).values()];
  const firstOf = stage => blocks.find(block => stageOf(block) === stage);
  $("graph-choosers").hidden = $("direction").hidden = !blocks.length;
  fill($("stage"), [...new Set(blocks.map(stageOf))].map(stage => [stage, stageTitle(firstOf(stage))]));
  $("stage").onchange = () => choose(choices, firstOf($("stage").value));
  $("block").onchange = () => choose(choices, blocks.find(block => block.name === $("block").value));
  $("layer").onchange = () => choices.change({ layer: $("layer").value }, "controls");
  $("head").onchange = () => choices.change({ head: $("head").value }, "controls");
  segments($("direction"), "radio", [["reads", "reads from"], ["readers", "is read by"]], direction => choices.change({ direction }, "controls"));
  wireOverlays(panels, blocks, choices);
  segments($("image"), "radio", [["original", "Original"], ["decoded", "Decoded"]], image => choices.change({ image }, "controls"));
  const kinds = [...new Set(blocks.flatMap(block => Object.keys(block.graphs)))];
  segments($("kinds"), "checkbox", kinds.map(kind => [kind, kind, `key ${kind}`]), kind => choices.toggleKind(kind, "controls"));
  choices.listen(() => reflect(blocks, choices));
  reflect(blocks, choices);
  $("controls").onsubmit = event => event.preventDefault();
}

/** Choose another block, and the mean of all layers or heads where it lacks the chosen ones. */
function choose(choices, block) {
  const layer = block.layers.some(({ number }) => number === +choices.layer) ? choices.layer : "all";
  const head = block.layers.some(({ heads }) => +choices.head < heads.length) ? choices.head : "all";
  choices.change({ block, layer, head }, "controls");
}

function wireOverlays(panels, blocks, choices) {
  const possible = Object.entries(OVERLAYS).filter(([name, { of }]) =>
    name === "field" ? panels.some(panel => panel.fields) : of !== "block" || blocks.length);
  segments($("overlay"), "radio", possible.map(([name, { title }]) => [name, title]), overlay => choices.change({ overlay }, "controls"));
}

/** Show in the controls what is chosen. */
function reflect(blocks, { block, layer, head, overlay, direction, image, kinds }) {
  if (block) {
    $("stage").value = stageOf(block);
    fill($("block"), blocks.filter(other => stageOf(other) === stageOf(block)).map(({ name }) => [name, name]));
    fill($("layer"), [["all", "mean of all"], ...block.layers.map(({ number, kind }) => [number, `${number + 1} (${kind})`])]);
    const most = Math.max(...block.layers.map(({ heads }) => heads.length), 0);
    fill($("head"), [["all", "mean of all"], ...Array.from({ length: most }, (_, i) => [i, `${i + 1}`])]);
    Object.assign($("block"), { value: block.name });
    const disabled = direction === "readers"; // whose attention is known as the mean of all alone
    Object.assign($("layer"), { value: disabled ? "all" : layer, disabled });
    Object.assign($("head"), { value: disabled ? "all" : head, disabled });
  }
  for (const input of document.querySelectorAll("#controls input"))
    input.checked = input.value === overlay || input.value === direction || input.value === image || kinds.has(input.value);
}

function fill(select, options) {
  if (select.dataset.options === String(options)) return;
  select.dataset.options = options;
  select.replaceChildren(...options.map(([value, title]) => new Option(title, value)));
}

function segments(fieldset, type, options, change) {
  for (const [value, title, style = ""] of options) {
    const label = document.createElement("label"), input = document.createElement("input"), span = document.createElement("span");
    Object.assign(input, { type, value, name: fieldset.id, onchange: () => change(value) });
    Object.assign(span, { textContent: title, className: style });
    label.append(input, span);
    fieldset.append(label);
  }
}

// Keys: arrows and Home on an image, or where nothing has the focus; letters anywhere but in a menu.

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const SELECTS = { s: "stage", b: "block", l: "layer", h: "head" };
const SEGMENTS = { o: "overlay", i: "image", r: "direction" };
const FAR = 8;

/** Move the node with the arrow keys: of the image that has the focus, or of the first one where nothing has it. */
export function wireArrows(figures, choices, start) {
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const focused = figures.find(({ view }) => view === event.target), step = STEPS[event.key];
    if (!focused && event.target !== document.body) return;
    if (step) move((focused ?? figures[0]).panel, choices, step.map(length => length * (event.shiftKey ? FAR : 1)));
    else if (event.key === "Home") choices.change({ place: start }, "keys");
    else if (focused && (event.key === "Enter" || event.key === " ")) choices.change({ held: !choices.held }, "keys");
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

/** Letters step through menus and buttons, digits show and hide graphs. */
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
  if (!select.length || select.disabled) return;
  select.selectedIndex = (select.selectedIndex + by + select.length) % select.length;
  select.dispatchEvent(new Event("change"));
}

function stepSegments(fieldset, by) {
  const inputs = [...fieldset.querySelectorAll("input")], at = inputs.findIndex(input => input.checked);
  inputs[(at + by + inputs.length) % inputs.length].click();
}
