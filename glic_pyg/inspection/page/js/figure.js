import { look } from "./data.js";
import { drawField, drawMap, fieldAt, gradient, latentsOf, limitsOf, OVERLAYS, overlayMap } from "./overlays.js";
import { Readout, short } from "./words.js";

// One image with its marks, overlay, lens and text.

// Marks: a node and its neighbours as SVG, in pixels of the image. `zoom` is screen pixels per pixel of the image.

const FAINT = 1.6; // radius of a neighbour without weight, in screen pixels
const LARGEST = { mesh: 9, local: 11 };

/** The markup of the node and its neighbours. */
function marksOf(look, zoom) {
  const others = look.groups.flatMap(({ neighbours }) => neighbours.filter(neighbour => neighbour.distance > 0));
  const strongest = Math.max(...others.map(({ weight }) => weight ?? 0), 1e-9); // the node itself may outweigh all
  const groups = look.groups.filter(group => group.shown).sort((a, b) => (a.kind === "local") - (b.kind === "local"));
  return groups.map(group => groupOf(group, look, strongest, zoom)).join("") + nodeOf(look, zoom);
}

function groupOf(group, look, strongest, zoom) {
  const drawn = group.neighbours.filter(neighbour => neighbour.inImage).sort((a, b) => a.weight - b.weight);
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

// The surroundings of the node, magnified: an SVG of its own that holds the image once more.
class Lens {
  constructor(element, panel) {
    this.svg = element.querySelector("svg");
    this.caption = element.querySelector("figcaption");
    this.image = this.svg.querySelector("image");
    this.image.setAttribute("width", panel.width);
    this.image.setAttribute("height", panel.height);
    this.marks = this.svg.querySelector("g");
    this.element = element;
  }

  showImage(address) {
    this.image.setAttribute("href", address);
  }

  /** Returns the part of the image that is magnified. */
  show(look) {
    const side = look.side * 19, x = look.place.x - side / 2, y = look.place.y - side / 2;
    this.svg.setAttribute("viewBox", `${x} ${y} ${side} ${side}`);
    const zoom = this.svg.clientWidth / side || 1;
    this.marks.innerHTML = marksOf({ ...look, groups: look.groups.filter(group => group.kind === "local") }, zoom);
    this.caption.textContent = `Around the node: ${side} × ${side} pixels`;
    return { x, y, side };
  }
}

export class Figure {
  constructor(panel, number, choices) {
    Object.assign(this, { panel, choices });
    this.element = document.createElement("section");
    this.element.className = "panel";
    this.element.innerHTML = markup(panel, number);
    this.view = this.element.querySelector(".view");
    this.image = this.view.querySelector("img");
    this.canvas = this.view.querySelector("canvas");
    this.svg = this.view.querySelector("svg");
    this.scale = this.element.querySelector(".scale");
    this.lens = new Lens(this.element.querySelector(".lens"), panel);
    this.readout = new Readout(this.element);
    new ResizeObserver(() => this.drawMarks()).observe(this.view);
  }

  /** Bring everything up to date with the choices. */
  async update(panels) {
    const current = this.latest = {};
    this.element.ariaBusy = "true";
    this.showImage();
    const seen = await look(this.panel, this.choices);
    await this.drawOverlay(panels, seen);
    if (current !== this.latest) return; // overtaken by a later choice
    this.look = seen;
    this.markScale?.(seen.place);
    this.readout.show(seen);
    this.drawMarks();
    this.element.ariaBusy = "false";
  }

  showImage() {
    const { image } = this.choices;
    if (this.shownImage === image) return;
    this.shownImage = image;
    this.image.src = this.panel.address(image);
    this.lens.showImage(this.image.src);
  }

  drawMarks() {
    if (!this.look || !this.view.clientWidth) return;
    const zoom = this.view.clientWidth / this.panel.width, seen = this.lens.show(this.look);
    const frame = `<rect class="frame" x="${seen.x}" y="${seen.y}" width="${seen.side}" height="${seen.side}" stroke-width="${1 / zoom}"/>`;
    this.svg.innerHTML = frame + marksOf(this.look, zoom) + (this.field === null ? "" : latentMarks(this.panel.fields, this.field, zoom));
  }

  async drawOverlay(panels, seen) {
    const { overlay, block } = this.choices;
    this.view.dataset.overlay = overlay;
    this.field = overlay === "field" && this.panel.fields ? fieldAt(this.panel.fields, seen.place) : null;
    const drawn = `${overlay} ${this.field ?? block?.name}`;
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.canvas.hidden = this.scale.hidden = true;
      if (this.field !== null) await this.showField();
      else if (overlay !== "none" && overlay !== "field") await this.showMap(panels, overlay, block);
    }
  }

  async showField() {
    drawField(this.canvas, this.panel.fields, await this.panel.fieldLevels, this.field);
    this.place();
    this.showScale("field", `10<sup>−${this.panel.fields.decades}</sup>`, "1 = strongest square", "linear-gradient(90deg, #222, #fff)");
    this.markScale = null;
  }

  async showMap(panels, overlay, block) {
    const maps = await Promise.all(panels.map(panel => overlayMap(panel, overlay, block)));
    const own = maps[panels.indexOf(this.panel)];
    if (!own) return;
    const limits = limitsOf(maps.filter(Boolean));
    drawMap(this.canvas, own, limits);
    this.place();
    this.showScale(overlay, short(limits.low), `${short(limits.high)} ${OVERLAYS[overlay].unit}`, gradient);
    this.markScale = place => this.scale.querySelector(".tick").style.left = `${100 * shareOf(own.atPlace(place), limits)}%`;
  }

  showScale(overlay, low, high, colours) {
    const { title, words } = OVERLAYS[overlay];
    this.scale.innerHTML = `<span>${title}</span> <span>${low}</span><i style="background: ${colours}"><span class="tick"></span></i><span>${high}</span> <small>${words}</small>`;
    this.scale.hidden = false;
  }

  /** Lay the canvas over the image; at its right and lower edge squares may reach beyond. */
  place() {
    const { width, height } = this.canvas.dataset;
    this.canvas.style.width = `${100 * width / this.panel.width}%`;
    this.canvas.style.height = `${100 * height / this.panel.height}%`;
    this.canvas.hidden = false;
  }
}

/** Where on a scale a value is, from 0 to 1. */
const shareOf = (value, { low, high }) => Math.min(1, Math.max(0, (value - low) / (high - low)));

const latentMarks = (fields, chosen, zoom) => latentsOf(fields).map(({ x, y }, i) =>
  `<rect class="${i === chosen ? "latent" : "field-place"}" x="${x - 8}" y="${y - 8}" width="16" height="16" stroke-width="${1.5 / zoom}" stroke-dasharray="${3 / zoom}"/>`).join("");

function markup({ name, weights, quality, bpp, psnr, width, height }, number) {
  const text = string => Object.assign(document.createElement("i"), { textContent: string }).innerHTML.replaceAll('"', "&quot;");
  const facts = [weights, quality === null ? "" : `quality ${short(quality)}`, `${bpp.toFixed(3)} bpp`, psnr === null ? "lossless" : `${psnr.toFixed(2)} dB`];
  return `
    <h2><span>${text(name || "Image")}</span> <small>${text(facts.filter(Boolean).join(" · "))}</small></h2>
    <div class="shown">
      <div class="image">
        <div class="view" tabindex="0" role="application" aria-roledescription="image with a graph" aria-describedby="keys"
             aria-label="${text(name || `Image ${number}`)}: choose a node" style="aspect-ratio: ${width} / ${height}; --width: ${width}px">
          <img alt="" width="${width}" height="${height}" draggable="false">
          <canvas hidden aria-hidden="true"></canvas>
          <svg viewBox="0 0 ${width} ${height}" aria-hidden="true"></svg>
        </div>
        <p class="scale" hidden></p>
      </div>
      <div class="words">
        <p class="place"></p>
        <div class="sentences"></div>
      </div>
      <figure class="lens"><svg aria-hidden="true"><image/><g></g></svg><figcaption></figcaption></figure>
      <div class="counts">
        <table class="numbers"></table>
        <table class="numbers whole"></table>
        <details><summary>All neighbours</summary><div class="scroll" tabindex="0" role="group" aria-label="All neighbours">
          <table><thead><tr><th scope="col">Graph</th><th scope="col">Row</th><th scope="col">Column</th><th scope="col">Distance</th><th scope="col">Attention</th><td></td></tr></thead>
          <tbody></tbody></table></div></details>
      </div>
    </div>`;
}
