// The rooms of the house: temperature, wish, one phrase, today's plan; a tap tells and changes more.
import { ask } from "../ask.js";
import { rows, watch } from "../board.js";
import { now } from "../clock.js";
import { at, mark, put } from "../dom.js";
import { ZONE, clock, short, span } from "../figures.js";
import { t } from "../words.js";
import { leaving } from "./away.js";
import { open, redraw } from "./dialog.js";
import { arranging } from "./order.js";
import { ribbon, wished } from "./ribbon.js";
import { change } from "./undo.js";

const EVERY_MS = 20_000;
const SOON_MS = 400;
const SETTLED_MS = 700; // taps on − and + that come together are one wish
const HALF = 2;
const masks = new Set(JSON.parse(at("masks").textContent)); // elements that shed
const may = document.body.hasAttribute("data-may");

let plan = null; // what /api/plan latest last
let timer = 0;
const pending = new Map(); // room -> the wish that is not sent yet, and its timer

watch((changed) => {
  if (!plan || changed.some(matters)) soon();
});
setInterval(soon, EVERY_MS);
document.addEventListener("visibilitychange", soon);
document.addEventListener("click", (event) => {
  const tile = event.target.closest("[data-room]")?.dataset.room;
  const step = event.target.closest("[data-step]");
  const order = event.target.closest(".tile [data-wish]");
  const opens = event.target.closest("[data-open]");
  if (step) bump(tile, Number(step.dataset.step));
  else if (order) wish(tile, order.dataset.wish);
  else if (opens && plan) open(room(opens.dataset.open), latest);
});
arranging();
if (may) leaving(() => plan, latest);
at("undo")?.addEventListener("click", () => change("POST", "/api/plan/undo", undefined, t("Taken back"), latest, false));
soon();

function room(code) {
  return plan.rooms.find((each) => each.codifier === code);
}

// What the page shows hangs on wishes, thermometers, orders and masks.
function matters(code) {
  if (rows.get(code)?.order !== undefined || masks.has(code)) return true;
  return plan.rooms.some((each) => each.codifier === code || each.thermometers.includes(code));
}

function soon() {
  if (document.hidden) return;
  timer ||= setTimeout(refresh, plan ? SOON_MS : 0);
}

function latest() {
  clearTimeout(timer);
  return refresh();
}

async function refresh() {
  timer = 0;
  try {
    plan = await ask("GET", `/api/plan?${ZONE}`);
  } catch {
    return; // the stream tells that the gateway is away; what was known stays
  }
  at("plan-away").hidden = plan.known;
  put(at("headline"), plan.headline);
  put(at("under"), under());
  put(at("strip-said"), plan.breaker ? plan.breaker.said : t("no meter"));
  mark(at("strip"), "level", plan.breaker?.level ?? "unknown");
  if (at("undo")) {
    const last = plan.changes[0];
    at("undo").disabled = !last;
    at("undo").title = last ? `${last.what} (${last.author}, ${clock(last.at)})` : "";
  }
  if (at("leave")) put(at("leave"), plan.away ? t("I am home") : `${t("Away")}…`);
  plan.rooms.forEach(tile);
  redraw(plan.rooms);
}

function under() {
  const away = plan.away;
  if (!away) return plan.schedule ? t("Plan: {name}", { name: plan.schedule }) : t("No plan of the week yet");
  if (away.start_ms > now()) return t("Away from {from} to {until}", { from: clock(away.start_ms), until: away.until_ms ? clock(away.until_ms) : "?" });
  return away.until_ms ? t("Away until {until}", { until: clock(away.until_ms) }) : t("Away until you are home");
}

function tile(each) {
  const card = document.querySelector(`[data-room="${each.codifier}"]`);
  if (!card) return;
  mark(card, "state", each.state);
  card.toggleAttribute("data-unknown", each.wish === null || (each.thermometers.length > 0 && each.temperature === null));
  const part = (name) => card.querySelector(`[data-part="${name}"]`);
  put(part("temp"), each.temperature === null ? "?" : `${short(each.temperature, 1)}°`);
  if (part("temp")) part("temp").title = each.age === null ? t("not known") : t("read {time} ago", { time: span(each.age) });
  const waits = pending.get(each.codifier);
  show(card, waits ? waits.value : each.wish, Boolean(waits));
  put(part("phrase"), each.phrase);
  const then = each.then;
  put(part("then"), then ? `${wished(then.wish)} ${clock(then.at)}` : each.wish === null ? "?" : t("no change in 24 h"));
  ribbon(card.querySelector(".ribbon"), each.ribbon, plan.day_start, plan.day_end, now());
  const degrees = each.degrees;
  for (const button of card.querySelectorAll("[data-step]")) {
    button.disabled = degrees === null || (Number(button.dataset.step) > 0 ? degrees >= each.maximum : degrees <= each.minimum);
  }
  for (const button of card.querySelectorAll("[data-wish]")) {
    button.disabled = each.wish === null;
    button.setAttribute("aria-pressed", String(each.wish === button.dataset.wish));
  }
}

function show(card, value, soft) {
  put(card.querySelector('[data-part="wish"]'), wished(value));
  card.querySelector(".step").toggleAttribute("data-soft", soft);
}

// One tap is half a degree; what comes together is one wish.
function bump(code, by) {
  const each = room(code);
  const before = pending.get(code);
  clearTimeout(before?.timer);
  const value = Math.min(each.maximum, Math.max(each.minimum, Math.round(HALF * ((before?.value ?? each.degrees) + by)) / HALF));
  pending.set(code, { value, timer: setTimeout(() => wish(code, value), SETTLED_MS) });
  show(document.querySelector(`[data-room="${code}"]`), value, true);
}

async function wish(code, value) {
  const each = room(code);
  const until = each.then ? "next" : null;
  const text = t("{room}: {wish}", { room: each.name, wish: wished(value) });
  await change("PUT", `/api/plan/rooms/${code}/wish`, { value, until }, text, () => {
    pending.delete(code);
    return latest();
  });
}
