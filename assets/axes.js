// Axes of a figure: places of values, values of places, and rulers for a part of it.
"use strict";

const UNIT = {
  linear: (v) => v,
  log: (v) => Math.log10(Math.max(v, Number.MIN_VALUE)),
  asinh: Math.asinh,
};
const VALUE = { linear: (u) => u, log: (u) => 10 ** u, asinh: Math.sinh };

function share(axis, value) {
  const unit = UNIT[axis.scale];
  const low = unit(axis.low);
  const high = unit(axis.high);
  return Math.min(1, Math.max(0, (unit(value) - low) / (high - low)));
}

function valueAt(axis, share) {
  const unit = UNIT[axis.scale];
  return VALUE[axis.scale](unit(axis.low) + share * (unit(axis.high) - unit(axis.low)));
}

// A value as its axis has it: of a mirrored one both directions are up.
function sized(axis, value) {
  return axis.mirrored ? Math.abs(value) : value;
}

// As many significant digits; four are what the tables have.
function digits(value, count = 4) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return String(value).replace("-", "−");
  const far = size >= 1e5 || size < 1e-3;
  const text = far ? value.toExponential(count - 1) : value.toPrecision(count);
  return text.replace("e+", "e").replaceAll("-", "−");
}

function power(k) {
  const raised = [...String(k)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
  return `10${raised.join("")}`;
}

// Round values between two ends, with words.
function ticks(axis, from, to) {
  const inside = ([v]) => v >= from && v <= to;
  const far = axis.scale === "log" ? to / from >= 20 : Math.max(-from, to) > 10;
  if (axis.scale !== "linear" && far) {
    const most = Math.floor(Math.log10(Math.max(Math.abs(from), Math.abs(to))));
    const least = axis.scale === "log" ? Math.ceil(Math.log10(from)) : 0;
    const stride = Math.max(1, Math.ceil((most - least + 1) / 5));
    const decades = [];
    for (let k = most; k >= least; k -= stride) decades.push([10 ** k, power(k)]);
    if (axis.scale === "log") {
      if (most > least + 1) return decades.filter(inside);
      // One power of ten alone is no scale.
      const between = [-1, 0, 1].flatMap((j) => [1, 2, 5].map((f) => [f, least + j]));
      const word = (f, k) => (Math.abs(k) < 4 ? digits(f * 10 ** k, 1) : `${f > 1 ? `${f}·` : ""}${power(k)}`);
      return between.map(([f, k]) => [f * 10 ** k, word(f, k)]).filter(inside);
    }
    const below = decades.map(([v, word]) => [-v, `−${word}`]);
    return [...decades, [0, "0"], ...below].filter(inside);
  }
  const raw = (to - from) / 4;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * unit).find((s) => s >= raw);
  const places = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const word = (v) => {
    const small = places > 5 || Math.abs(v) >= 1e6;
    const shown = sized(axis, v);
    return (small ? digits(shown, 5) : shown.toFixed(places)).replace("-", "−");
  };
  const all = [];
  for (let k = Math.ceil(from / step); k * step <= to; k++) all.push([k * step, word(k * step)]);
  return all;
}

function element(svg, name, attributes) {
  const made = document.createElementNS(svg.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Height of a figure's words in the viewBox's units, and of the room for those below a panel.
const WORDS = 75;
const BELOW = 3.1 * WORDS;

// What a zoomed figure's edges would hide: the scales and names of the axes, drawn at the edges of
// the part that is seen, as large as the figure's own words are.
function rulers(svg, panels, view, whole) {
  const group = element(svg, "g", { class: "rulers", "pointer-events": "none" });
  const size = (WORDS * view[2]) / whole[2];
  const margin = Math.min(...panels.map((panel) => panel.box[0]));
  const end = [view[0] + view[2], view[1] + view[3]];
  const ground = (x, y, width, height) =>
    group.append(element(svg, "rect", { x, y, width, height, fill: "#ffffff", "fill-opacity": 0.9 }));
  const say = (word, x, y, attributes) => {
    const text = element(svg, "text", {
      x, y, "font-size": size, "font-family": "DejaVu Sans, Verdana, sans-serif",
      "text-anchor": "middle", "dominant-baseline": "central", ...attributes,
    });
    text.textContent = word;
    group.append(text);
  };
  const line = (x1, y1, x2, y2) => group.append(
    element(svg, "line", { x1, y1, x2, y2, stroke: "#000000", "stroke-width": size / 12 }));
  const long = (word) => 0.65 * size * word.length;
  // A name as large as the room for it allows.
  const name = (word, room, x, y, attributes) =>
    say(word, x, y, { "font-size": size * Math.min(1, room / Math.max(1, long(word))), ...attributes });

  for (const { box: [left, top, width, height], x, y } of panels) {
    const [right, bottom] = [left + width, top + height];
    const seen = [Math.max(left, view[0]), Math.max(top, view[1]),
      Math.min(right, end[0]), Math.min(bottom, end[1])];
    if (seen[2] - seen[0] < 6 * size || seen[3] - seen[1] < 4 * size) continue;
    const down = Math.min(end[1], bottom + BELOW);
    const edge = Math.max(view[0], left - margin);
    let [across, floor] = [seen[0], seen[3]];
    const low = bottom + BELOW > end[1] + 1;
    if (low) floor = Math.min(bottom, down - 2.6 * size);
    if (edge > left - margin + 1) {
      const of = (place) => valueAt(y, 1 - (place - top) / height);
      const words = ticks(y, of(floor), of(seen[1]));
      const wide = Math.max(0, ...words.map(([, word]) => long(word)));
      across = Math.max(left, edge + wide + 1.9 * size);
      ground(edge, seen[1], across - edge, floor - seen[1]);
      line(across, seen[1], across, floor);
      for (const [value, word] of words) {
        const place = top + (1 - share(y, value)) * height;
        if (place < seen[1] + size / 2 || place > floor - size / 2) continue;
        line(across - size / 3, place, across, place);
        say(word, across - size / 2, place, { "text-anchor": "end" });
      }
      const [at, middle] = [edge + 0.8 * size, (seen[1] + floor) / 2];
      name(y.label, floor - seen[1], at, middle, { transform: `rotate(-90 ${at} ${middle})` });
    }
    if (low) {
      ground(edge, floor, seen[2] - edge, down - floor);
      line(across, floor, seen[2], floor);
      const of = (place) => valueAt(x, (place - left) / width);
      for (const [value, word] of ticks(x, of(across), of(seen[2]))) {
        const place = left + share(x, value) * width;
        if (place - long(word) / 2 < edge || place + long(word) / 2 > end[0]) continue;
        line(place, floor, place, floor + size / 3);
        say(word, place, floor + 0.95 * size);
      }
      name(x.label, seen[2] - across, (across + seen[2]) / 2, floor + 2.05 * size);
    }
  }
  return group;
}
