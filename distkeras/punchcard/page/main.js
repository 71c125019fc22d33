// Signing in and out, which job is looked at, and the news from the server.

import * as job from "./job.js";
import * as list from "./list.js";
import { state } from "./words.js";

const PAGE = 50;
const MOST = 1000;
//: Milliseconds until a stream that the server has refused is asked for again.
const AGAIN = 5000;

const get = (id) => document.getElementById(id);
let identity = null;
let most = PAGE;
let chosen = null;
let source = null;
let timer = null;
let replaced = false;

async function start() {
  try {
    const answer = await fetch("/session");
    if (!answer.ok) throw await refusal(answer);
    ({ identity } = await answer.json());
  } catch (error) {
    tell(error.said ?? "The server cannot be reached. Load the page again.");
    return;
  }
  tell("");
  if (identity === null) door();
  else desk();
}

function door() {
  stop();
  identity = null;
  list.clear();
  job.clear();
  document.title = "Punchcard";
  get("sure").close();
  get("top").hidden = get("desk").hidden = true;
  get("door").hidden = false;
  get("secret").focus();
}

function desk() {
  get("door").hidden = true;
  get("top").hidden = get("desk").hidden = false;
  get("who").textContent = identity;
  most = PAGE;
  route();
}

get("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter ?? event.target.querySelector("button");
  button.disabled = true;
  get("refused").textContent = "";
  try {
    const body = new URLSearchParams(new FormData(event.target));
    const answer = await fetch("/session", { method: "POST", body });
    if (!answer.ok) throw await refusal(answer);
    event.target.reset();
    await start();
  } catch (error) {
    get("refused").textContent = error.said ?? "The server cannot be reached.";
    get("secret").select();
  } finally {
    button.disabled = false;
  }
});

get("sign-out").addEventListener("click", async () => {
  try {
    const answer = await fetch("/session", { method: "DELETE" });
    if (!answer.ok && answer.status !== 401) throw await refusal(answer);
    door();
  } catch (error) {
    tell(error.said ?? "The server cannot be reached, so you are still signed in.");
  }
});

async function refusal(answer) {
  const wait = Number(answer.headers.get("Retry-After"));
  const told = await answer.json().catch(() => ({ error: `the server says ${answer.status}` }));
  const later = answer.status === 429 && wait ? `; try again in ${Math.ceil(wait / 60)} min` : "";
  const text = told.error + later;
  return { said: `${text[0].toUpperCase()}${text.slice(1)}.` };
}

function route(event) {
  if (identity === null) return;
  chosen = /^#\/jobs\/([0-9a-z]{1,64})$/.exec(location.hash)?.[1] ?? null;
  get("desk").dataset.view = chosen ? "job" : "list";
  get("choose").textContent = "Choose a job to see how it goes.";
  get("choose").hidden = chosen !== null;
  get("sure").close();
  job.clear();
  list.choose(chosen);
  if (chosen === null) document.title = "Jobs · Punchcard";
  watch(event !== undefined);
}

/** Begins to be told of news; focus: whether the job's name is to have it, once it is known. */
function watch(focus) {
  stop();
  if (identity === null || document.hidden || replaced) return;
  const query = new URLSearchParams(chosen ? { most, job: chosen } : { most });
  const own = new EventSource(`/session/events?${query}`);
  source = own;
  let wanted = focus;
  job.clearLog();
  own.addEventListener("open", () => tell(""));
  own.addEventListener("error", () => lost(own));
  own.addEventListener("jobs", (event) => listed(JSON.parse(event.data)));
  own.addEventListener("job", (event) => {
    looked(JSON.parse(event.data));
    if (wanted) get("name").focus();
    wanted = false;
  });
  own.addEventListener("log", (event) => job.said(JSON.parse(event.data).text));
  own.addEventListener("ended", door);
  own.addEventListener("replaced", () => {
    stop();
    replaced = true;
    tell("Another page of yours has the news now. Come back to this one to have it here.");
  });
}

function stop() {
  source?.close();
  source = null;
  clearTimeout(timer);
}

async function lost(own) {
  if (own !== source) return;
  tell("The connection is lost. Trying again…");
  // Otherwise the browser tries by itself.
  if (own.readyState !== EventSource.CLOSED) return;
  stop();
  const [now, known] = await Promise.all([
    fetch("/session").then((answer) => answer.json()).catch(() => null),
    chosen ? fetch(`/api/v1/jobs/${encodeURIComponent(chosen)}`).catch(() => null) : null,
  ]);
  if (source !== null || identity === null) return;
  if (now && now.identity === null) door();
  else if (known?.status === 404) missing();
  else timer = setTimeout(watch, AGAIN);
}

function missing() {
  chosen = null;
  tell("");
  get("choose").textContent = "There is no such job.";
  get("choose").hidden = false;
  document.title = "No such job · Punchcard";
  watch(false);
}

function listed(told) {
  const moved = list.update(told);
  list.choose(chosen);
  get("more").hidden = !told.more || most >= MOST;
  if (moved.length) {
    get("spoken").textContent = moved.map(([, now]) => `${now.name}: ${state(now)}`).join(", ");
  }
}

function looked(told) {
  if (told === null) {
    job.clear();
    missing();
    return;
  }
  job.show(told);
  document.title = `${told.name} · ${state(told)} · Punchcard`;
}

function tell(text) {
  get("notice").textContent = text;
  get("notice").hidden = !text;
}

get("more").addEventListener("click", () => {
  most = Math.min(MOST, most + PAGE);
  watch(false);
});

get("cancel").addEventListener("click", () => get("sure").showModal());

get("sure").addEventListener("close", async () => {
  if (get("sure").returnValue !== "cancel" || chosen === null) return;
  get("sure").returnValue = "";
  try {
    const path = `/api/v1/jobs/${encodeURIComponent(chosen)}/cancel`;
    const answer = await fetch(path, { method: "POST" });
    if (!answer.ok) throw await refusal(answer);
  } catch (error) {
    tell(error.said ?? "The server cannot be reached, so the job has not been cancelled.");
  }
});

window.addEventListener("hashchange", route);
document.addEventListener("visibilitychange", () => {
  // A page that nobody sees needs no connection: a browser has six for all its pages.
  if (!document.hidden) {
    replaced = false;
    tell("");
  }
  watch(false);
});

start();
