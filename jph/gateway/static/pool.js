// The pool: asked for every few seconds; the switch shows what the node answers, not what was hoped.
import { ask } from "./ask.js";
import { now } from "./clock.js";
import { at, mark, put, toast, write } from "./dom.js";
import { clock, figure, span } from "./figures.js";
import { t } from "./words.js";

const EVERY_MS = 3000;
const LONG_TIMEOUT = ["late", "dead", "silent"];
let timer = 0;
let wide = 0;

document.addEventListener("visibilitychange", () => document.hidden || load());
for (const place of document.querySelectorAll("[data-pool]")) {
  place.addEventListener("click", (event) => {
    const button = event.target.closest("[data-mode]");
    if (button) command(place, button);
  });
}
new ResizeObserver(([entry]) => {
  if (Math.round(entry.contentRect.width) === wide) return;
  wide = Math.round(entry.contentRect.width);
  load();
}).observe(at("content"));

async function load() {
  clearTimeout(timer);
  try {
    for (const pool of await ask("GET", "/api/pool")) {
      const place = document.querySelector(`[data-pool="${pool.code}"]`);
      if (place) paint(place, pool);
    }
    online(true);
  } catch (error) {
    online(false, error.message);
  }
  if (!document.hidden) timer = setTimeout(load, EVERY_MS);
}

async function command(place, button) {
  const buttons = place.querySelectorAll("[data-mode]");
  buttons.forEach((each) => (each.disabled = true));
  try {
    const answer = await ask("POST", `/sensormsg/${place.dataset.switch}/A/${button.dataset.mode}`);
    toast(answer.text, answer.done === false ? "bad" : "good");
  } catch (error) {
    toast(error.message, "bad");
  }
  buttons.forEach((each) => (each.disabled = false));
  button.focus();
  load();
}

function paint(place, pool) {
  const part = (name) => place.querySelector(`[data-part="${name}"]`);
  const away = LONG_TIMEOUT.includes(pool.state);
  place.dataset.switch = pool.switch;
  put(part("temperature"), pool.temperature === null ? "–" : figure(pool.temperature, 1));
  put(part("warmest"), pool.warmest === null ? "" : t("the warmest that counts: {temperature} °C", { temperature: figure(pool.warmest, 1) }));
  put(part("done"), pool.done === null ? "–" : hours(pool.done));
  put(part("planned"), pool.planned === null ? "" : t("of {hours}", { hours: hours(pool.planned) }));
  put(part("why"), reason(pool));
  const state = away || pool.running === null ? t("not known") : pool.running ? t("runs") : t("stands still");
  write(part("pump"), state, away ? "bad" : pool.running ? "good" : "");
  put(part("next"), away ? t("its node is {state}", { state: t(pool.state) }) : next(pool));
  part("timeline").replaceChildren(timeline(pool, part("timeline").clientWidth));
  part("switch").hidden = !pool.switch;
  if (part("mode")) put(part("mode"), words(pool.mode));
  for (const button of place.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.word === pool.mode));
  mark(place, "state", pool.state);
}

const words = (mode) => ({ auto: t("Automatic"), on: t("On"), off: t("Off") })[mode] ?? "–";
const hours = (number) => `${Math.floor(Math.round(number * 60) / 60)} h ${String(Math.round(number * 60) % 60).padStart(2, "0")}`;

function reason({ why }) {
  return {
    temperature: t("half of the water's temperature, in hours"),
    winter: t("cold water: a stir of the winter"),
    hot: t("hot water: all day"),
    frost: t("near freezing: kept moving"),
    unknown: t("the water's temperature is not known"),
  }[why] ?? "";
}

function next({ mode, running, ahead }) {
  if (mode === "on") return t("forced on until the switch says otherwise");
  if (mode === "off") return t("forced off until the switch says otherwise");
  if (!ahead) return t("done for today");
  if (running) return t("until {time}", { time: clock(ahead.end) });
  return t("in {span}, at {time}", { span: span((ahead.start - now()) / 1000), time: clock(ahead.start) });
}

function timeline({ day, runs, ahead }, room) {
  const width = Math.max(260, room);
  const x = (ms) => ((Math.min(Math.max(ms, day.start), day.end) - day.start) / (day.end - day.start)) * width;
  const list = runs.map((run) => `${clock(run.start)} – ${clock(run.end)}`).join(", ");
  const picture = svg("svg", { viewBox: `0 0 ${width} 58`, width, height: 58, role: "img", "aria-label": list ? t("Has run: {times}", { times: list }) : t("Has not run yet today") });
  picture.append(svg("rect", { class: "day", x: 0, y: 8, width, height: 26, rx: 7 }));
  if (ahead) picture.append(svg("rect", { class: "ahead", x: x(ahead.start), y: 8, width: Math.max(2, x(ahead.end) - x(ahead.start)), height: 26, rx: 5 }));
  for (const run of runs) picture.append(svg("rect", { class: "ran", x: x(run.start), y: 8, width: Math.max(2, x(run.end) - x(run.start)), height: 26, rx: 5 }));
  const present = x(now());
  picture.append(svg("path", { class: "now", d: `M${present} 3V39` }));
  const every = width < 500 ? 6 : 3;
  for (let hour = 0; hour <= 24; hour += every) {
    const at = (hour / 24) * width;
    const text = svg("text", { x: at, y: 53, "text-anchor": hour === 0 ? "start" : hour === 24 ? "end" : "middle" });
    text.textContent = String(hour);
    picture.append(text);
  }
  return picture;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function online(yes, why = "") {
  at("link").hidden = false;
  write(at("link"), yes ? t("live") : t("reconnecting"), yes ? "good" : "bad");
  put(at("trouble"), why);
  at("trouble").hidden = yes;
}
