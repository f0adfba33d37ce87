// The page of the network: found, sorted, commanded; every answer shown is the node's own.
import { ask } from "./ask.js";
import { ORDERS, STATES, age, rows, trip, watch } from "./board.js";
import { at, confirm, make, put, write } from "./dom.js";
import { quantity, short, span } from "./figures.js";
import { t } from "./words.js";

const controls = JSON.parse(at("controls").textContent); // codifier -> how it is set
const halts = JSON.parse(at("halts").textContent); // what is not protected while a node is halted
const lines = [...at("lines").children];
const order = new Map(lines.map((line, index) => [line, index]));
const RANK = { dead: 0, silent: 1, late: 2, halted: 3, alive: 4 };
const VERBS = { ping: t("Ping"), start: t("Start"), halt: t("Halt"), reload: t("Reload") };
const EXPLAIN = {
  start: t("It will send its values again."),
  halt: t("It will send no values until it is started again."),
  reload: t("It reads its configuration again; a broken one is refused and the old one kept."),
};
let show = "all";
let sort = { key: "code", down: false };
let about = ""; // what the open dialog is about
let turn = 0; // answers to older questions are not shown

at("search").addEventListener("input", arrange);
document.addEventListener("click", (event) => {
  const { target } = event;
  const shown = target.closest("[data-show]");
  const sorts = target.closest("[data-sort]");
  const opens = target.closest("[data-open]");
  const all = target.closest("[data-all]");
  if (shown) choose(shown);
  else if (sorts) sortBy(sorts);
  else if (opens) open(opens.dataset);
  else if (all) commandAll(all.dataset.all);
});

function choose(button) {
  show = button.dataset.show;
  for (const each of document.querySelectorAll("[data-show]")) each.setAttribute("aria-pressed", String(each === button));
  arrange();
}

function sortBy(button) {
  const { sort: key } = button.dataset;
  sort = { key, down: sort.key === key && !sort.down };
  for (const head of document.querySelectorAll("[data-sort]")) {
    const cell = head.closest("th");
    if (head === button) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  }
  arrange();
}

function wanted(line) {
  const row = rows.get(line.dataset.code);
  if (show === "nodes" && !line.classList.contains("node")) return false;
  if (show === "control" && !line.dataset.control) return false;
  if (show === "trouble" && (line.hasAttribute("data-quiet") || (row?.state ?? line.dataset.state) === "alive")) return false;
  const text = at("search").value.trim().toLowerCase();
  return `${line.dataset.find} ${row?.host ?? ""}`.includes(text);
}

const KEYS = {
  code: (line) => order.get(line),
  name: (line) => line.querySelector(".long").textContent.toLowerCase(),
  value: (_, row) => row?.number ?? row?.value ?? "",
  state: (_, row) => RANK[row?.state] ?? 5,
  age: (line) => age(line.dataset.code) ?? Infinity,
  trip: (_, row) => row?.trip ?? Infinity,
  losses: (_, row) => -(row?.losses ?? 0),
  host: (_, row) => row?.host || "~",
  wire: (_, row) => row?.wire ?? 99,
};

function arrange() {
  const key = KEYS[sort.key];
  const keys = new Map(lines.map((line) => [line, key(line, rows.get(line.dataset.code))]));
  const compare = (one, other) => {
    const [a, b] = [keys.get(one), keys.get(other)];
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : order.get(one) - order.get(other);
  };
  const sorted = [...lines].sort((one, other) => (sort.down ? compare(other, one) : compare(one, other)));
  const body = at("lines");
  sorted.forEach((line, index) => {
    if (body.children[index] !== line) body.insertBefore(line, body.children[index] ?? null);
  });
  let count = 0;
  for (const line of lines) {
    line.hidden = !wanted(line);
    count += line.hidden ? 0 : 1;
  }
  body.parentElement.classList.toggle("flat", sort.key !== "code");
  at("none").hidden = count > 0;
  put(at("count"), count === lines.length ? t("{count} codifiers", { count }) : t("{count} of {all} codifiers", { count, all: lines.length }));
}

/** @param {DOMStringMap} data of the button that opens the dialog */
function open({ open: code, name, does }) {
  about = code;
  turn += 1;
  put(at("command-title"), `${code} · ${name}`);
  write(at("answer"), "");
  facts();
  at("does").replaceChildren(
    ...does.split(" ").filter(Boolean).map((command) => {
      const button = make("button.small", { type: "button", dataset: { command } }, VERBS[command]);
      button.addEventListener("click", () => tell(command, name));
      return button;
    }),
  );
  at("control").replaceChildren(...(controls[code] ? [control(code, controls[code])] : []));
  at("command").showModal();
}

function facts() {
  const row = rows.get(about);
  if (!row) return;
  const seconds = age(about);
  const result = [
    [t("State"), STATES[row.state]],
    [t("Last sign of life"), seconds === undefined ? t("never") : t("{time} ago", { time: span(seconds) })],
    [t("Round trip"), trip(row) && `${trip(row)} ms`],
    [t("Lost"), row.losses ? String(row.losses) : ""],
    [t("Host"), row.host ?? ""],
  ].filter(([, text]) => text);
  const list = at("facts");
  if (list.children.length !== result.length) list.replaceChildren(...result.map(() => make("div", {}, make("dt"), make("dd"))));
  result.forEach(([name, text], index) => {
    put(list.children[index].firstChild, name);
    put(list.children[index].lastChild, text);
  });
}

async function tell(command, name) {
  if (command === "halt" || command === "reload") {
    const question = t("{verb} {code}, {name}?", { verb: VERBS[command], code: about, name });
    const explain = explained(command, halts.each[about]);
    const yes = await confirm(question, { explain, yes: VERBS[command], no: t("Cancel"), danger: command === "halt" });
    if (!yes) return;
  }
  await answered(() => ask("POST", `/api/network/${encodeURIComponent(about)}/${command}`), (answer) => answer.answered);
}

// Explains a command; of a halt it names what is not protected until the node is started again.
function explained(command, loss) {
  if (command !== "halt" || !loss) return EXPLAIN[command];
  return `${EXPLAIN.halt} ${t("Until then: {loss}.", { loss })}`;
}

// Shows what came of a question, unless the dialog is about something else by then.
async function answered(question, isGood) {
  turn += 1;
  const mine = turn;
  write(at("answer"), t("waiting for its answer…"));
  /** @type {[string, string]} */
  let result;
  try {
    const answer = await question();
    result = [answer.text, isGood(answer) ? "good" : "bad"];
  } catch (error) {
    result = [error.message, "bad"];
  }
  if (mine === turn) write(at("answer"), ...result);
}

function send(number) {
  const address = `/api/values/${encodeURIComponent(about)}`;
  return answered(() => ask("PUT", address, { number }), (answer) => answer.done);
}

function step(number) {
  const address = `/api/values/${encodeURIComponent(about)}/step`;
  return answered(() => ask("POST", address, { number }), (answer) => answer.done);
}

function control(code, how) {
  const row = rows.get(code);
  if (how.kind === "order") return orders(row, how.orders);
  if (how.kind === "switch") return toggle(row);
  return number(code, row, how);
}

function orders(row, words) {
  const group = make("div.segments.orders", { role: "group", "aria-label": t("Order") });
  for (const [word, value] of Object.entries(words)) {
    const button = make("button", { type: "button", dataset: { order: word }, "aria-pressed": String(row?.order === word) }, ORDERS[word]);
    button.addEventListener("click", async () => {
      await send(value);
      for (const each of group.children) each.setAttribute("aria-pressed", String(rows.get(about)?.order === each.dataset.order));
    });
    group.append(button);
  }
  return group;
}

function toggle(row) {
  const input = make("input.switch", { type: "checkbox", role: "switch", checked: Boolean(row?.number) });
  input.addEventListener("change", async () => {
    await send(input.checked ? 1 : 0);
    input.checked = Boolean(rows.get(about)?.number);
  });
  return make("label.row", {}, input, t("on"));
}

function number(code, row, how) {
  const unit = how.unit ?? "";
  const by = how.step ?? 1;
  const range = { min: how.min ?? "", max: how.max ?? "", step: how.kind === "slider" ? by : "any" };
  const value = make("input", { type: how.kind === "slider" ? "range" : "number", ...range, "aria-label": t("Value of {code}", { code }) });
  value.value = row?.number ?? how.min ?? 0;
  const shown = make("output");
  const say = () => put(shown, quantity(Number(value.value), unit).filter(Boolean).join(" "));
  say();
  value.addEventListener("input", say);
  const buttons = [-by, by].map((each) => {
    const words = `${each < 0 ? "−" : "+"}${short(Math.abs(each))}`;
    const button = make("button.small", { type: "button", "aria-label": t("Step by {number}", { number: words }) }, words);
    button.addEventListener("click", () => step(each));
    return button;
  });
  const set = make("button.small.strong", { type: "button" }, t("Set"));
  set.addEventListener("click", () => send(Number(value.value)));
  return make("div.number", {}, value, how.kind === "slider" ? shown : make("span.muted", {}, unit), make("div.row", {}, ...buttons, set));
}

async function commandAll(command) {
  if (command !== "ping") {
    const question = t("{verb} all nodes?", { verb: VERBS[command] });
    const explain = explained(command, halts.all);
    const yes = await confirm(question, { explain, yes: VERBS[command], no: t("Cancel"), danger: command === "halt" });
    if (!yes) return;
  }
  put(at("every-node-title"), t("{verb}: all nodes", { verb: VERBS[command] }));
  write(at("every-node-said"), t("waiting for their answers…"));
  at("every-node-answers").replaceChildren();
  at("every-node").showModal();
  try {
    const answers = await ask("POST", `/api/network/${command}`);
    const good = answers.filter((each) => each.answered).length;
    const text = t("{good} of {all} nodes answered", { good, all: answers.length });
    write(at("every-node-said"), text, good === answers.length ? "good" : "bad");
    answers.sort((one, other) => Number(one.answered) - Number(other.answered));
    at("every-node-answers").replaceChildren(
      ...answers.map((each) => make("li.said", { dataset: { mood: each.answered ? "good" : "bad" } }, each.text)),
    );
  } catch (error) {
    write(at("every-node-said"), error.message, "bad");
  }
}

arrange();
watch(() => {
  if (show === "trouble" || sort.key !== "code") arrange();
  if (at("command").open) facts();
});
