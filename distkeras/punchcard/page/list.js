// The list of jobs. What is there stays where it is, so that who has the focus there keeps it.

import { at, part, state } from "./words.js";

const list = document.getElementById("jobs");
const jobs = new Map();
const rows = new Map();
let chosen = null;

export function clear() {
  jobs.clear();
  rows.clear();
  list.replaceChildren();
}

/** Takes an event "jobs"; returns [before, now] of those whose state is another. */
export function update(told) {
  const moved = [];
  for (const job of told.jobs) {
    const before = jobs.get(job.id);
    if (before && state(before) !== state(job)) moved.push([before, job]);
    jobs.set(job.id, job);
    fill(job);
  }
  arrange(told.order);
  document.getElementById("none").hidden = told.order.length > 0;
  return moved;
}

export function choose(id) {
  chosen = id;
  for (const [name, row] of rows) mark(name, row);
}

function mark(name, row) {
  if (name === chosen) row.link.setAttribute("aria-current", "true");
  else row.link.removeAttribute("aria-current");
}

function arrange(order) {
  const wanted = new Set(order);
  for (const [id, row] of rows) {
    if (wanted.has(id)) continue;
    row.item.remove();
    rows.delete(id);
    jobs.delete(id);
  }
  let next = list.firstElementChild;
  for (const id of order) {
    const { item } = rows.get(id);
    if (item === next) next = next.nextElementSibling;
    else list.insertBefore(item, next);
  }
}

function fill(job) {
  if (!rows.has(job.id)) rows.set(job.id, row(job.id));
  const { name, about, chip, bar, link } = rows.get(job.id);
  name.textContent = job.name;
  about.textContent = `${job.trainer} · ${at(job.submitted)}`;
  chip.textContent = state(job);
  chip.dataset.state = state(job);
  bar.hidden = job.state !== "running";
  const done = part(job.progress);
  if (done === null) bar.removeAttribute("value");
  else bar.value = done;
  mark(job.id, { link });
}

function row(id) {
  const parts = {
    item: make("li"), link: make("a"), name: make("span", "name"), about: make("span", "about"),
    chip: make("span", "state"), bar: make("progress"),
  };
  parts.link.href = `#/jobs/${encodeURIComponent(id)}`;
  parts.bar.setAttribute("aria-label", "Progress");
  parts.link.append(parts.name, " ", parts.chip, " ", parts.about, parts.bar);
  parts.item.append(parts.link);
  return parts;
}

export function make(kind, style) {
  const made = document.createElement(kind);
  if (style) made.className = style;
  return made;
}
