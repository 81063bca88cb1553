import { OVERLAYS } from "./overlays.js";

// The choosers above the photos.

const TRANSFORMS = { g_a: "Encoder", g_s: "Decoder" };
const $ = id => document.getElementById(id);

const stageOf = block => `${block.transform} ${block.stage}`;
const stageTitle = ({ transform, stage, stride }) => `${TRANSFORMS[transform] ?? transform}, stage ${stage} (${stride} px a node)`;

/** Fill the choosers and let them change the choices. */
export function wireControls(panels, choices) {
  const blocks = [...new Map(panels.flatMap(panel => panel.blocks).map(block => [block.name, block])).values()];
  const firstOf = stage => blocks.find(block => stageOf(block) === stage);
  $("graph-choosers").hidden = !blocks.length;
  fill($("stage"), [...new Set(blocks.map(stageOf))].map(stage => [stage, stageTitle(firstOf(stage))]));
  $("stage").onchange = () => choose(choices, firstOf($("stage").value));
  $("block").onchange = () => choose(choices, blocks.find(block => block.name === $("block").value));
  $("layer").onchange = () => choices.change({ layer: $("layer").value }, "controls");
  $("head").onchange = () => choices.change({ head: $("head").value }, "controls");
  wireOverlays(panels, blocks, choices);
  segments($("picture"), "radio", [["photo", "Photo"], ["decoded", "Decoded"]], picture => choices.change({ picture }, "controls"));
  const kinds = [...new Set(blocks.flatMap(block => Object.keys(block.graphs)))];
  segments($("kinds"), "checkbox", kinds.map(kind => [kind, kind, `key ${kind}`]), kind => choices.toggleKind(kind, "controls"));
  choices.listen(() => reflect(blocks, choices));
  reflect(blocks, choices);
  $("controls").onsubmit = event => event.preventDefault();
}

/** Take another block, with the first layer and head where it has not the chosen ones. */
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

/** Show what is chosen, however it was. */
function reflect(blocks, { block, layer, head, overlay, picture, kinds }) {
  if (block) {
    $("stage").value = stageOf(block);
    fill($("block"), blocks.filter(other => stageOf(other) === stageOf(block)).map(({ name }) => [name, name]));
    fill($("layer"), [["all", "mean of all"], ...block.layers.map(({ number, kind }) => [number, `${number + 1} (${kind})`])]);
    const most = Math.max(...block.layers.map(({ heads }) => heads.length), 0);
    fill($("head"), [["all", "mean of all"], ...Array.from({ length: most }, (_, i) => [i, `${i + 1}`])]);
    Object.assign($("block"), { value: block.name });
    Object.assign($("layer"), { value: layer });
    Object.assign($("head"), { value: head });
  }
  for (const input of document.querySelectorAll("#controls input"))
    input.checked = input.value === overlay || input.value === picture || kinds.has(input.value);
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
