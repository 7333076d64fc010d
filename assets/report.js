// Hover values and zoom for the figures of a page: no dependency, no request.
//
// A figure's <metadata> holds what it shows: { panels: [{ title, box: [left, top, width, height] in the
// viewBox's units, x, y: { label, scale, low, high, mirrored }, series: [{ label, points: [[x, y], …] }],
// spans: [{ label, low, high }], what goes across the panel between two y, and
// field: { label, x: [low, high], y: [low, high], columns, values }, a function on a grid, its rows
// from the lowest y, or null }] }. Places and rulers are by axes.js.
function readPanels(svg) {
  const data = svg.querySelector("metadata");
  if (!data) return [];
  for (const panel of JSON.parse(data.textContent).panels) {
    const [left, top, width, height] = panel.box;
    for (const { label, low, high } of panel.spans || []) {
      const middle = valueAt(panel.x, 0.5);
      panel.series.push({ label, span: [low, high], points: [[middle, low], [middle, high]] });
    }
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

// The value of a field at a place, between those at the corners of its cell.
function fieldAt(panel, [px, py]) {
  const { x, y, columns, values } = panel.field;
  const [left, top, width, height] = panel.box;
  const rows = values.length / columns;
  const along = (v, [low, high], count) =>
    Math.min(count - 1, Math.max(0, ((v - low) / (high - low)) * (count - 1)));
  const u = along(valueAt(panel.x, (px - left) / width), x, columns);
  const v = along(valueAt(panel.y, 1 - (py - top) / height), y, rows);
  const [i, j] = [Math.min(columns - 2, Math.floor(u)), Math.min(rows - 2, Math.floor(v))];
  const row = (k) => {
    const at = k * columns + i;
    return values[at] + (u - i) * (values[at + 1] - values[at]);
  };
  return row(j) + (v - j) * (row(j + 1) - row(j));
}

// What is nearest to a place: a point of a series, an edge of a span, or, farther than `reach` from
// those, the field.
function nearest(panels, [px, py], reach) {
  let best = null;
  panels.forEach((panel, p) => {
    const [left, top, width, height] = panel.box;
    if (px < left || px > left + width || py < top || py > top + height) return;
    if (panel.field) best = { p, place: [px, py], distance: reach };
    panel.series.forEach((series, s) => {
      series.places.forEach(([x, y], k) => {
        const place = series.span ? [px, y] : [x, y];
        const distance = Math.hypot(place[0] - px, place[1] - py);
        if (!best || distance < best.distance) best = { p, s, k, place, distance };
      });
    });
  });
  return best;
}

function describe(panel, { s, k, place }) {
  const series = panel.series[s];
  const lines = [];
  const name = (axis, other) => axis.label || other;
  const names = [panel.title, series && series.label].filter(Boolean);
  if (names.length) lines.push(names.join(", "));
  if (series && series.span) {
    const ends = [...new Set(series.span.map((v) => digits(v, 6)))];
    lines.push(`${name(panel.y, "y")}: ${ends.join(" to ")}`);
    return lines.join("\n");
  }
  const [left, top, width, height] = panel.box;
  const [u, v] = series ? series.points[k] : [
    valueAt(panel.x, (place[0] - left) / width),
    valueAt(panel.y, 1 - (place[1] - top) / height),
  ];
  const told = (axis, other, value) => `${name(axis, other)}: ${digits(sized(axis, value))}`;
  lines.push(told(panel.x, "x", u), told(panel.y, "y", v));
  if (panel.field) lines.push(`${panel.field.label}: ${digits(fieldAt(panel, place))}`);
  return lines.join("\n");
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
    const found = nearest(this.panels, here, 0.02 * this.view[2]);
    if (found) this.show(found);
    else this.hide();
  }

  show(at) {
    this.at = at;
    const panel = this.panels[at.p];
    const [x, y] = at.place;
    this.mark.setAttribute("cx", x);
    this.mark.setAttribute("cy", y);
    this.mark.setAttribute("visibility", "visible");
    this.tip.textContent = describe(panel, at);
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
    const now = this.at && this.at.k !== undefined ? this.at : { ...all[0], k: 0 };
    const index = all.findIndex(({ p, s }) => p === now.p && s === now.s);
    const next = all[(index + across + all.length) % all.length];
    const { places } = this.panels[next.p].series[next.s];
    const k = Math.max(0, Math.min(places.length - 1, now.k + along));
    this.show({ ...next, k, place: places[k] });
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
    if (this.rulers) this.rulers.remove();
    this.rulers = share < 1 ? rulers(this.svg, this.panels, this.view, this.whole) : null;
    if (this.rulers) this.frame.before(this.rulers);
    const unit = (this.whole[2] / 240) * share;
    this.mark.setAttribute("r", 3 * unit);
    this.mark.setAttribute("stroke-width", unit);
    this.frame.setAttribute("stroke-width", unit / 2);
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
