// The curve of the loss, as SVG. Attributes and classes only: the page's policy allows no styles.

import { measure } from "./words.js";

const svg = document.getElementById("curve");
const point = document.getElementById("point");
const HEIGHT = 220;
const [TOP, RIGHT, BOTTOM, LEFT] = [12, 14, 28, 52];
let shown = null;

new ResizeObserver(() => shown && draw()).observe(svg);
svg.addEventListener("pointermove", (event) => shown && look(event.offsetX));
svg.addEventListener("pointerleave", () => shown && look(null));

/** Shows the curve of a progress; returns whether there is one. */
export function show(progress) {
  const points = progress?.total ? progress.curve : [];
  shown = points.length > 1 ? {
    epochs: progress.epochs,
    points: points.map(([rows, loss]) => [(rows / progress.total) * progress.epochs, loss]),
  } : null;
  return shown !== null;
}

export function draw() {
  const width = svg.clientWidth;
  if (!shown || !width) return;
  const { points, epochs } = shown;
  const losses = points.map(([, loss]) => loss);
  const marks = ticks(Math.min(...losses), Math.max(...losses), 4);
  const [low, high] = [Math.min(marks[0], ...losses), Math.max(marks.at(-1), ...losses)];
  shown.x = (epoch) => LEFT + (epoch / epochs) * (width - LEFT - RIGHT);
  shown.y = (loss) => TOP + (1 - (loss - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM);
  const line = `M${points.map(([e, l]) => `${fixed(shown.x(e))},${fixed(shown.y(l))}`).join("L")}`;
  const [first, last] = [points[0], points.at(-1)];
  const floor = HEIGHT - BOTTOM;
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("aria-label", `Loss from ${measure(first[1])} to ${measure(last[1])} `
    + `in ${measure(last[0])} of ${epochs} epochs`);
  svg.replaceChildren(
    ...marks.flatMap((loss) => across(loss, width)),
    ...ticks(0, epochs, Math.min(epochs, width < 500 ? 4 : 8)).filter((e) => e <= epochs)
      .map((epoch) => label(shown.x(epoch), HEIGHT - 8, "middle", measure(epoch))),
    part("path", {
      class: "area", d: `${line}L${fixed(shown.x(last[0]))},${floor}L${fixed(shown.x(first[0]))},${floor}Z`,
    }),
    part("path", { class: "line", d: line }),
    part("circle", { class: "dot", r: 4 }),
  );
  look(null);
}

function look(x) {
  const { points } = shown;
  const distance = ([epoch]) => Math.abs(shown.x(epoch) - x);
  const found = x === null ? points.at(-1)
    : points.reduce((best, one) => (distance(one) < distance(best) ? one : best));
  const dot = svg.querySelector(".dot");
  dot.setAttribute("cx", fixed(shown.x(found[0])));
  dot.setAttribute("cy", fixed(shown.y(found[1])));
  point.textContent = `${measure(found[1])} after ${measure(Number(found[0].toFixed(2)))} epochs`;
}

function across(loss, width) {
  const y = fixed(shown.y(loss));
  return [
    part("path", { class: "grid", d: `M${LEFT},${y}H${width - RIGHT}` }),
    label(LEFT - 8, Number(y) + 4, "end", measure(loss)),
  ];
}

function label(x, y, anchor, text) {
  const made = part("text", { x: fixed(x), y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

function part(kind, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** About so many round numbers from low to high. */
function ticks(low, high, most) {
  const rough = (high - low || Math.abs(high) || 1) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power;
  const found = [];
  const start = Math.floor(low / step);
  for (let n = start; found.length < 12; n += 1) {
    found.push(Number((n * step).toPrecision(12)));
    if (n * step >= high) break;
  }
  return found;
}

function fixed(number) {
  return number.toFixed(1);
}
