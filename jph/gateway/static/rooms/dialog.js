// One room: why it has its wish, what comes, and everything that can be wished.
import { ask } from "../ask.js";
import { BASE, at, make, put, write } from "../dom.js";
import { clock, short, span } from "../figures.js";
import { t } from "../words.js";
import { wished } from "./ribbon.js";
import { change } from "./undo.js";

const HOUR_S = 3600;
let shown = null; // the room that the dialog is about
let after = () => undefined;

/** @param {any} room @param {() => any} latest */
export function open(room, latest) {
  after = latest;
  shown = room;
  write(at("room-answer"), "");
  at("layers").replaceChildren();
  at("coming").replaceChildren();
  draw();
  at("room").showModal();
  explain();
}

// The page has news of the rooms.
export function redraw(rooms) {
  if (!shown || !at("room").open) return;
  shown = rooms.find((each) => each.codifier === shown.codifier) ?? shown;
  draw();
  explain();
}

function draw() {
  put(at("room-title"), shown.name);
  const warm = shown.temperature === null ? t("temperature not known") : t("{temperature}° now, read {time} ago", { temperature: short(shown.temperature, 1), time: span(shown.age ?? 0) });
  const has = shown.thermometers.length ? warm : t("no thermometer: it takes orders only");
  put(at("room-now"), t("{has}; wished {wish}; {phrase}", { has, wish: wished(shown.wish), phrase: shown.phrase }));
  at("room-plan").href = `${BASE}/plan?room=${encodeURIComponent(shown.codifier)}`;
  if (!at("boost")) return;
  at("boost-block").hidden = !shown.boost;
  at("orders").hidden = shown.thermometers.length > 0;
  at("boost-said").replaceChildren(...(shown.boost?.said ?? []).map((text) => make("li", {}, text)));
  for (const button of at("room").querySelectorAll("[data-wish]")) button.setAttribute("aria-pressed", String(shown.wish === button.dataset.wish));
}

async function explain() {
  const code = shown.codifier;
  let latest;
  try {
    latest = await ask("GET", `/api/plan/rooms/${code}?hours=24`);
  } catch (error) {
    write(at("room-answer"), error.message, "bad");
    return;
  }
  if (code !== shown.codifier) return;
  at("layers").replaceChildren(
    ...latest.layers.flatMap(({ label, text, decides }) => [
      make("dt", decides ? { dataset: { decides: "" } } : {}, label),
      make("dd", decides ? { dataset: { decides: "" } } : {}, decides ? t("{text} — decides", { text }) : text),
    ]),
  );
  const lines = latest.coming.map((each) => t("{time}: {wish}", { time: clock(each.at), wish: wished(each.wish) }));
  at("coming").replaceChildren(...(lines.length ? lines : [t("no change")]).map((text) => make("li", {}, text)));
}

// Closes when it is done: what follows is on the page, with Undo.
async function done(method, path, body, text) {
  if (await change(method, `/api/plan/rooms/${shown.codifier}${path}`, body, text, after)) at("room").close();
}

at("boost")?.addEventListener("click", () => {
  const { wish } = shown.boost;
  done("PUT", "/wish", { value: wish, seconds: HOUR_S, boost: true }, t("{room}: {wish} for an hour", { room: shown.name, wish: wished(wish) }));
});
at("hold")?.addEventListener("change", (event) => {
  const { value } = event.target;
  event.target.value = "";
  if (!value) return;
  const seconds = Number(value);
  const end = seconds ? { seconds } : { until: value === "next" ? "next" : null };
  done("PUT", "/wish", { value: shown.wish, ...end }, t("{room}: {wish} is held", { room: shown.name, wish: wished(shown.wish) }));
});
at("room").addEventListener("click", (event) => {
  const order = event.target.closest("[data-wish]")?.dataset.wish;
  const verb = event.target.closest("[data-do]")?.dataset.do;
  const room = shown?.name;
  if (order) done("PUT", "/wish", { value: order, until: shown.then ? "next" : null }, t("{room}: {wish}", { room, wish: wished(order) }));
  else if (verb === "cancel") done("DELETE", "/wish", undefined, t("{room} follows its plan", { room }));
  else if (verb) done("POST", `/${verb}`, undefined, verb === "skip" ? t("{room} skips the next change", { room }) : t("{room} begins the next slot", { room }));
});
