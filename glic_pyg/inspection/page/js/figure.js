import { gradient } from "./colours.js";
import { Lens } from "./lens.js";
import { marksOf } from "./marks.js";
import { short } from "./numbers.js";
import { drawField, drawMap, fieldAt, latentsOf, limitsOf, OVERLAYS, overlayMap } from "./overlays.js";
import { look } from "./panel_data.js";
import { Readout } from "./readout.js";

// One photo with its marks, overlay and numbers.
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
    this.showPicture();
    const seen = await look(this.panel, this.choices);
    await this.drawOverlay(panels, seen);
    if (current !== this.latest) return; // overtaken by a later choice
    this.look = seen;
    this.markScale?.(seen.place);
    this.readout.show(seen);
    this.drawMarks();
    this.element.ariaBusy = "false";
  }

  showPicture() {
    const { picture } = this.choices;
    if (this.shownPicture === picture) return;
    this.shownPicture = picture;
    this.image.src = this.panel.address(picture);
    this.lens.showPicture(this.image.src);
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

  /** Lay the canvas over the photo; at its right and lower edge squares may reach beyond. */
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

function markup({ picture, weights, quality, bpp, psnr, width, height }, number) {
  const text = string => Object.assign(document.createElement("i"), { textContent: string }).innerHTML.replaceAll('"', "&quot;");
  const facts = [weights, quality === null ? "" : `quality ${short(quality)}`, `${bpp.toFixed(3)} bpp`, psnr === null ? "lossless" : `${psnr.toFixed(2)} dB`];
  return `
    <h2><span>${text(picture || "Photo")}</span> <small>${text(facts.filter(Boolean).join(" · "))}</small></h2>
    <div class="shown">
      <div class="photo">
        <div class="view" tabindex="0" role="application" aria-roledescription="photo with a graph" aria-describedby="keys"
             aria-label="${text(picture || `Photo ${number}`)}: choose a node" style="aspect-ratio: ${width} / ${height}; --width: ${width}px">
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
        <details><summary>All neighbours</summary><div class="scroll" tabindex="0" role="group" aria-label="All neighbours">
          <table><thead><tr><th scope="col">Graph</th><th scope="col">Row</th><th scope="col">Column</th><th scope="col">Distance</th><th scope="col">Attention</th><td></td></tr></thead>
          <tbody></tbody></table></div></details>
      </div>
    </div>`;
}
