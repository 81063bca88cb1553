import { Choices, wireArrows, wireControls, wireLetters } from "./controls.js";
import { PanelData } from "./data.js";
import { Figure } from "./figure.js";
import { spokenWords } from "./words.js";

const SILENCE = 400; // milliseconds after the last change until it is spoken

const data = JSON.parse(document.getElementById("data").textContent);
const panels = data.panels.map(header => new PanelData(header, data));
const [first] = panels, start = { u: first.start[0] / first.width, v: first.start[1] / first.height };
const blocks = panels.flatMap(panel => panel.blocks);
const choices = new Choices({
  block: blocks.find(({ stride }) => stride === 8) ?? blocks[0], layer: "all", head: "all",
  kinds: new Set(blocks.flatMap(block => Object.keys(block.graphs))),
  overlay: "none", direction: "reads", image: "original", place: start, held: false,
});

const figures = panels.map((panel, i) => new Figure(panel, i + 1, choices));
document.getElementById("panels").dataset.count = panels.length;
document.getElementById("panels").append(...figures.map(figure => figure.element));
wireControls(panels, choices);
wireLetters();
wireArrows(figures, choices, start);
figures.forEach(wirePointer);
explainRounding();
choices.listen(update);
update("controls");

async function update(source) {
  document.body.classList.toggle("held", choices.held);
  await Promise.all(figures.map(figure => figure.update(panels)));
  if (source !== "pointer") speakSoon();
}

/** The node follows the mouse until a click holds it; a finger chooses with a tap. */
function wirePointer({ view }) {
  const placeOf = ({ clientX, clientY }) => {
    const box = view.getBoundingClientRect(), share = (at, from, length) => Math.min(1, Math.max(0, (at - from) / length));
    return { u: share(clientX, box.left, box.width), v: share(clientY, box.top, box.height) };
  };
  view.addEventListener("pointermove", event => {
    if (event.pointerType === "mouse" && !choices.held) choices.change({ place: placeOf(event) }, "pointer");
  });
  view.addEventListener("click", event => {
    const mouse = event.pointerType === "mouse";
    choices.change({ place: placeOf(event), held: mouse && !choices.held }, mouse ? "pointer" : "tap");
  });
}

let waiting;

function speakSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const said = figures.filter(figure => figure.look).map(({ panel, look }) => (figures.length > 1 ? `${panel.name}: ` : "") + spokenWords(look));
    document.getElementById("spoken").textContent = said.join(" ");
  }, SILENCE);
}

function explainRounding() {
  const pitches = [...new Set(panels.map(({ pitch }) => pitch))].join(" or ");
  document.getElementById("rounding").textContent = `So that the page stays small, neighbours are kept for one node in every ${pitches} × ${pitches} pixels`
    + ` (for all nodes where these are larger); the nearest one is shown. Its neighbours and readers are exact, their`
    + ` attention is rounded to within about 5% of itself (what is below 1/4096 of the strongest reads as zero); the attention of`
    + ` readers is the mean of all layers and heads. Complexity, bits, error and budgets are rounded to a`
    + ` ${data.mapSteps}th of their range, degrees not at all. The images are WebP of quality 90; error was measured before.`;
}
