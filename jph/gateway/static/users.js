// All accounts and the audit.
import { ask } from "./ask.js";
import { arrived, at, confirm, make, toast } from "./dom.js";
import { moment } from "./moment.js";
import { t } from "./words.js";

const roles = at("users").dataset.roles.split(" ");
let oldest = null; // the id of the last audit line shown
let about = null; // whose password the dialog is about

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    toast(error.message, "bad");
  }
}

async function showUsers() {
  const users = await ask("GET", "/api/users");
  at("users").replaceChildren(...users.map(row));
}

function row(user) {
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, user.name),
    make("td", {}, choice(user)),
    make("td.when", {}, moment(user.created)),
    make(
      "td.right",
      {},
      make(
        "div.row",
        {},
        make("button.small", { type: "button", onclick: () => openChange(user) }, t("Password")),
        make("button.small", { type: "button", onclick: () => logOut(user) }, t("End sessions")),
        make("button.small", { type: "button", onclick: () => remove(user) }, t("Remove")),
      ),
    ),
  );
}

function choice(user) {
  const select = make(
    "select",
    { "aria-label": t("Role of {name}", { name: user.name }) },
    ...roles.map((role) => make("option", { value: role, selected: role === user.role }, t(role))),
  );
  select.addEventListener("change", () =>
    attempt(async () => {
      await ask("PATCH", `/api/users/${user.id}`, { role: select.value });
      toast(t("{name} is {role} now.", { name: user.name, role: t(select.value) }));
    }).then(showUsers),
  );
  return select;
}

function openChange(user) {
  about = user;
  at("change-title").textContent = t("New password of {name}", { name: user.name });
  at("change-form").reset();
  at("change-form").elements.username.value = user.name;
  at("change").showModal();
}

async function logOut(user) {
  await attempt(async () => {
    await ask("DELETE", `/api/users/${user.id}/sessions`);
    toast(t("{name} is logged out everywhere.", { name: user.name }));
  });
}

async function remove(user) {
  const sure = await confirm(t("Remove {name}?", { name: user.name }), {
    explain: t("Sessions, tokens and saved graphs of this user go with the account."),
    yes: t("Remove"),
    no: t("Cancel"),
    danger: true,
  });
  if (sure) await attempt(() => ask("DELETE", `/api/users/${user.id}`));
  await showUsers();
}

async function showAudit() {
  const lines = await ask("GET", `/api/audit?most=50${oldest === null ? "" : `&before=${oldest}`}`);
  oldest = lines.at(-1)?.id ?? oldest;
  at("older").hidden = lines.length < 50;
  at("audit").append(
    ...lines.map((line) =>
      make(
        "tr",
        {},
        make("td.when", {}, moment(line.at)),
        make("td", { title: line.address }, line.who),
        make("td", {}, line.what),
        make("td", {}, line.answer),
      ),
    ),
  );
}

at("new").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    await ask("POST", "/api/users", Object.fromEntries(new FormData(at("new"))));
    at("new").reset();
    await showUsers();
  });
});
at("change-no").addEventListener("click", () => at("change").close());
at("change-form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const { password } = Object.fromEntries(new FormData(at("change-form")));
    await ask("PATCH", `/api/users/${about.id}`, { password });
    at("change").close();
    toast(t("The password is changed."));
  });
});
at("older").addEventListener("click", () => attempt(showAudit));
attempt(() => Promise.all([showUsers(), showAudit()])).then(arrived);
