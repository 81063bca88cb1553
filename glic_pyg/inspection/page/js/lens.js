import { marksOf } from "./marks.js";

// The surroundings of the node, magnified: an SVG of its own that holds the picture once more.
export class Lens {
  constructor(element, panel) {
    this.svg = element.querySelector("svg");
    this.caption = element.querySelector("figcaption");
    this.image = this.svg.querySelector("image");
    this.image.setAttribute("width", panel.width);
    this.image.setAttribute("height", panel.height);
    this.marks = this.svg.querySelector("g");
    this.element = element;
  }

  showPicture(address) {
    this.image.setAttribute("href", address);
  }

  /** Returns the part of the photo that is seen. */
  show(look) {
    const side = look.side * 19, x = look.place.x - side / 2, y = look.place.y - side / 2;
    this.svg.setAttribute("viewBox", `${x} ${y} ${side} ${side}`);
    const zoom = this.svg.clientWidth / side || 1;
    this.marks.innerHTML = marksOf({ ...look, groups: look.groups.filter(group => group.kind === "local") }, zoom);
    this.caption.textContent = `Around the node: ${side} × ${side} pixels`;
    return { x, y, side };
  }
}
