"use strict";
const model = JSON.parse(document.getElementById("model").textContent);
const errors = [];
window.addEventListener("error", (event) => errors.push(String(event.message)));
document.addEventListener("securitypolicyviolation", (e) => errors.push("blocked " + e.blockedURI));

// ---- the decoder: dense layers, then a sigmoid for a Bernoulli ----------------------------------

function bytes(base64) {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

function halves(base64) { // IEEE half precision, little endian -> Float32Array
  const raw = new DataView(bytes(base64).buffer);
  const out = new Float32Array(raw.byteLength / 2);
  for (let i = 0; i < out.length; i++) {
    const h = raw.getUint16(2 * i, true);
    const sign = h & 0x8000 ? -1 : 1, exponent = (h >> 10) & 31, fraction = h & 1023;
    out[i] = sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : fraction * 2 ** -24);
  }
  return out;
}

const layers = model.layers.map((layer) => ({ ...layer, W: halves(layer.W), b: halves(layer.b) }));
const L = layers[0].rows, D = layers[layers.length - 1].columns;

function dense(x, layer) { // y = x W + b, W stored row by row
  const y = Float32Array.from(layer.b);
  for (let i = 0; i < layer.rows; i++) {
    const start = i * layer.columns, xi = x[i];
    for (let j = 0; j < layer.columns; j++) y[j] += xi * layer.W[start + j];
  }
  return y;
}

const activations = {
  tanh: Math.tanh,
  relu: (a) => (a > 0 ? a : 0),
  softplus: (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))), // log(1 + e^a)
};

function decode(z) {
  let h = Float32Array.from(z);
  for (let i = 0; i < layers.length - 1; i++) h = dense(h, layers[i]).map(activations[model.activation]);
  h = dense(h, layers[layers.length - 1]);
  return model.likelihood === "bernoulli" ? h.map((l) => 1 / (1 + Math.exp(-l))) : h;
}

// ---- state and drawing --------------------------------------------------------------------------

const byId = (id) => document.getElementById(id);
const plane = byId("plane"), image = byId("image");
const z = new Float32Array(L);
let axisX = model.plane[0], axisY = model.plane[1], colorBy = 0;
const reach = model.reach; // the plane shows -reach..reach on both axes
const dots = halves(model.points); // row by row, L numbers a dot
const count = dots.length / L;
const categories = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C6D1F",
  "#7F7F7F", "#B39DDB", "#4DB6AC", "#5D4037", "#C0CA33"];

// Blue to yellow, rising in lightness; every colour stands out from the panel, dark or light.
const ramps = {
  light: [[0, 32, 76], [45, 70, 120], [95, 95, 100], [130, 110, 60], [165, 125, 0]],
  dark: [[85, 130, 230], [125, 150, 200], [165, 170, 165], [210, 200, 120], [255, 234, 70]],
};
const darkScheme = matchMedia("(prefers-color-scheme: dark)");
function ramp(t) {
  const stops = darkScheme.matches ? ramps.dark : ramps.light;
  const at = Math.min(Math.max(t, 0), 0.9999) * (stops.length - 1), i = Math.floor(at), f = at - i;
  return "rgb(" + stops[i].map((c, k) => Math.round(c + f * (stops[i + 1][k] - c))).join(",") + ")";
}

function dotColor(i) {
  const coloring = model.colors[colorBy];
  if (!coloring) return "#0072B2";
  const value = coloring.values[i];
  if (coloring.names) return categories[value % categories.length];
  return ramp((value - coloring.low) / (coloring.high - coloring.low || 1));
}

const toPixel = (value, size) => ((value + reach) / (2 * reach)) * size;
const toLatent = (pixel, size) => (pixel / size) * 2 * reach - reach;

const cloud = document.createElement("canvas"); // the dots, redrawn only when they change

function drawCloud() {
  const size = Math.max(1, Math.round(plane.clientWidth * (window.devicePixelRatio || 1)));
  plane.width = plane.height = cloud.width = cloud.height = size;
  const pen = cloud.getContext("2d");
  pen.globalAlpha = 0.85;
  for (let i = 0; i < count; i++) {
    pen.fillStyle = dotColor(i);
    pen.beginPath();
    pen.arc(toPixel(dots[i * L + axisX], size), size - toPixel(dots[i * L + axisY], size),
      Math.max(1.3, size / 260), 0, 7);
    pen.fill();
  }
}

function drawPlane() {
  const size = plane.width, pen = plane.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  pen.clearRect(0, 0, size, size);
  pen.strokeStyle = style.getPropertyValue("--line");
  pen.lineWidth = Math.max(1, size / 500);
  for (let r = 1; r <= reach; r++) { // the prior's standard deviations
    pen.beginPath();
    pen.arc(size / 2, size / 2, (r / (2 * reach)) * size, 0, 7);
    pen.stroke();
  }
  pen.drawImage(cloud, 0, 0);
  drawAxes(pen, size, style);
  const x = toPixel(z[axisX], size), y = size - toPixel(z[axisY], size);
  pen.lineWidth = size / 110;
  pen.strokeStyle = style.getPropertyValue("--ink");
  pen.fillStyle = style.getPropertyValue("--panel");
  pen.beginPath();
  pen.arc(x, y, size / 45, 0, 7);
  pen.fill();
  pen.stroke();
}

function drawAxes(pen, size, style) { // the names of both latents, and whole numbers along the edges
  const letters = size / 30, margin = letters * 0.4;
  pen.font = `${letters}px system-ui, sans-serif`;
  pen.lineWidth = letters / 4;
  pen.strokeStyle = style.getPropertyValue("--panel"); // a rim, so that dots do not hide the letters
  pen.fillStyle = style.getPropertyValue("--ink");
  const write = (word, x, y, align, base) => {
    pen.textAlign = align;
    pen.textBaseline = base;
    pen.strokeText(word, x, y);
    pen.fillText(word, x, y);
  };
  for (let value = 1 - reach; value < reach; value++) {
    const word = String(value).replace("-", "\u2212"), at = toPixel(value, size);
    write(word, at, size - margin, "center", "bottom");
    if (value > 1 - reach) write(word, margin, size - at, "left", "middle");
  }
  write(`${model.names[axisX]} \u2192`, size - margin, size - margin, "right", "bottom");
  write(`${model.names[axisY]} \u2191`, margin, margin, "left", "top");
}

// ---- the test image nearest to the pointer, or to the point -------------------------------------

const pictures = bytes(model.pictures), pictured = model.pictured; // two bits a pixel
function nearestDot(a, b) { // of those with a picture, in the plane that is shown
  let best = 0, least = Infinity;
  for (let i = 0; i < pictured; i++) {
    const distance = (dots[i * L + axisX] - a) ** 2 + (dots[i * L + axisY] - b) ** 2;
    if (distance < least) [best, least] = [i, distance];
  }
  return best;
}

let shownDot = -1;
function showDot(i) {
  const [height, width] = model.shape, canvas = byId("true-image"), coloring = model.colors[colorBy];
  shownDot = i;
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d"), picture = pen.createImageData(width, height);
  for (let k = 0; k < D; k++) {
    const at = i * D + k, grey = 85 * ((pictures[at >> 2] >> (2 * (at & 3))) & 3);
    picture.data.set([grey, grey, grey, 255], 4 * k);
  }
  pen.putImageData(picture, 0, 0);
  const value = coloring && coloring.values[i];
  byId("true-words").textContent = "the nearest test image" +
    (coloring ? `, ${coloring.name} ${coloring.names ? coloring.names[value] : value.toPrecision(2)}` : "");
}

function drawImage() {
  const [height, width] = model.shape, values = decode(z);
  image.width = width;
  image.height = height;
  const pen = image.getContext("2d"), picture = pen.createImageData(width, height);
  for (let i = 0; i < D; i++) {
    const grey = Math.round(255 * Math.min(Math.max(values[i], 0), 1));
    picture.data.set([grey, grey, grey, 255], 4 * i);
  }
  pen.putImageData(picture, 0, 0);
}

function text(value) { return (value < 0 ? "\u2212" : "") + Math.abs(value).toFixed(2); }

function drawWords() {
  byId("where").textContent =
    `${model.names[axisX]} = ${text(z[axisX])}, ${model.names[axisY]} = ${text(z[axisY])}`;
  document.querySelectorAll("#sliders input").forEach((slider) => {
    const value = z[Number(slider.dataset.latent)];
    slider.value = value;
    slider.nextElementSibling.textContent = text(value);
  });
  clearTimeout(speaking); // a screen reader hears where the point is once it rests
  speaking = setTimeout(() => { byId("said").textContent = byId("where").textContent; }, 800);
}
let speaking = 0;

let waiting = false;
function draw() { // at most once a frame, however fast the pointer moves
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(drawNow);
}
function drawNow() {
  waiting = false;
  drawPlane();
  drawImage();
  drawWords();
  showDot(nearestDot(z[axisX], z[axisY]));
}

// ---- controls -----------------------------------------------------------------------------------

function underPointer(event) { // where the pointer is, in the plane
  const box = plane.getBoundingClientRect();
  const bound = (value) => Math.min(Math.max(value, -reach), reach);
  return [bound(toLatent(event.clientX - box.left, box.width)),
    bound(-toLatent(event.clientY - box.top, box.height))];
}
function move(event) {
  [z[axisX], z[axisY]] = underPointer(event);
  draw();
}
let dragging = false;
plane.addEventListener("pointerdown", (event) => {
  dragging = true;
  if (event.isTrusted) plane.setPointerCapture(event.pointerId);
  move(event);
});
plane.addEventListener("pointermove", (event) => {
  if (dragging) move(event);
  else showDot(nearestDot(...underPointer(event)));
});
plane.addEventListener("pointerleave", () => { if (!dragging) draw(); });
for (const end of ["pointerup", "pointercancel"]) {
  plane.addEventListener(end, () => { dragging = false; });
}
plane.addEventListener("keydown", (event) => {
  const step = event.shiftKey ? 0.5 : 0.1;
  const moves = { ArrowLeft: [axisX, -step], ArrowRight: [axisX, step], ArrowDown: [axisY, -step],
    ArrowUp: [axisY, step] };
  if (!(event.key in moves)) return;
  event.preventDefault();
  const [axis, change] = moves[event.key];
  z[axis] = Math.min(Math.max(z[axis] + change, -reach), reach);
  draw();
});

function option(label, value) {
  const element = document.createElement("option");
  element.textContent = label;
  element.value = value;
  return element;
}
function chooser(id, labels, chosen, change) {
  const select = byId(id);
  labels.forEach((label, i) => select.append(option(label, i)));
  select.value = chosen;
  select.addEventListener("change", () => { change(Number(select.value)); drawCloud(); draw(); });
}
chooser("axis-x", model.names, axisX, (i) => { axisX = i; });
chooser("axis-y", model.names, axisY, (i) => { axisY = i; });
chooser("color", model.colors.map((c) => c.name), 0, (i) => { colorBy = i; drawLegend(); });
byId("color-label").hidden = model.colors.length < 2;

function drawLegend() {
  const legend = byId("legend"), coloring = model.colors[colorBy];
  legend.replaceChildren();
  if (!coloring) return;
  if (!coloring.names) {
    const bar = document.createElement("b");
    bar.style.background = `linear-gradient(90deg, ${[0, .25, .5, .75, 1].map(ramp).join(",")})`;
    legend.append(`${coloring.name}: ${coloring.low.toPrecision(2)}`, bar,
      coloring.high.toPrecision(2));
    return;
  }
  coloring.names.forEach((name, i) => {
    const entry = document.createElement("span"), swatch = document.createElement("i");
    swatch.style.background = categories[i % categories.length];
    entry.append(swatch, name);
    legend.append(entry);
  });
}

model.order.forEach((i) => {
  const row = document.createElement("div"), label = document.createElement("label");
  const slider = document.createElement("input"), shown = document.createElement("span");
  row.className = "slider";
  label.textContent = model.labels[i];
  label.htmlFor = slider.id = `latent-${i}`;
  Object.assign(slider, { type: "range", min: -reach, max: reach, step: 0.01, value: 0 });
  slider.dataset.latent = i;
  slider.addEventListener("input", () => { z[i] = Number(slider.value); draw(); });
  shown.ariaHidden = "true"; // the slider says its value itself
  row.append(label, slider, shown);
  byId("sliders").append(row);
});
for (const [name, value] of model.facts) {
  const term = document.createElement("dt"), detail = document.createElement("dd");
  term.textContent = name;
  detail.textContent = value;
  byId("facts").append(term, detail);
}
byId("reset").addEventListener("click", () => { z.fill(0); draw(); });
byId("random").addEventListener("click", () => { // two uniforms make a normal (Box and Muller)
  for (let i = 0; i < L; i++) {
    z[i] = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  }
  draw();
});
window.addEventListener("resize", () => { drawCloud(); draw(); });
darkScheme.addEventListener("change", () => { drawLegend(); drawCloud(); draw(); });
drawLegend();
drawCloud();
drawNow();

// ---- the page tests itself, in a headless browser: open it with #selftest -----------------------

function followsTheSliders() { // on a phone: the picture is in sight when the last slider is
  const sliders = document.querySelectorAll("#sliders input");
  sliders[sliders.length - 1].scrollIntoView({ block: "end" });
  const box = image.getBoundingClientRect();
  scrollTo(0, 0);
  return box.top >= 0 && box.bottom <= innerHeight;
}

function selftest() {
  const seen = () => Array.from(image.getContext("2d").getImageData(0, 0, image.width, image.height).data);
  const changes = (action) => {
    const before = seen().join();
    action();
    drawNow();
    return before !== seen().join();
  };
  const box = plane.getBoundingClientRect();
  const at = (type, x, y) => plane.dispatchEvent(new PointerEvent(type, { bubbles: true,
    clientX: box.left + x * box.width, clientY: box.top + y * box.height }));
  const started = performance.now();
  for (let i = 0; i < 100; i++) decode(z);
  const report = {
    decodeMs: (performance.now() - started) / 100,
    drag: changes(() => { at("pointerdown", 0.5, 0.5); at("pointermove", 0.9, 0.2); at("pointerup", 0.9, 0.2); }),
    draggedTo: [z[axisX], z[axisY]],
    keys: changes(() => { for (let i = 0; i < 9; i++) plane.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", shiftKey: true })); }),
    slider: changes(() => {
      const slider = document.querySelector("#sliders input");
      slider.value = -2.5;
      slider.dispatchEvent(new Event("input"));
    }),
    decoded: model.tests.map((code) => Array.from(decode(code), (v) => Math.round(v * 1e4) / 1e4)),
    unlabelled: document.querySelectorAll("input:not([id]), select:not([id])").length,
    hovered: [[0.2, 0.7], [0.8, 0.3]].map(([x, y]) => { at("pointermove", x, y); return shownDot; }),
    trueImage: Array.from(byId("true-image").getContext("2d").getImageData(0, 0, image.width, image.height).data)
      .filter((_, i) => i % 4 === 0),
    ramps,
    sliderHeight: document.querySelector("#sliders input").getBoundingClientRect().height,
    live: document.querySelectorAll("output, [aria-live], [role=status]").length,
    said: byId("said").textContent,
    follows: followsTheSliders(),
    wide: document.documentElement.scrollWidth > window.innerWidth,
    requests: performance.getEntriesByType("resource").length,
    errors,
  };
  const element = document.createElement("pre");
  element.id = "report";
  element.textContent = JSON.stringify(report);
  document.body.append(element);
}
if (location.hash === "#selftest") selftest();
