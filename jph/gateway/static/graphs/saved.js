// Graphs that are kept under a name: opened, kept again, renamed, shared with the house, forgotten.
import { ask } from "../ask.js";
import { BASE, at, confirm, make, put, toast } from "../dom.js";
import { t } from "../words.js";

// `query()` is the address of what is shown; `known` is whether a user is logged in.
export class Saved {
  constructor({ query, known, opened }) {
    this.query = query;
    this.known = known;
    this.opened = opened;
    this.list = [];
    this.open = null;
    at("keep").addEventListener("submit", (event) => {
      event.preventDefault();
      this.keep(at("keep-name").value.trim());
    });
    this.load();
  }

  // Has the list anew; `id` is the graph that is open.
  async load(id = Number(new URLSearchParams(location.search).get("kept")) || null) {
    try {
      this.list = await ask("GET", "/api/graphs");
    } catch (error) {
      put(at("kept-none"), error.message);
      return;
    }
    this.open = this.list.find((each) => each.id === id) ?? null;
    this.draw();
    this.opened(this.open);
  }

  draw() {
    at("kept").replaceChildren(...this.list.map((each) => this.row(each)));
    at("kept-none").hidden = this.list.length > 0;
    if (this.open?.mine) at("keep-name").value ||= this.open.name;
  }

  row(graph) {
    const href = `${BASE}/graphs?${graph.query}${graph.query ? "&" : ""}kept=${graph.id}`;
    const link = make("a", { href, "aria-current": this.open?.id === graph.id ? "true" : null }, graph.name);
    if (!graph.mine) return make("li", {}, link, make("small.muted", {}, t("of {owner}", { owner: graph.owner })));
    const button = (text, title, does) => {
      const made = make("button.plain.small", { type: "button", title, "aria-label": title }, text);
      made.addEventListener("click", (event) => {
        event.stopPropagation(); // the button may be gone before its sheet hears of the click
        does();
      });
      return made;
    };
    const share = graph.shared ? t("Show {name} to me alone", graph) : t("Show {name} to the whole house", graph);
    const shared = button(graph.shared ? "◉" : "○", share, () => this.change(graph, { shared: !graph.shared }));
    shared.setAttribute("aria-pressed", String(graph.shared));
    return make("li", {}, link, shared,
      button("✎", t("Rename {name}", graph), () => this.rename(graph)),
      button("✕", t("Delete {name}", graph), () => this.forget(graph)));
  }

  // Keeps what is shown: under the name of one of mine in its place, else as a new one.
  async keep(name) {
    if (!name) return;
    const mine = this.list.find((each) => each.mine && each.name === name);
    const what = { name, query: this.query() };
    await this.done(async () => {
      const kept = mine ? await ask("PUT", `/api/graphs/${mine.id}`, what) : await ask("POST", "/api/graphs", what);
      toast(t("Saved as {name}", kept), "good");
      await this.load(kept.id);
    });
  }

  rename(graph) {
    const input = make("input", { value: graph.name, maxLength: 100, required: true, "aria-label": t("New name") });
    const form = make("form", { id: "renaming" }, input, make("button.small.strong", {}, t("Rename")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.change(graph, { name: input.value.trim() });
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.draw();
    });
    const place = this.list.indexOf(graph);
    at("kept").children[place].replaceChildren(form);
    input.select();
  }

  change(graph, what) {
    return this.done(async () => {
      await ask("PUT", `/api/graphs/${graph.id}`, what);
      await this.load(this.open?.id);
    });
  }

  async forget(graph) {
    const question = t("Delete the graph {name}?", graph);
    const sure = await confirm(question, { explain: t("What it shows stays in the history."), yes: t("Delete"), no: t("Cancel"), danger: true });
    if (!sure) return;
    await this.done(async () => {
      await ask("DELETE", `/api/graphs/${graph.id}`);
      await this.load(this.open?.id === graph.id ? null : this.open?.id);
    });
  }

  async done(work) {
    try {
      await work();
    } catch (error) {
      toast(error.message, "bad");
    }
  }
}
