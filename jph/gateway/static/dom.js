// Small helpers: elements are made from text, never from markup.

/** @type {(id: string) => any} The template decides of which sort an element is. */
export const at = (id) => document.getElementById(id);

// The path below which a reverse proxy serves the gateway; "" without one.
export const BASE = document.documentElement.dataset.base ?? "";

// make("button.small", { type: "button", dataset: { code } }, "text", child, …)
/**
 * @param {string} kind tag and classes, as `button.small`
 * @param {Record<string, any>} properties
 * @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
export function make(kind, properties = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "dataset") Object.assign(element.dataset, value);
    else if (key in element && !key.startsWith("aria")) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

// Changes a text only when it is new: what reads the page aloud hears of each change.
/** @param {Node | null} element @param {string} text */
export function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** @param {any} element @param {string} name @param {any} word */
export function mark(element, name, word) {
  if (!element) return;
  if (word === undefined || word === null || word === "") delete element.dataset[name];
  else if (element.dataset[name] !== String(word)) element.dataset[name] = word;
}

/** @param {any} element @param {string} text @param {string} [mood] */
export function write(element, text, mood) {
  if (!element) return;
  put(element, text);
  mark(element, "mood", mood);
}

// Shows a page that waited for its contents, so that nothing jumps when they come.
export function arrived() {
  delete document.body.dataset.waiting;
}

// Says something for some seconds in the corner of the page.
/** @param {string} text @param {string} [mood] */
export function toast(text, mood) {
  const note = make("p.toast", { dataset: mood ? { mood } : {} }, text);
  at("toasts").append(note);
  setTimeout(() => note.remove(), mood === "bad" ? 9000 : 5000);
}

// Asks before something that matters; the promise is true if the person says so.
/**
 * @param {string} question
 * @param {{explain?: string, yes: string, no: string, danger?: boolean}} words
 * @returns {Promise<boolean>}
 */
export function confirm(question, { explain = "", yes, no, danger = false }) {
  const dialog = make(
    "dialog",
    { "aria-labelledby": "confirm-title" },
    make("h2", { id: "confirm-title" }, question),
    explain ? make("p", {}, explain) : null,
    make(
      "form.buttons",
      { method: "dialog" },
      make("button", { value: "no", autofocus: true }, no),
      make(`button.${danger ? "danger" : "strong"}`, { value: "yes" }, yes),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
  });
}

/**
 * Asks for the password of the current user; null if the dialog is cancelled.
 * @param {string} question
 * @param {{yes: string, no: string}} words
 * @returns {Promise<string | null>}
 */
export function askPassword(question, { yes, no }) {
  const input = make("input", { type: "password", autocomplete: "current-password", required: true, maxLength: 256, "aria-label": question, autofocus: true });
  const dialog = make(
    "dialog",
    { "aria-labelledby": "password-again" },
    make("h2", { id: "password-again" }, question),
    make("form.stack", { method: "dialog" }, input,
      make("div.buttons", {}, make("button", { type: "button", onclick: () => dialog.close("no") }, no), make("button.strong", { value: "yes" }, yes))),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" ? input.value : null);
      dialog.remove();
    });
  });
}

// A button that shows and hides what it controls; a click elsewhere or Escape hides it.
export function menu(button, sheet, show) {
  const open = (yes) => {
    button.setAttribute("aria-expanded", String(yes));
    show(sheet, yes);
  };
  const isOpen = () => button.getAttribute("aria-expanded") === "true";
  button.addEventListener("click", () => open(!isOpen()));
  document.addEventListener("click", (event) => {
    if (isOpen() && !sheet.contains(event.target) && !button.contains(event.target)) open(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen()) return;
    open(false);
    button.focus();
  });
}
