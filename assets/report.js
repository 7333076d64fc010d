// Hover values and zoom for the figures of a page: no dependency, no request.
//
// A figure's <metadata> holds what it shows: { panels: [{ title, box: [left, top, width, height] in the
// viewBox's units, x, y: { label, scale, low, high }, series: [{ label, points: [[x, y], …] }] }] }.
"use strict";

const UNIT = {
  linear: (v) => v,
  log: (v) => Math.log10(Math.max(v, Number.MIN_VALUE)),
  asinh: Math.asinh,
};

function share(axis, value) {
  const unit = UNIT[axis.scale];
  const low = unit(axis.low);
  const high = unit(axis.high);
  return Math.min(1, Math.max(0, (unit(value) - low) / (high - low)));
}

function readPanels(svg) {
  const data = svg.querySelector("metadata");
  if (!data) return [];
  for (const panel of JSON.parse(data.textContent).panels) {
    const [left, top, width, height] = panel.box;
    for (const series of panel.series) {
      series.places = series.points.map(([x, y]) => [
        left + share(panel.x, x) * width,
        top + (1 - share(panel.y, y)) * height,
      ]);
    }
    svg.panels = (svg.panels || []).concat(panel);
  }
  return svg.panels || [];
}

// Four significant digits, as the tables have them.
function digits(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return String(value).replace("-", "−");
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(3) : value.toPrecision(4);
  return text.replace("e+", "e").replaceAll("-", "−");
}

function nearest(panels, [px, py]) {
  let best = null;
  panels.forEach((panel, p) => {
    const [left, top, width, height] = panel.box;
    if (px < left || px > left + width || py < top || py > top + height) return;
    panel.series.forEach((series, s) => {
      series.places.forEach(([x, y], k) => {
        const distance = Math.hypot(x - px, y - py);
        if (!best || distance < best.distance) best = { p, s, k, distance };
      });
    });
  });
  return best;
}

function describe(panel, series, point) {
  const lines = [
    `${panel.x.label || "x"}: ${digits(point[0])}`,
    `${panel.y.label || "y"}: ${digits(point[1])}`,
  ];
  const names = [panel.title, series.label].filter(Boolean);
  if (names.length) lines.unshift(names.join(", "));
  return lines.join("\n");
}

function element(svg, name, attributes) {
  const made = document.createElementNS(svg.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

class Figure {
  constructor(figure) {
    this.svg = figure.querySelector("svg");
    this.figure = figure;
    this.panels = readPanels(this.svg);
    this.whole = this.svg.getAttribute("viewBox").split(/[ ,]+/).map(Number);
    this.view = this.whole;
    this.at = null;
    const unit = this.whole[2] / 240;
    this.mark = element(this.svg, "circle", {
      r: 3 * unit, fill: "none", stroke: "#000000", "stroke-width": unit, visibility: "hidden",
    });
    this.frame = element(this.svg, "rect", {
      fill: "#0072b2", "fill-opacity": 0.15, stroke: "#0072b2", "stroke-width": unit / 2,
      visibility: "hidden",
    });
    this.mark.style.pointerEvents = this.frame.style.pointerEvents = "none";
    this.svg.append(this.frame, this.mark);
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.setAttribute("role", "status");
    this.tip.hidden = true;
    figure.append(this.tip);
    this.svg.tabIndex = 0;
    this.listen();
  }

  listen() {
    const on = (name, handler, options) =>
      this.svg.addEventListener(name, handler.bind(this), options);
    on("pointermove", this.move);
    on("pointerleave", () => this.hide());
    on("pointerdown", this.press);
    on("pointerup", this.release);
    on("pointercancel", () => this.drop());
    on("dblclick", () => this.zoom(this.whole));
    on("wheel", this.wheel, { passive: false });
    on("focus", () => this.svg.matches(":focus-visible") && this.step(0, 0));
    on("blur", () => this.hide());
    on("keydown", this.key);
  }

  // Where an event is, in the viewBox's units.
  place(event) {
    const at = new DOMPoint(event.clientX, event.clientY);
    const { x, y } = at.matrixTransform(this.svg.getScreenCTM().inverse());
    return [x, y];
  }

  move(event) {
    const here = this.place(event);
    if (this.from) return this.stretch(here);
    const found = nearest(this.panels, here);
    if (found) this.show(found);
    else this.hide();
  }

  show(at) {
    this.at = at;
    const panel = this.panels[at.p];
    const series = panel.series[at.s];
    const [x, y] = series.places[at.k];
    this.mark.setAttribute("cx", x);
    this.mark.setAttribute("cy", y);
    this.mark.setAttribute("visibility", "visible");
    this.tip.textContent = describe(panel, series, series.points[at.k]);
    this.tip.hidden = false;
    const screen = new DOMPoint(x, y).matrixTransform(this.svg.getScreenCTM());
    const box = this.figure.getBoundingClientRect();
    const fits = (v, room) => Math.max(0, Math.min(v, room));
    const right = screen.x - box.left + 12;
    const left = screen.x - box.left - 12 - this.tip.offsetWidth;
    const across = right + this.tip.offsetWidth > box.width ? left : right;
    this.tip.style.left = `${fits(across, box.width - this.tip.offsetWidth)}px`;
    const above = screen.y - box.top - 8 - this.tip.offsetHeight;
    this.tip.style.top = `${fits(above, box.height - this.tip.offsetHeight)}px`;
  }

  hide() {
    this.tip.hidden = true;
    this.mark.setAttribute("visibility", "hidden");
  }

  // Along the points of a series, and from one series to the next, over all panels.
  step(along, across) {
    const all = this.panels.flatMap((panel, p) => panel.series.map((_, s) => ({ p, s })));
    if (all.length === 0) return;
    const now = this.at || { ...all[0], k: 0 };
    const index = all.findIndex(({ p, s }) => p === now.p && s === now.s);
    const next = all[(index + across + all.length) % all.length];
    const last = this.panels[next.p].series[next.s].points.length - 1;
    this.show({ ...next, k: Math.max(0, Math.min(last, now.k + along)) });
  }

  key(event) {
    const [x, y, width, height] = this.view;
    const middle = [x + width / 2, y + height / 2];
    const actions = {
      ArrowRight: () => this.step(1, 0),
      ArrowLeft: () => this.step(-1, 0),
      ArrowDown: () => this.step(0, 1),
      ArrowUp: () => this.step(0, -1),
      "+": () => this.scale(0.8, middle),
      "-": () => this.scale(1.25, middle),
      Escape: () => this.zoom(this.whole),
    };
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }

  // The page scrolls under the wheel until the figure is clicked.
  wheel(event) {
    if (document.activeElement !== this.svg && !event.ctrlKey) return;
    event.preventDefault();
    this.scale(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 400))), this.place(event));
  }

  scale(factor, [x, y]) {
    const [left, top, width, height] = this.view;
    const [w, h] = [width * factor, height * factor];
    this.zoom([x - (x - left) * factor, y - (y - top) * factor, w, h]);
  }

  // Shows a part of the figure, of its shape and inside it.
  zoom([x, y, width, height]) {
    const [left, top, most, tall] = this.whole;
    const share = Math.min(1, Math.max(width / most, height / tall, 0.02));
    const [w, h] = [most * share, tall * share];
    const inside = (v, low, room) => Math.max(low, Math.min(v, low + room));
    this.view = [inside(x, left, most - w), inside(y, top, tall - h), w, h];
    this.svg.setAttribute("viewBox", this.view.join(" "));
    this.hide();
  }

  press(event) {
    if (event.button !== 0 || event.pointerType === "touch") return;
    this.from = this.place(event);
    this.svg.setPointerCapture(event.pointerId);
  }

  stretch([x, y]) {
    const [fromX, fromY] = this.from;
    this.part = [Math.min(x, fromX), Math.min(y, fromY), Math.abs(x - fromX), Math.abs(y - fromY)];
    ["x", "y", "width", "height"].forEach((name, k) => this.frame.setAttribute(name, this.part[k]));
    this.frame.setAttribute("visibility", "visible");
    this.hide();
  }

  release() {
    const part = this.part;
    this.drop();
    // A click that trembles is no rectangle.
    if (part && part[2] > 0.02 * this.view[2] && part[3] > 0.02 * this.view[3]) this.zoom(part);
  }

  drop() {
    this.from = this.part = null;
    this.frame.setAttribute("visibility", "hidden");
  }
}

for (const figure of document.querySelectorAll("figure:has(svg[viewBox])")) new Figure(figure);
