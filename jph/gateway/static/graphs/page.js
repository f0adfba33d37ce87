// The page of graphs: the controls, the address, and the stream around one graph.
import { now } from "../clock.js";
import { BASE, at, make, menu, put, toast } from "../dom.js";
import { follow } from "../live.js";
import { t } from "../words.js";
import { csvAddress, drawnLevel, save, savePicture } from "./exports.js";
import { Graph } from "./graph.js";
import { picker } from "./picker.js";
import { timePicker } from "./range.js";
import { Saved } from "./saved.js";
import { MOST_CODES, format, parse, resolve } from "./state.js";
import { fillTable } from "./table.js";

const facts = JSON.parse(at("facts").textContent);
const codifiers = new Map(facts.codifiers.map((each) => [each.code, each]));
const graph = new Graph(at("graph"), {
  codifiers, orders: facts.orders, removable: true, height,
  changed: (state, how) => {
    write(state, how === "time");
    describe(state);
  },
});
const close = (sheet) => () => {
  at(sheet).hidden = true;
  document.querySelector(`[aria-controls="${sheet}"]`).setAttribute("aria-expanded", "false");
};
const choose = (more) => graph.change(more);
const tellTime = timePicker({ graph, choose, close: close("times") });
const saved = new Saved({ query: () => format(graph.state), known: facts.known, opened: name });

function height(many) {
  const room = Math.max(280, Math.min(innerHeight - 330, 620));
  return innerWidth < 600 ? (many > 1 ? 220 : 300) : many > 1 ? Math.max(200, room / many) : room;
}

// Writes the address: a new entry of the browser's history for what one wants to come back to.
function write(state, anew) {
  const kept = saved?.open ? `&kept=${saved.open.id}` : "";
  const address = `${BASE}/graphs?${format(state)}${kept}`;
  if (address === location.pathname + location.search) return;
  history[anew ? "pushState" : "replaceState"](null, "", address);
}

// Says in the controls what is shown.
function describe(state) {
  tellTime(state, graph.view ?? resolve(state, now()));
  at("every").value = state.every;
  at("show").value = state.show;
  at("against").value = state.against;
  at("band").checked = state.band;
  at("split").checked = state.split;
  at("ideas").hidden = state.codes.length > 0;
  at("graph").hidden = !state.codes.length;
  for (const id of ["export", "numbers"]) at(id).hidden = !state.codes.length;
}

function name(open) {
  put(at("title"), open ? open.name : t("Graphs"));
  at("keep-name").value = open?.mine ? open.name : "";
}

function start() {
  const state = parse(location.search);
  describe(state);
  graph.set(state);
  describe(state);
}

for (const button of document.querySelectorAll("main button[aria-controls]")) {
  menu(button, at(button.getAttribute("aria-controls")), (sheet, yes) => { sheet.hidden = !yes; });
}
for (const id of ["every", "show", "against"]) at(id).addEventListener("change", () => choose({ [id]: at(id).value }));
for (const id of ["band", "split"]) at(id).addEventListener("change", () => choose({ [id]: at(id).checked }));
picker(facts.codifiers, {
  taken: () => graph.state.codes,
  add: (code) => {
    if (graph.state.codes.length >= MOST_CODES) toast(t("{most} lines at most", { most: MOST_CODES }), "bad");
    else choose({ codes: [...graph.state.codes, code] });
  },
});
at("ideas-list").append(...facts.ideas.map(({ name: idea, codes }) => {
  const button = make("button", { type: "button" }, t(idea));
  button.addEventListener("click", () => choose({ codes }));
  return button;
}));
at("save-drawn").addEventListener("click", () => save(csvAddress(graph, drawnLevel(graph)), ""));
at("save-raw").addEventListener("click", () => save(csvAddress(graph, "raw"), ""));
at("save-png").addEventListener("click", () => savePicture(graph, saved.open?.name));
at("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    toast(t("The address is copied"), "good");
  } catch {
    toast(location.href);
  }
});
at("numbers").addEventListener("toggle", () => at("numbers").open && fillTable(at("table"), graph));
at("graph").addEventListener("drawn", () => at("numbers").open && renew());
let renewing = 0;
function renew() {
  clearTimeout(renewing);
  renewing = setTimeout(() => fillTable(at("table"), graph), 400);
}
addEventListener("popstate", start);
start();
follow("/events", {
  onLink: (word, mood) => {
    at("link").hidden = false;
    put(at("link"), t(word));
    at("link").dataset.mood = mood;
  },
  onBoard: ({ rows }) => graph.hear(rows),
});
