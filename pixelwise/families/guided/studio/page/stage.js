// The picture, its mask and its dots, one over the other.

const SVG = "http://www.w3.org/2000/svg";
// Screen pixels: how large a dot is, and how near to it a click takes it back.
const RADIUS = 6.5, REACH = 9;
const [room, stage, picture, mask, dots] = ["room", "stage", "picture", "mask", "dots"].map((id) => document.getElementById(id));
let size = null;
let clicks = [];

export async function showPicture(source, width, height) {
  const next = new Image();
  next.src = source;
  await next.decode();
  size = { width, height };
  picture.src = source;
  stage.hidden = false;
  fit();
}

export function clear() {
  mask.hidden = true;
  clicks = [];
  dots.replaceChildren();
}

// Resolves when the new mask has been painted.
export async function showMask(source) {
  if (source) {
    mask.src = source;
    await mask.decode();
  }
  mask.hidden = !source;
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
}

export function showDots(found, colours) {
  clicks = found;
  const scale = size.width / stage.clientWidth;
  dots.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  dots.replaceChildren(...clicks.flatMap(([x, y, way]) => dot(x + 0.5, y + 0.5, way, colours[way], scale)));
}

function dot(x, y, way, colour, scale) {
  const circle = document.createElementNS(SVG, "circle");
  const sign = document.createElementNS(SVG, "path");
  const arm = 3 * scale;
  for (const [name, value] of Object.entries({ cx: x, cy: y, r: RADIUS * scale, fill: `rgb(${colour})` })) circle.setAttribute(name, value);
  sign.setAttribute("d", `M${x - arm} ${y}h${2 * arm}` + (way ? `M${x} ${y - arm}v${2 * arm}` : ""));
  return [circle, sign];
}

// A stroke that is being drawn: a line through points of the picture, as wide as the brush.
export function showStroke(points, radius, colour) {
  const line = document.createElementNS(SVG, "polyline");
  dots.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  line.setAttribute("points", points.map(([x, y]) => `${x},${y}`).join(" "));
  line.setAttribute("style", `fill: none; stroke: rgb(${colour}); stroke-width: ${2 * radius}; stroke-linecap: round; stroke-linejoin: round; opacity: .7`);
  dots.replaceChildren(line);
}

// The pixel of the picture under a pointer, and the number of the dot there, -1 for none.
export function place(event) {
  const box = stage.getBoundingClientRect(), scale = size.width / box.width;
  const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  const number = clicks.findLastIndex(([left, top]) => Math.hypot(left + 0.5 - x, top + 0.5 - y) <= REACH * scale);
  return { x: Math.min(Math.max(Math.floor(x), 0), size.width - 1), y: Math.min(Math.max(Math.floor(y), 0), size.height - 1), number };
}

export function toggleMask(isShown) {
  mask.style.visibility = isShown ? "visible" : "hidden";
}

function fit() {
  if (!size) return;
  const style = getComputedStyle(room);
  const wide = room.clientWidth - parseFloat(style.paddingLeft) * 2, high = room.clientHeight - parseFloat(style.paddingTop) * 2;
  const scale = Math.min(wide / size.width, high / size.height);
  stage.style.width = `${Math.round(size.width * scale)}px`;
  stage.style.height = `${Math.round(size.height * scale)}px`;
}

export function onResize(redraw) {
  new ResizeObserver(() => { fit(); if (size) redraw(); }).observe(room);
}
