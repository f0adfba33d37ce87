// Puts rows into the elements that carry their codifier. Text goes in as text, never as markup.

const SCALE = 1.25; // a gauge ends a quarter above the limit, so that an overload can be seen

const places = new Map();
for (const element of document.querySelectorAll("[data-code]")) {
  const known = places.get(element.dataset.code) ?? [];
  known.push(element);
  places.set(element.dataset.code, known);
}
const born = new Map(); // codifier -> when its last sign of life was, on the clock of performance.now

export function paint({ rows, summary }) {
  for (const [code, row] of Object.entries(rows)) {
    if (row.age === undefined) born.delete(code);
    else born.set(code, performance.now() - 1000 * row.age);
    for (const element of places.get(code) ?? []) paintOne(element, row);
  }
  write(document.getElementById("nodes"), summary.network, summary.mood);
  write(document.getElementById("shedding"), summary.shedding, summary.strain);
  document.getElementById("cache").hidden = summary.redis;
  tick();
}

export function say(word, mood) {
  write(document.getElementById("link"), word, mood);
}

// Ages grow without being told; every other text changes only when it is new.
export function tick() {
  const now = performance.now();
  for (const [code, elements] of places) {
    const since = born.get(code);
    const text = since === undefined ? "never" : ago((now - since) / 1000);
    for (const element of elements) {
      const cell = element.querySelector('[data-part="age"]');
      if (cell) put(cell, text);
    }
  }
}

export function ago(seconds) {
  if (seconds < 100) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

function paintOne(element, row) {
  mark(element, "state", row.state);
  mark(element, "order", row.order);
  mark(element, "level", row.level);
  mark(element, "quality", row.quality);
  element.toggleAttribute("data-shed", row.shed === true);
  if (element.dataset.part === "dot") {
    element.setAttribute("aria-label", `${element.dataset.name} ${row.value ?? ""}`);
    return;
  }
  part(element, "value", row.value ?? "–");
  part(element, "unit", row.unit ?? "");
  part(element, "quality", row.quality ?? "");
  part(element, "losses", row.losses ? String(row.losses) : "");
  if (!element.hasAttribute("data-quiet")) part(element, "state", row.state);
  if (element.classList.contains("gauge")) gauge(element, row);
}

function gauge(element, { number, value, unit, limit }) {
  part(element, "limit", limit ? `of ${+limit.toFixed(1)} A` : "");
  const share = limit && number > 0 ? Math.min(number / (limit * SCALE), 1) : 0;
  const arc = element.querySelector('[data-part="arc"]');
  arc.setAttribute("stroke-dasharray", `${(100 * share).toFixed(1)} 100`);
  if (number !== undefined) element.setAttribute("aria-valuenow", number);
  if (limit) element.setAttribute("aria-valuemax", limit);
  element.setAttribute("aria-valuetext", `${value} ${unit}${limit ? ` of ${limit} A` : ""}`);
}

function part(element, name, text) {
  const place = element.querySelector(`[data-part="${name}"]`);
  if (place) put(place, text);
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function mark(element, name, word) {
  if (word === undefined || word === null) delete element.dataset[name];
  else if (element.dataset[name] !== word) element.dataset[name] = word;
}

function write(element, text, mood) {
  if (!element) return;
  put(element, text);
  mark(element, "mood", mood);
}
