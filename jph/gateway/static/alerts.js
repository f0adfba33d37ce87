// The alerts: asked for every few seconds, in the language of the page.
import { ask } from "./ask.js";
import { at, make, put, write } from "./dom.js";
import { t } from "./words.js";

const EVERY_MS = 5000;
const LANG = document.documentElement.lang === "fr" ? "fr" : "en-GB";
const WHEN = new Intl.DateTimeFormat(LANG, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
let timer = 0;

document.addEventListener("visibilitychange", () => document.hidden || load());
load();

async function load() {
  clearTimeout(timer);
  try {
    const nodes = await ask("GET", "/api/alerts");
    const open = nodes.flatMap((node) => node.open);
    const ended = nodes.flatMap((node) => node.ended);
    show(at("open"), open, t("No alert is open."));
    show(at("ended"), ended, t("No alert so far."));
    const waiting = nodes.reduce((sum, node) => sum + node.waiting, 0);
    put(at("waiting"), t("Notices that wait for their service: {count}", { count: waiting }));
    at("waiting").hidden = !waiting;
    online(true);
  } catch (error) {
    online(false, error.message);
  }
  if (!document.hidden) timer = setTimeout(load, EVERY_MS);
}

// Paints a list only when it is new: what reads the page aloud hears of each change.
function show(list, alerts, none) {
  const shown = alerts.map((alert) => `${alert.number} ${alert.ended}`).join(",");
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  const items = alerts.map((alert) =>
    make("li", { dataset: { number: alert.number } }, make("time", {}, when(alert)), make("span.said-text", {}, t(alert.text, alert.values))));
  list.replaceChildren(...(items.length ? items : [make("li", {}, none)]));
}

function when({ began, ended }) {
  if (!ended) return t("since {time}", { time: WHEN.format(began) });
  return t("{start} to {end}", { start: WHEN.format(began), end: WHEN.format(ended) });
}

function online(yes, why = "") {
  at("link").hidden = false;
  write(at("link"), yes ? t("live") : t("reconnecting"), yes ? "good" : "bad");
  put(at("trouble"), why);
  at("trouble").hidden = yes;
}
