// What the history lacks, in its panel. Text goes in as text, never as markup.

export function relate({ said, mood, holes, more }) {
  const panel = document.getElementById("history");
  const line = panel.querySelector('[data-part="said"]');
  if (line.textContent !== said) line.textContent = said;
  line.dataset.mood = mood;
  panel.querySelector("table").hidden = holes.length === 0;
  panel.querySelector("tbody").replaceChildren(...holes.map(row));
  panel.querySelector('[data-part="more"]').textContent = more;
}

function row({ code, name, when, missing, why }) {
  const line = document.createElement("tr");
  const head = cell(code, "th");
  head.scope = "row";
  const count = cell(missing);
  count.className = "right";
  line.append(head, cell(name), cell(when), count, cell(why));
  return line;
}

function cell(text, tag = "td") {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
