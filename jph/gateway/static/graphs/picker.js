// Finds codifiers by code, name or unit and adds them: a combobox with a list.
import { at, make } from "../dom.js";
import { t } from "../words.js";

const MOST = 60;

// `codifiers` are in their order; `taken()` are the codes that are drawn, `add(code)` draws one.
export function picker(codifiers, { taken, add }) {
  const [input, list] = [at("add"), at("found")];
  const texts = codifiers.map((each) => plain(`${each.code} ${each.name} ${each.short} ${each.unit} ${each.kind}`));
  let active = -1;
  let options = [];

  function look() {
    const words = plain(input.value).split(" ").filter(Boolean);
    const here = taken();
    const fits = (text, each) => !here.includes(each.code) && words.every((word) => text.includes(word));
    const wanted = words.join(" ");
    const found = codifiers.filter((each, place) => fits(texts[place], each));
    if (wanted) found.sort((a, b) => nearness(b, wanted) - nearness(a, wanted) || a.name.length - b.name.length);
    options = found.slice(0, MOST).map(option);
    const none = make("li.none", { role: "option", "aria-disabled": "true" }, t("Nothing is called that."));
    list.replaceChildren(...(options.length ? options : [none]));
    point(options.length && words.length ? 0 : -1);
    open(true);
  }

  function option(each, place) {
    const unit = each.unit ? make("span.unit", {}, each.unit) : null;
    const row = make("li", { id: `found-${place}`, role: "option", "aria-selected": "false", dataset: { code: each.code } },
      make("b", {}, each.code), make("span.name", {}, each.name), unit);
    row.addEventListener("pointerdown", (event) => event.preventDefault()); // the input keeps the focus
    row.addEventListener("click", () => choose(place));
    return row;
  }

  function choose(place) {
    const code = options[place]?.dataset.code;
    if (!code) return;
    add(code);
    input.value = "";
    open(false);
  }

  function point(place) {
    options[active]?.setAttribute("aria-selected", "false");
    active = place < 0 || !options.length ? -1 : place % options.length;
    const row = options[active];
    row?.setAttribute("aria-selected", "true");
    row?.scrollIntoView({ block: "nearest" });
    if (row) input.setAttribute("aria-activedescendant", row.id);
    else input.removeAttribute("aria-activedescendant");
  }

  function open(yes) {
    list.hidden = !yes;
    input.setAttribute("aria-expanded", String(yes));
    if (!yes) input.removeAttribute("aria-activedescendant");
  }

  input.addEventListener("input", look);
  input.addEventListener("click", look);
  input.addEventListener("blur", () => open(false));
  input.addEventListener("keydown", (event) => {
    const does = {
      ArrowDown: () => (list.hidden ? look() : point(active + 1)),
      ArrowUp: () => (list.hidden ? look() : point(active <= 0 ? options.length - 1 : active - 1)),
      Enter: () => choose(Math.max(0, active)),
      Escape: () => open(false),
    }[event.key];
    if (!does || (event.key === "Escape" && list.hidden)) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  });
}

// Returns how well a codifier is meant by what is written: by its code, its name, how that begins.
function nearness({ code, name, short }, wanted) {
  if (plain(code) === wanted) return 3;
  const names = [plain(name), plain(short)];
  if (names.includes(wanted)) return 2;
  return names.some((each) => each.startsWith(wanted)) ? 1 : 0;
}

// Returns a text without accents and capitals: "Séjour" is found by "sejour".
function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
