// The log: asks for lines after the last one, waits for more, shows those that the filter lets pass.
import { ask } from "./ask.js";
import { at, make, put, write } from "./dom.js";
import { t } from "./words.js";

const MOST_KEPT = 4000;
const MOST_SHOWN = 1500;
const WAIT_S = 10;
const RETRY_MS = 3000;
const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
const SAID = { DEBUG: t("debug"), INFO: t("info"), WARNING: t("warning"), ERROR: t("error"), CRITICAL: t("critical") };
const LANG = document.documentElement.lang === "fr" ? "fr" : "en-GB";
const TIME = new Intl.DateTimeFormat(LANG, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(LANG, { weekday: "short", day: "numeric", month: "short" });

const list = at("lines");
const kept = [];
let last = -1;
let epoch = "";
let trusted = false; // the first answer after a silence is not waited for
let shownDay = "";
let late = 0; // lines that came while paused

read();
for (const id of ["text", "code", "level"]) at(id).addEventListener("input", again);
at("filter").addEventListener("submit", (event) => event.preventDefault());
at("pause").addEventListener("click", () => pause(at("pause").getAttribute("aria-pressed") !== "true"));
at("follow").addEventListener("change", () => toEnd());
list.addEventListener("click", pick);
list.addEventListener("scroll", () => {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  if (atEnd !== at("follow").checked) at("follow").checked = atEnd;
});
run();

async function run() {
  for (;;) {
    try {
      take(await ask("GET", `/api/log?after=${last}&epoch=${epoch}&wait=${trusted ? WAIT_S : 0}`));
      trusted = true;
      online(true);
    } catch (error) {
      trusted = false;
      online(false, error.message);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function take(found) {
  if (epoch && found.epoch !== epoch) clear();
  epoch = found.epoch;
  last = found.last;
  kept.push(...found.lines);
  kept.splice(0, kept.length - MOST_KEPT);
  if (paused()) {
    late += found.lines.filter(passes).length;
    tellPause();
  } else show(found.lines.filter(passes));
  const lost = [
    found.missed ? t("{count} lost on the way or held back", { count: found.missed }) : "",
    found.surplus ? t("{count} came too fast", { count: found.surplus }) : "",
    found.refused ? t("{count} could not be read", { count: found.refused }) : "",
  ].filter(Boolean);
  put(at("losses"), lost.length ? t("Lines that are not here: {list}.", { list: lost.join(", ") }) : "");
}

function clear() {
  kept.length = 0;
  list.replaceChildren();
  shownDay = "";
}

function passes(line) {
  const text = at("text").value.trim().toLowerCase();
  return (
    (!at("code").value || line.code === at("code").value) &&
    LEVELS.indexOf(line.level) >= LEVELS.indexOf(at("level").value) &&
    (!text || `${line.code} ${line.host} ${line.text}`.toLowerCase().includes(text))
  );
}

function again() {
  list.replaceChildren();
  shownDay = "";
  show(kept.filter(passes).slice(-MOST_SHOWN));
  const query = new URLSearchParams();
  for (const id of ["text", "code", "level"]) if (at(id).value && at(id).value !== "DEBUG") query.set(id, at(id).value);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
}

function read() {
  const query = new URLSearchParams(location.search);
  for (const id of ["text", "code", "level"]) if (query.get(id)) at(id).value = query.get(id);
  if (!at("level").value) at("level").value = "DEBUG";
}

function show(lines) {
  list.append(...lines.flatMap(drawn));
  while (list.childElementCount > MOST_SHOWN) list.firstElementChild.remove();
  at("none").hidden = list.childElementCount > 0;
  put(at("none"), kept.length ? t("No line passes the filter.") : t("No line so far."));
  put(at("count"), kept.length ? t("{count} lines", { count: kept.length }) : "");
  toEnd();
}

function drawn(line) {
  const when = new Date(line.time);
  const day = DAY.format(when);
  const head = day === shownDay ? [] : [make("li.day", {}, (shownDay = day))];
  const [first, ...rest] = line.text.split("\n");
  const said = make("span.said-text", {}, first);
  if (rest.length) said.append(make("details", {}, make("summary", {}, rest.length === 1 ? t("1 more line") : t("{count} more lines", { count: rest.length })), make("pre", {}, rest.join("\n"))));
  return [
    ...head,
    make("li", { dataset: { level: line.level, id: line.id } },
      make("time", { dateTime: when.toISOString(), title: when.toISOString() }, TIME.format(when)),
      line.code === "--" ? make("span.code", {}, "–") : make("button.code", { type: "button", dataset: { pick: line.code }, title: t("Only {code}", { code: line.code }) }, line.code),
      make("span.level", {}, SAID[line.level]), said,
      make("span.host.muted", {}, line.host)),
  ];
}

function pick(event) {
  const code = event.target.closest("[data-pick]")?.dataset.pick;
  if (!code) return;
  at("code").value = at("code").value === code ? "" : code;
  again();
}

const paused = () => at("pause").getAttribute("aria-pressed") === "true";

function pause(yes) {
  at("pause").setAttribute("aria-pressed", String(yes));
  late = 0;
  tellPause();
  if (!yes) again();
}

function tellPause() {
  put(at("pause"), paused() ? (late ? t("Go on ({count} new)", { count: late }) : t("Go on")) : t("Pause"));
}

function toEnd() {
  if (at("follow").checked) list.scrollTop = list.scrollHeight;
}

function online(yes, why = "") {
  at("link").hidden = false;
  write(at("link"), yes ? t("live") : t("reconnecting"), yes ? "good" : "bad");
  put(at("trouble"), why);
  at("trouble").hidden = yes;
}
