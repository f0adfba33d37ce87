// The page of energy: what is asked for is in the address, what is shown comes from /api/energy.
import { ask } from "../ask.js";
import { at, put, write } from "../dom.js";
import { t } from "../words.js";
import { bars, table } from "./bars.js";
import { figures } from "./figures.js";
import { bill, heaters, peaks, phases } from "./tables.js";
import { label } from "./words.js";

const AGAIN_MS = 60_000;
const RETRY_MS = 5_000;

const asked = new URLSearchParams(location.search);
const state = {
  span: ["day", "week", "month", "year"].includes(asked.get("span")) ? asked.get("span") : "month",
  at: /^\d{4}-\d\d-\d\d$/.test(asked.get("at") ?? "") ? asked.get("at") : "",
  unit: asked.get("unit") === "money" && !at("money").disabled ? "money" : "wh",
};
let report = null;
let timer = 0;
let turn = 0;

for (const button of document.querySelectorAll("[data-span]")) {
  button.addEventListener("click", () => go({ span: button.dataset.span, at: state.at }));
}
for (const button of document.querySelectorAll("[data-unit]")) {
  button.addEventListener("click", () => {
    state.unit = button.dataset.unit;
    keep();
    draw();
  });
}
at("earlier").addEventListener("click", () => go({ at: report.earlier }));
at("later").addEventListener("click", () => go({ at: report.later }));
at("now").addEventListener("click", () => go({ at: "" }));
addEventListener("popstate", () => location.reload());
document.addEventListener("visibilitychange", () => document.hidden || load());
new ResizeObserver(() => report && draw()).observe(at("chart"));

function go(change) {
  Object.assign(state, change);
  keep(true);
  load();
}

function keep(push = false) {
  const query = new URLSearchParams({ span: state.span });
  if (state.at) query.set("at", state.at);
  if (state.unit !== "wh") query.set("unit", state.unit);
  history[push ? "pushState" : "replaceState"](null, "", `?${query}`);
}

async function load() {
  clearTimeout(timer);
  const mine = ++turn;
  press();
  at("report").setAttribute("aria-busy", "true");
  const query = new URLSearchParams({ span: state.span, ...(state.at ? { at: state.at } : {}) });
  let wait = AGAIN_MS;
  try {
    const found = await ask("GET", `/api/energy?${query}`);
    if (mine !== turn) return;
    report = found;
    at("trouble").hidden = true;
    online(true);
    draw();
  } catch (error) {
    if (mine !== turn) return;
    write(at("trouble"), error.message, "warn");
    at("trouble").hidden = false;
    online(false);
    wait = RETRY_MS;
  }
  at("report").setAttribute("aria-busy", "false");
  timer = setTimeout(() => (document.hidden ? null : load()), wait);
}

function online(yes) {
  at("link").hidden = false;
  write(at("link"), yes ? t("live") : t("reconnecting"), yes ? "good" : "bad");
}

function press() {
  for (const button of document.querySelectorAll("[data-span]")) {
    button.setAttribute("aria-pressed", String(button.dataset.span === state.span));
  }
  for (const button of document.querySelectorAll("[data-unit]")) {
    button.setAttribute("aria-pressed", String(button.dataset.unit === state.unit));
  }
}

function draw() {
  press();
  put(at("when"), label(report));
  at("earlier").disabled = !report.earlier;
  at("later").disabled = !report.later;
  at("now").hidden = report.running;
  put(at("chart-title"), title());
  figures(at("figures"), report);
  bars(at("chart"), at("legend"), at("caption"), report, state.unit, open);
  table(at("numbers"), report);
  bill(report);
  phases(report);
  heaters(report);
  peaks(at("peaks"), at("peak-caption"), report);
}

// A day of a week or month, a month of a year, opens on a click.
function open(bar) {
  if (report.span !== "day") go({ span: report.span === "year" ? "month" : "day", at: bar.at });
}

function title() {
  return { day: t("By hour"), week: t("By day"), month: t("By day"), year: t("By month") }[report.span];
}

load();
