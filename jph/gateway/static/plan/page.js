// The week of a room: ribbons that are dragged, slots that are typed, a preview before it is saved.
import { ask } from "../ask.js";
import { now } from "../clock.js";
import { at, make, put, toast, write } from "../dom.js";
import { ZONE, clock } from "../figures.js";
import { ribbon, wished } from "../rooms/ribbon.js";
import { change } from "../rooms/undo.js";
import { t } from "../words.js";
import { lane } from "./lane.js";
import { body, conflict, daysOf } from "./model.js";
import { editor } from "./slots.js";

const SOON_MS = 350;
const AGAIN_MS = 3000; // a Schedule node that does not answer may only be starting
const may = document.body.hasAttribute("data-may");
const items = [...document.querySelectorAll(".day")];
const names = items.map((item) => item.querySelector(".head").textContent);
const facts = at("room-facts") ? JSON.parse(at("room-facts").textContent) : null;
const path = facts ? `/api/plan/rooms/${facts.codifier}` : "";

let latest = null; // the week as the Schedule node has it
let weeks = { a: {}, b: {} };
let alternates = false;
let shown = "a";
let dirty = false;
let timer = 0;

if (facts) load();

async function load() {
  try {
    latest = await ask("GET", `${path}/week`);
    const plan = await ask("GET", `/api/plan?${ZONE}`);
    if (!plan.known) throw new Error(plan.said);
    over(plan);
    at("plan-away").hidden = true;
  } catch (error) {
    at("plan-away").hidden = false;
    put(at("away-why"), error.message);
    setTimeout(load, AGAIN_MS);
    return;
  }
  const value = facts.degrees ? Math.max(17, facts.minimum) : "eco";
  weeks = { a: daysOf(latest.a, value), b: daysOf(latest.b, value) };
  alternates = latest.alternates;
  shown = alternates ? latest.now.toLowerCase() : "a";
  dirty = false;
  draw();
  ahead();
}

function over(plan) {
  put(at("which"), plan.schedule ? t("Schedule {name}, week {week} now", { name: plan.schedule, week: latest.now }) : t("No schedule is followed"));
  const options = latest.schedules.map((name) => make("option", { value: name, selected: name === plan.schedule }, name));
  at("schedule").replaceChildren(make("option", { value: "" }, t("none")), ...options);
  const lines = plan.changes.map((each) => make("li", {}, `${clock(each.at)} · ${each.what} · ${each.author}`));
  at("changes").replaceChildren(...(lines.length ? lines : [make("li", {}, t("none yet"))]));
  if (at("undo")) at("undo").disabled = !plan.changes.length;
}

function draw() {
  const days = weeks[shown];
  for (const item of items) {
    const { day } = item.dataset;
    const name = names[Number(day) - 1];
    lane(item, days[day], name, may ? (slots, done) => edited(day, slots, done) : null);
    const place = item.querySelector(".edit");
    if (!place.hidden) editor(place, days[day], { name, names, day, facts, change: (slots) => edited(day, slots, true), copy: (to) => copy(day, to) });
  }
  for (const button of document.querySelectorAll("[data-week]")) {
    button.setAttribute("aria-pressed", String(alternates ? button.dataset.week === shown : button.dataset.week === ""));
    button.disabled = !may && button.dataset.week !== "" && !alternates;
  }
  const of = latest.schedule ?? t("a new schedule");
  put(at("week-said"), latest.own ? t("Slots of its own in {name}", { name: of }) : latest.schedule ? t("No slots of its own in {name}: those shown are a start, or a parent's", { name: of }) : t("No schedule yet: saving makes one and follows it"));
  if (!may) return;
  at("save").disabled = !dirty;
  at("discard").disabled = !dirty;
}

// A change in the editor; while a finger moves, only the ribbon follows.
function edited(day, slots, done) {
  weeks[shown] = { ...weeks[shown], [day]: slots };
  dirty = true;
  draw();
  if (!done) return;
  const found = conflict(weeks[shown]);
  refused(found ? found[0] : "", found ? t("Two slots begin at {time}: change one of them", { time: found[1] }) : "");
  at("save").disabled = Boolean(found);
  clearTimeout(timer);
  if (!found) timer = setTimeout(preview, SOON_MS);
}

function copy(day, to) {
  const slots = weeks[shown][day];
  const days = to ? [to] : Object.keys(weeks[shown]);
  for (const each of days) weeks[shown][each] = slots.map((slot) => ({ ...slot }));
  edited(day, slots, true);
  toast(to ? t("{day} is copied to {other}", { day: names[Number(day) - 1], other: names[Number(to) - 1] }) : t("{day} is copied to all days", { day: names[Number(day) - 1] }));
}

function given() {
  return { days: body(weeks.a, weeks.b, alternates), ...(latest.schedule ? { schedule: latest.schedule } : {}) };
}

async function preview() {
  try {
    show(await ask("POST", `${path}/week/preview`, given()), t("As it would be, after saving"));
    write(at("answer"), "");
  } catch (error) {
    write(at("answer"), error.message, "bad");
  }
}

async function ahead() {
  try {
    show(await ask("GET", `${path}/ahead?days=7`), t("Hand wishes, absences and rules are in it"));
  } catch (error) {
    put(at("ahead-said"), error.message);
  }
}

function show(found, said) {
  put(at("ahead-said"), said);
  const lines = [...at("ahead").children];
  lines.forEach((line, index) => {
    const [start, end] = found.days.slice(index, index + 2);
    put(line.firstElementChild, names[(found.first - 1 + index) % 7].slice(0, 3));
    const before = found.changes.findLast(([when]) => when <= start);
    const within = found.changes.filter(([when]) => when > start && when < end);
    const listed = before ? [[start, before[1], before[2]], ...within] : within;
    ribbon(line.querySelector(".ribbon"), listed, start, end, now());
    line.title = listed.map(([when, value]) => `${clock(when)} ${wished(value)}`).join(", ");
  });
}

// Says at its day what is refused.
function refused(day, text) {
  for (const item of items) {
    const line = item.querySelector(".conflict");
    line.hidden = item.dataset.day !== day;
    put(line, item.dataset.day === day ? text : "");
  }
}

async function save() {
  at("save").disabled = true;
  try {
    await ask("PUT", `${path}/week`, { ...given(), version: latest.version });
    toast(t("The week is saved"), "good");
    write(at("answer"), "");
    await load();
  } catch (error) {
    write(at("answer"), error.message, "bad");
    at("save").disabled = false;
  }
}

function alternate(week) {
  if (week === "") {
    if (alternates) weeks.b = weeks.a = weeks[shown];
    dirty = dirty || alternates;
    alternates = false;
    shown = "a";
  } else {
    if (!alternates) weeks = { a: weeks.a, b: structuredClone(weeks.a) };
    dirty = dirty || !alternates;
    alternates = true;
    shown = week;
  }
  draw();
}

document.addEventListener("click", (event) => {
  const head = event.target.closest(".head");
  const week = event.target.closest("[data-week]");
  if (week && latest) alternate(week.dataset.week);
  if (!head || !latest || !may) return;
  const item = head.closest(".day");
  const open = head.getAttribute("aria-expanded") !== "true";
  head.setAttribute("aria-expanded", String(open));
  item.querySelector(".edit").hidden = !open;
  draw();
});
at("save")?.addEventListener("click", save);
at("discard")?.addEventListener("click", () => {
  refused("", "");
  write(at("answer"), "");
  load();
});
at("undo")?.addEventListener("click", () => change("POST", "/api/plan/undo", undefined, t("Taken back"), load, false));
at("schedule")?.addEventListener("change", (event) => {
  const schedule = event.target.value || null;
  change("PUT", "/api/plan/schedule", { schedule }, schedule ? t("Schedule {name} is followed", { name: schedule }) : t("No schedule is followed"), load);
});
