// The job that is looked at: how far it is, its curve, its log, its results.

import * as curve from "./curve.js";
import { make } from "./list.js";
import { NOTHING, at, count, lasting, measure, part, phase, size, state } from "./words.js";

const ENDED = ["succeeded", "failed", "cancelled"];
const RESULTS = { model: "Model", history: "History", report: "Report" };
//: Characters of the log that the page keeps.
const KEPT = 500_000;

const get = (id) => document.getElementById(id);
let log = 0;
let fetched = null;

export function clear() {
  get("card").hidden = true;
  get("results").replaceChildren();
  fetched = null;
  clearLog();
}

export function clearLog() {
  get("log").replaceChildren();
  log = 0;
}

export function show(job) {
  get("name").textContent = job.name;
  get("state").textContent = state(job);
  get("state").dataset.state = state(job);
  get("about").textContent = [
    job.trainer, job.data_path, `submitted ${at(job.submitted)}`, job.id,
  ].join(" · ");
  get("error").textContent = job.error ?? "";
  get("error").hidden = !job.error;
  get("cancel").hidden = ENDED.includes(job.state);
  get("cancel").disabled = job.cancelling;
  get("sure-name").textContent = job.name;
  get("sure-loss").textContent = job.state === "running"
    ? "What it has learned so far is not kept." : "It has not begun.";
  get("card").hidden = false;
  showProgress(job);
  showResults(job);
}

function showProgress(job) {
  const { progress } = job;
  get("far").hidden = !progress && job.state !== "running";
  get("curve-part").hidden = !curve.show(progress);
  curve.draw();
  const done = part(progress);
  get("phase").textContent = words(job);
  get("percent").textContent = done === null ? "" : `${Math.floor(done * 100)} %`;
  if (done === null && !ENDED.includes(job.state)) get("bar").removeAttribute("value");
  else get("bar").value = done ?? 0;
  get("epoch").textContent = progress ? `${progress.epoch} of ${progress.epochs}` : NOTHING;
  get("loss").textContent = progress ? measure(progress.loss) : NOTHING;
  get("rate").textContent = progress ? count(progress.samples_per_second) : NOTHING;
  const over = job.ended !== null;
  get("time-title").textContent = over ? "Took" : "Time left";
  get("time").textContent = over ? lasting(job.ended - job.started)
    : lasting(progress ? progress.seconds_left : null);
}

function words(job) {
  if (job.state === "succeeded") return "Done";
  if (ENDED.includes(job.state)) return "Ended";
  return job.progress ? phase(job.progress.phase) : "Starting Spark";
}

async function showResults(job) {
  get("results-part").hidden = job.state !== "succeeded";
  if (job.state !== "succeeded" || fetched === job.id) return;
  fetched = job.id;
  const base = `/api/v1/jobs/${encodeURIComponent(job.id)}/results`;
  let links = [make("li")];
  links[0].textContent = "They cannot be listed now. Load the page again.";
  try {
    const answer = await fetch(base);
    if (answer.ok) links = order(await answer.json()).map((one) => link(base, job, one));
  } catch {
    // The server has gone meanwhile.
  }
  if (fetched === job.id) get("results").replaceChildren(...links);
}

function order(found) {
  const kinds = Object.keys(RESULTS);
  const kind = ([name]) => kinds.indexOf(name.split(/[-.]/)[0]);
  const { compare } = new Intl.Collator("en", { numeric: true });
  return Object.entries(found).sort((a, b) => kind(a) - kind(b) || compare(a[0], b[0]));
}

function link(base, job, [name, bytes]) {
  const made = make("a", "button");
  made.href = `${base}/${encodeURIComponent(name)}`;
  made.download = `${job.id}-${name}`;
  const what = make("strong");
  what.textContent = RESULTS[name.split(/[-.]/)[0]] ?? "File";
  made.append(what, ` ${name}, ${size(bytes)}`);
  const item = make("li");
  item.append(made);
  return item;
}

export function said(text) {
  const place = get("log");
  place.append(document.createTextNode(text));
  log += text.length;
  while (log > KEPT && place.childNodes.length > 1) {
    log -= place.firstChild.data.length;
    place.firstChild.remove();
  }
  if (get("follow").checked) place.scrollTop = place.scrollHeight;
}

get("log").addEventListener("scroll", () => {
  const place = get("log");
  // Who scrolls up wants to read; who comes back to the end wants to follow.
  get("follow").checked = place.scrollTop + place.clientHeight >= place.scrollHeight - 24;
});
get("follow").addEventListener("change", () => get("follow").checked && said(""));
