// What the frame of every page does: theme, language, menus, log out.
import { ask } from "./ask.js";
import { BASE, at, menu } from "./dom.js";

const YEAR_S = 31_536_000;
const root = document.documentElement;

for (const button of document.querySelectorAll("[data-theme-is]")) {
  button.addEventListener("click", () => {
    root.dataset.theme = button.dataset.themeIs;
    keep("theme", button.dataset.themeIs);
    for (const each of document.querySelectorAll("[data-theme-is]")) {
      each.setAttribute("aria-pressed", String(each === button));
    }
  });
}
for (const button of document.querySelectorAll("[data-language-is]")) {
  button.addEventListener("click", () => {
    keep("lang", button.dataset.languageIs);
    location.reload();
  });
}
menu(at("display"), at("sheet"), (sheet, yes) => (sheet.hidden = !yes));
if (at("more")) menu(at("more"), at("rest"), (sheet, yes) => sheet.classList.toggle("open", yes));
at("logout")?.addEventListener("click", async () => {
  await ask("POST", "/api/logout").catch(() => null);
  location.assign(`${BASE}/login`);
});

function keep(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${value}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax${secure}`;
}
