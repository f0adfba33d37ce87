// Orders for heaters: a tap for a room, a dialog for everything else; answers are the cards' own.
import { ask } from "./ask.js";
import { ORDERS, rows, watch } from "./board.js";
import { carry, nameOf, reason } from "./carries.js";
import { now } from "./clock.js";
import { at, make, put, toast, write } from "./dom.js";
import { ZONE, clock } from "./figures.js";
import { t } from "./words.js";

const SOON_MS = 300;
const EVERY_MS = 15_000; // sentences tell times, and what rows do not
const DAY_S = 86_400;
let known = new Map(); // codifier -> last answer of /api/heaters
let target = ""; // whom the dialog is about
let timer = 0;
const masks = new Set(JSON.parse(at("masks").textContent)); // elements that shed

watch((changed) => {
  for (const item of document.querySelectorAll(".heater")) carry(item);
  press();
  if (changed.some(matters)) soon();
});
setInterval(soon, EVERY_MS);

document.addEventListener("click", (event) => {
  const tap = event.target.closest("[data-give]");
  const asks = event.target.closest("[data-ask]");
  const code = event.target.closest("[data-why]")?.dataset.why;
  if (tap) room(tap.closest("[data-target]"), tap.dataset.give);
  else if (asks) open(asks.dataset.ask, asks.dataset.label, asks.dataset);
  else if (code) open(code, known.has(code) ? nameOf(known.get(code)) : code, {});
});

// What orders and cards tell changes the sentences; temperatures and currents need not.
function matters(code) {
  return rows.get(code)?.order !== undefined || masks.has(code);
}

function soon() {
  timer ||= setTimeout(refresh, SOON_MS);
}

async function refresh() {
  timer = 0;
  if (document.hidden) return;
  try {
    const heaters = await ask("GET", `/api/heaters?${ZONE}`);
    known = new Map(heaters.map((heater) => [heater.codifier, heater]));
  } catch {
    return; // the stream tells that the gateway is away; what was known stays
  }
  for (const item of document.querySelectorAll(".heater")) {
    if (known.has(item.dataset.code)) reason(item, known.get(item.dataset.code));
  }
  if (at("give").open) sentences();
}

// Of a room, the order that all its heaters have is pressed.
function press() {
  for (const room of document.querySelectorAll("[data-target]")) {
    const orders = new Set([...room.querySelectorAll(".heater")].map((item) => rows.get(item.dataset.code)?.order));
    for (const button of room.querySelectorAll("[data-give]")) {
      const all = orders.size === 1 && orders.has(button.dataset.give);
      if (button.getAttribute("aria-pressed") !== String(all)) button.setAttribute("aria-pressed", String(all));
    }
  }
}

async function room(card, order) {
  const said = card.querySelector(".answer");
  const buttons = card.querySelectorAll("[data-give]");
  write(said, t("waiting for the card…"));
  for (const button of buttons) button.disabled = true;
  try {
    const given = await ask("POST", "/api/heaters/orders", { target: card.dataset.target, order });
    write(said, given.heaters.map((each) => `${each.codifier}: ${each.text}`).join(" · "), given.done ? "good" : "bad");
  } catch (error) {
    write(said, error.message, "bad");
  }
  for (const button of buttons) button.disabled = button.hasAttribute("data-never");
  soon();
}

/** @param {string} whom @param {string} label @param {{orderFirst?: string, seconds?: string}} preset */
function open(whom, label, { orderFirst, seconds }) {
  target = whom;
  put(at("give-title"), label);
  const form = at("give-form").elements;
  if (at("give-yes")) {
    const now = known.get(whom)?.order;
    for (const input of form.order) input.checked = input.value === (orderFirst ?? now);
    form.lasts.value = seconds ?? "";
    at("give-answers").replaceChildren();
    hint();
  }
  sentences();
  at("give").showModal();
}

// Why the heater does what it does, where the dialog is about one.
function sentences() {
  const heater = known.get(target);
  const texts = heater?.why ?? [];
  const shown = [...at("give-why").children].map((each) => each.textContent);
  if (shown.join() !== texts.join()) at("give-why").replaceChildren(...texts.map((text) => make("p", {}, text)));
}

function lasts() {
  const form = at("give-form").elements;
  if (form.lasts.value !== "at") return Number(form.lasts.value);
  const [hours, minutes] = form.at.value.split(":").map(Number);
  const end = new Date(now());
  end.setHours(hours, minutes, 0, 0);
  const left = Math.round((end.getTime() - now()) / 1000);
  return left > 0 ? left : left + DAY_S;
}

function hint() {
  const form = at("give-form").elements;
  at("at-field").hidden = form.lasts.value !== "at";
  const seconds = lasts();
  put(
    at("give-hint"),
    seconds
      ? t("Until {time}; then the card itself goes back to what was ordered before, whatever happens here.", { time: clock(now() + 1000 * seconds) })
      : t("It stays until the next order."),
  );
}

async function give() {
  const order = at("give-form").elements.order.value;
  if (!order) {
    answers([t("Choose an order first")], "bad");
    return;
  }
  const seconds = lasts();
  at("give-yes").disabled = true;
  answers([t("waiting for the card…")]);
  try {
    const given = await ask("POST", "/api/heaters/orders", { target, order, ...(seconds ? { seconds } : {}) });
    at("give-answers").replaceChildren(
      ...given.heaters.map((each) =>
        make("li.said", { dataset: { mood: each.followed ? "good" : "bad" } }, `${each.codifier} ${nameOf(each)}: ${each.text}`),
      ),
    );
    if (given.done) {
      const order = ORDERS[given.order];
      const count = given.heaters.length;
      toast(count === 1 ? t("1 heater: {order}", { order }) : t("{count} heaters: {order}", { count, order }), "good");
      at("give").close();
    }
  } catch (error) {
    answers([error.message], "bad");
  }
  at("give-yes").disabled = false;
  soon();
}

function answers(texts, mood = "") {
  at("give-answers").replaceChildren(...texts.map((text) => make("li.said", { dataset: { mood } }, text)));
}

at("give-yes")?.addEventListener("click", give);
at("give-form").addEventListener("change", () => at("give-yes") && hint());
