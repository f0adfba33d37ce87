// The lines by name: what each was last, at least, on average and at most in the time that is seen.
import { BASE, make, put } from "../dom.js";
import { t } from "../words.js";
import { summary } from "./series.js";
import { valueText } from "./tooltip.js";

const PARTS = ["last", "least", "mean", "most"];

export class Legend {
  // `toggle(code)` shows or hides a line, `remove(code)` takes it away; without it there is no button.
  constructor({ toggle, remove }) {
    this.toggle = toggle;
    this.remove = remove;
    this.body = make("tbody");
    this.heads = [t("Last"), t("Minimum"), t("Mean"), t("Maximum")];
    this.table = make(
      "table.legend", {},
      make("caption.hidden", {}, t("Lines of the graph")),
      make("thead", {}, make("tr", {},
        make("th", { scope: "col" }, t("Line")),
        ...this.heads.map((text) => make("th.right", { scope: "col" }, text)),
        remove ? make("td", {}) : null,
      )),
      this.body,
    );
  }

  // Makes a row for each line.
  draw(lines) {
    this.rows = new Map();
    this.body.replaceChildren(...lines.filter((line) => !line.dashed).map((line) => this.row(line)));
  }

  row(line) {
    const swatch = make("span.swatch", { dataset: { tone: line.tone + 1 } });
    const name = make(
      "button.plain", { type: "button", "aria-pressed": String(line.shown), title: t("Show or hide this line") },
      swatch, make("span", {}, make("b", {}, line.code), ` ${line.label}`),
    );
    name.addEventListener("click", () => this.toggle(line.code));
    const cells = Object.fromEntries(PARTS.map((part, at) => [part, make("td.right", { dataset: { part, label: this.heads[at] } }, "–")]));
    const about = make("a.plain.button.small", { href: `${BASE}/codifier/${line.code}`, "aria-label": t("Page of {code}", { code: line.code }) }, "→");
    const away = this.remove && make("button.plain.small", { type: "button", "aria-label": t("Remove {code}", { code: line.code }) }, "✕");
    away?.addEventListener("click", () => this.remove(line.code));
    const row = make("tr", { dataset: { code: line.code } },
      make("th", { scope: "row" }, name), ...PARTS.map((part) => cells[part]),
      this.remove ? make("td.ends", {}, about, away) : null);
    row.toggleAttribute("data-off", !line.shown);
    this.rows.set(line.code, cells);
    return row;
  }

  // Writes the numbers of the time that is seen.
  count(lines, { from, to }) {
    for (const line of lines) {
      const cells = this.rows?.get(line.code);
      if (!cells || line.dashed || !line.curve) continue;
      const found = summary(line.curve, from, to);
      const none = (part) => !found || (line.words && part === "mean");
      for (const part of PARTS) put(cells[part], none(part) ? "–" : valueText(found[part], line));
    }
  }
}
