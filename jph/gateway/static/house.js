// The page of the house.
import { ask } from "./ask.js";
import { STATES, age, rows, watch } from "./board.js";
import { carry, nameOf, reason } from "./carries.js";
import { BASE, at, make, mark, put, write } from "./dom.js";
import { ZONE, clock, kWh, span } from "./figures.js";
import { relate } from "./history.js";
import { isBlind } from "./unknown.js";
import { t } from "./words.js";

const EVERY_MS = 15_000; // sentences tell times, and what rows do not
const SOON_MS = 400; // changes that come together are asked about together
const watched = JSON.parse(at("watched").textContent); // node -> [name, timeout]
const masks = new Set(JSON.parse(at("masks").textContent)); // elements that shed
const BAD = ["dead", "silent", "late", "halted"];
const TROUBLE = {
  dead: (facts) => t("{name} is dead: no sign of life for {time}, expected every {limit} s", facts),
  late: (facts) => t("{name} is late: no sign of life for {time}, expected every {limit} s", facts),
  silent: (facts) => t("{name} has never been heard", facts),
  halted: (facts) => t("{name} is halted: it sends no values", facts),
};

let house = null; // what /api/house facts last
let timer = 0;
let asking = false;

watch((changed, board) => {
  for (const item of document.querySelectorAll(".heater")) carry(item);
  phases();
  troubles();
  shedding();
  if (board.history && at("history")) relate(board.history);
  if (changed.some(matters)) soon();
});
setInterval(troubles, 5000);
setInterval(soon, EVERY_MS);
document.addEventListener("visibilitychange", soon);
document.addEventListener("click", (event) => {
  const code = event.target.closest("[data-why]")?.dataset.why;
  if (code) why(code);
});

// Whether what a codifier says changes why heaters do what they do.
function matters(code) {
  return rows.get(code)?.order !== undefined || masks.has(code);
}

function soon() {
  if (document.hidden || timer) return;
  timer = setTimeout(refresh, house ? SOON_MS : 0);
}

async function refresh() {
  timer = 0;
  if (asking) return soon();
  asking = true;
  try {
    house = await ask("GET", `/api/house?${ZONE}`);
    glance();
    house.phases.forEach(({ phase, held }) => put(document.querySelector(`.held[data-phase="${phase}"]`), held));
    house.heaters.forEach(tell);
    house.loads.forEach(({ codifier, why }) => put(document.querySelector(`[data-load="${codifier}"]`), why.join(" ")));
    if (at("energy-parts")) put(at("energy-parts"), house.energy);
  } catch {
    // the stream tells that the gateway is away; what was known stays
  } finally {
    asking = false;
  }
}

function glance() {
  const end = house.glance.tariff_ends;
  if (at("tariff-end")) put(at("tariff-end"), end ? t("until {time}, as on the last days", { time: clock(end) }) : "\u00a0");
  const tile = at("today");
  if (!tile) return;
  const today = house.glance.energy;
  const bars = tile.querySelector(".versus");
  bars.hidden = !(today && today.yesterday);
  put(tile.querySelector('[data-part="kwh"]'), today ? kWh(today.wh) : "–");
  put(tile.querySelector('[data-part="versus"]'), versus(today));
  if (bars.hidden) return;
  const most = Math.max(today.wh, today.yesterday, 1);
  bars.querySelector(".now").style.width = `${(100 * today.wh) / most}%`;
  bars.querySelector(".then").style.width = `${(100 * today.yesterday) / most}%`;
}

function versus(today) {
  if (!today) {
    return house.history === "away"
      ? t("No history now: PostgreSQL does not answer")
      : t("No history of today yet");
  }
  const time = clock(today.until);
  if (today.yesterday === null) return t("until {time}; yesterday is not known", { time });
  return t("yesterday by {time}: {kwh} kWh", { time, kwh: kWh(today.yesterday) });
}

function tell(heater) {
  const item = document.querySelector(`.heater[data-code="${heater.codifier}"]`);
  // Where many are shed the line of their phase tells why; a click tells of each.
  const phase = house.phases.find((each) => each.phase === heater.phase);
  const many = (phase?.shed?.length ?? 0) > 1;
  if (item) reason(item, many ? { ...heater, reason: "" } : heater);
  if (at("why").open && at("why").dataset.code === heater.codifier) sentences(heater);
}

function why(code) {
  const heater = house?.heaters.find((each) => each.codifier === code);
  if (!heater) return;
  at("why").dataset.code = code;
  put(at("why-title"), nameOf(heater));
  at("why-graph").href = `${BASE}/graphs?codes=${encodeURIComponent(code)}`;
  sentences(heater);
  at("why").showModal();
}

function sentences(heater) {
  at("why-said").replaceChildren(...heater.why.map((text) => make("p", {}, text)));
}

function phases() {
  for (const line of document.querySelectorAll(".left")) {
    const story = rows.get(line.dataset.story);
    const gauge = line.closest(".phase").querySelector(".gauge");
    if (story && (story.state !== "alive" || gauge?.hasAttribute("data-unknown"))) {
      mark(line, "mood", "");
      put(line, t("whether a trip is near is not known"));
      continue;
    }
    const seconds = story?.number;
    const near = seconds !== undefined && seconds >= 0;
    mark(line, "mood", near ? "bad" : "");
    put(line, near ? t("the breaker opens in {time}", { time: span(seconds) }) : seconds === undefined ? "\u00a0" : t("no trip is near"));
  }
}

function shedding() {
  const line = at("shedding");
  if (!line) return;
  const shed = [...document.querySelectorAll(".heater[data-shed]")].length;
  const over = [...document.querySelectorAll('.gauge[data-level="over"]')].length;
  const known = [...document.querySelectorAll(".heater")].some((item) => rows.get(item.dataset.code)?.shed !== undefined);
  // A heater that is shed is a fact; that none is shed needs every shedder.
  const unsure = shed === 0 && (isBlind("shedder") || !known);
  let text = unsure ? t("What is shed is not known") : shed === 0 ? t("Nothing is shed") : shed === 1 ? t("1 heater off for the breaker") : t("{count} heaters off for the breaker", { count: shed });
  if (over) text += t("; a phase is above its limit");
  write(line, text, over ? "bad" : shed || unsure ? "warn" : "good");
}

// What is late or dead, in plain words.
function troubles() {
  const bad = Object.keys(watched).filter((code) => BAD.includes(rows.get(code)?.state));
  const count = Object.keys(watched).length;
  const grave = bad.some((code) => ["dead", "silent"].includes(rows.get(code).state));
  const nodes = bad.length === 1 ? t("1 node of {count} needs a look", { count }) : t("{bad} nodes of {count} need a look", { bad: bad.length, count });
  write(at("nodes"), bad.length ? nodes : isBlind() ? "" : t("All {count} nodes are alive", { count }), grave ? "bad" : bad.length ? "warn" : isBlind() ? "" : "good");
  const list = at("troubles");
  at("trouble").hidden = bad.length === 0;
  const same = [...list.children].map((item) => item.dataset.is).join();
  const now = bad.map((code) => `${code}${rows.get(code).state}`).join();
  if (same !== now) {
    list.replaceChildren(
      ...bad.map((code) =>
        make("li", { dataset: { is: `${code}${rows.get(code).state}`, of: code } }, make("a", { href: `${BASE}/network#${code}` })),
      ),
    );
  }
  for (const item of list.children) {
    const [name, limit] = watched[item.dataset.of];
    const facts = { name: `${name} (${item.dataset.of})`, time: span(age(item.dataset.of) ?? 0), limit };
    put(item.firstChild, TROUBLE[rows.get(item.dataset.of).state](facts));
    item.firstChild.title = STATES[rows.get(item.dataset.of).state];
  }
}
