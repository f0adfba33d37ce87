// What is not known of the house: shown first on every page that could look safe without it.
import { BASE, at, make } from "./dom.js";
import { t } from "./words.js";

const HEADLINES = {
  meter: t("What the house draws is not known"),
  shedder: t("The breaker is not protected"),
  card: t("Whether the heaters obey is not known"),
  cache: t("The newest values are not known"),
  history: t("Readings may not be stored"),
  disk: t("Files cannot be written"),
  sensor: t("A sensor does not answer"),
  current: t("A current is not plausible"),
  shared: t("Two programs share a codifier"),
  clock: t("A clock is wrong"),
};

/** @type {Unknown[]} What is not known now, the worst first. */
let list = [];
const codes = new Set(); // codifiers whose values are not those of now

// Whether a value is not that of now.
export function isUnknown(code) {
  return codes.has(code);
}

// Whether something of a part is not known, or of any part that makes the house less safe.
export function isBlind(part) {
  return list.some((each) => (part ? each.part === part : !["clock", "shared"].includes(each.part)));
}

/** @param {Unknown[]} found */
export function showUnknown(found) {
  const before = [...codes].join();
  list = found;
  codes.clear();
  for (const each of found) for (const code of each.codes) codes.add(code);
  const panel = at("unknown");
  if (panel) draw(panel);
  return [...codes].join() !== before;
}

// Changes only what is different: what reads the page aloud hears of each new cause once.
function draw(panel) {
  const height = panel.offsetHeight;
  panel.hidden = !list.length;
  panel.style.minHeight = "";
  if (!list.length) return;
  panel.dataset.part = list[0].part;
  const title = panel.querySelector("h2 span:last-child");
  if (title.textContent !== HEADLINES[list[0].part]) title.textContent = HEADLINES[list[0].part];
  const lines = panel.querySelector("ul");
  const keys = list.map((each) => `${each.part} ${each.code} ${each.text} ${each.phases}`);
  const same = [...lines.children].map((item) => item.dataset.is);
  if (keys.join() !== same.join()) {
    lines.replaceChildren(...keys.map((key, index) => make("li", { dataset: { is: key } }, link(list[index]))));
  }
  list.forEach((each, index) => {
    const place = lines.children[index].firstChild;
    const text = t(each.text, each.values);
    if (place.textContent !== text) place.textContent = text;
  });
  // A cause less leaves its room empty: what a person is about to touch stays where it is.
  if (panel.offsetHeight < height) panel.style.minHeight = `${height}px`;
}

function link({ code }) {
  return code ? make("a", { href: `${BASE}/codifier/${code}` }) : make("span");
}
