// What the history lacks, in its panel. Text goes in as text, never as markup.
import { put } from "./dom.js";
import { t } from "./words.js";

// Says a text with numbers in it in the page's language: "3 holes" is known as "# holes".
export function counted(text) {
  const numbers = text.match(/\d+/g) ?? [];
  return text.split("; ").map((part) => t(part.replace(/\d+/g, "#")).replace(/#/g, () => numbers.shift())).join("; ");
}

export function relate({ said, mood, holes, more }) {
  const panel = document.getElementById("history");
  const line = panel.querySelector('[data-part="said"]');
  put(line, counted(said));
  line.dataset.mood = mood;
  panel.querySelector("table").hidden = holes.length === 0;
  panel.querySelector("tbody").replaceChildren(...holes.map(row));
  panel.querySelector('[data-part="more"]').textContent = counted(more);
}

function row({ code, name, when, missing, why }) {
  const line = document.createElement("tr");
  const head = cell(code, "th");
  head.setAttribute("scope", "row");
  const count = cell(missing);
  count.className = "right";
  line.append(head, cell(name), cell(when), count, cell(t(why)));
  return line;
}

function cell(text, tag = "td") {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
