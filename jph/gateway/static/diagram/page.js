// The living picture of the network: asked for every two seconds while it is looked at.
import { ask } from "../ask.js";
import { BASE, arrived, at, make, mark, put, write } from "../dom.js";
import { figure } from "../figures.js";
import { isBlind, showUnknown } from "../unknown.js";
import { t } from "../words.js";
import { Picture } from "./picture.js";

const EVERY_MS = 2000;
const RETRY_MS = 3000;

const picture = new Picture(at("picture"));
const rows = new Map();
let newest = null;
let timer = 0;

document.addEventListener("visibilitychange", () => document.hidden || load());
new ResizeObserver(() => newest && picture.draw(newest)).observe(at("picture"));
load();

async function load() {
  clearTimeout(timer);
  let wait = EVERY_MS;
  try {
    const found = await ask("GET", "/api/diagram");
    if (newest && newest.layout !== found.layout) {
      location.reload();
      return;
    }
    newest = found;
    showUnknown(found.unknown);
    picture.draw(found);
    list(found.members);
    say(found);
    at("cache").hidden = found.redis;
    online(true);
    if (!found.counting) wait = 1100;
  } catch (error) {
    online(false, error.message);
    wait = RETRY_MS;
  }
  arrived();
  if (!document.hidden) timer = setTimeout(load, wait);
}

function say({ members, strangers }) {
  const missing = members.filter((each) => each.expected && ["dead", "silent"].includes(each.state));
  const late = members.filter((each) => each.expected && each.state === "late");
  const names = (some) => some.map((each) => each.code).join(", ");
  const said = [
    isBlind() ? t("not everything is known") : "",
    missing.length ? t("missing: {names}", { names: names(missing) }) : "",
    late.length ? t("late: {names}", { names: names(late) }) : "",
    strangers > 0.01 ? t("an unknown program sends {rate} messages/s", { rate: figure(strangers) }) : "",
  ].filter(Boolean);
  write(at("said"), said.join("; ") || t("Every node is there."), missing.length || isBlind() ? "bad" : said.length ? "warn" : "good");
}

function list(members) {
  for (const each of members) {
    let row = rows.get(each.code);
    if (!row) {
      const [state, data, control] = [make("span"), make("td.right"), make("td.right")];
      const line = make("tr", {}, make("th", { scope: "row" }, make("a", { href: `${BASE}/codifier/${each.code}` }, `${each.code} ${each.name}`)), make("td", {}, state), data, control, make("td.right", {}, String(each.elements.length || "")));
      rows.set(each.code, (row = { line, state, data, control }));
      at("list").tBodies[0].append(line);
    }
    put(row.state, each.expected || each.state === "alive" ? t(each.state) : t("not expected"));
    mark(row.line, "state", each.expected ? each.state : "quiet");
    put(row.data, each.data ? figure(each.data) : "");
    put(row.control, each.control ? figure(each.control) : "");
  }
}

function online(yes, why = "") {
  at("link").hidden = false;
  write(at("link"), yes ? t("live") : t("reconnecting"), yes ? "good" : "bad");
  put(at("trouble"), why);
  at("trouble").hidden = yes;
}
