// One's own password, sessions and tokens.
import { ask } from "./ask.js";
import { arrived, at, make, toast } from "./dom.js";
import { t } from "./words.js";
import { moment } from "./moment.js";

function form(id, send) {
  at(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await send(Object.fromEntries(new FormData(at(id))));
      at(id).reset();
    } catch (error) {
      toast(error.message, "bad");
    }
  });
}

function ending(path, then) {
  const end = async () => {
    try {
      await ask("DELETE", path);
    } catch (error) {
      toast(error.message, "bad");
    }
    await then();
  };
  return make("button.small", { type: "button", onclick: end }, t("End"));
}

async function showSessions() {
  const rows = (await ask("GET", "/api/sessions")).map((each) =>
    make(
      "tr",
      {},
      make("td", {}, browser(each.agent)),
      make("td", {}, each.address),
      make("td.when", {}, moment(each.seen)),
      make("td.right", {}, each.this ? t("this one") : ending(`/api/sessions/${each.id}`, showSessions)),
    ),
  );
  at("sessions").replaceChildren(...rows);
}

async function showTokens() {
  const tokens = await ask("GET", "/api/tokens");
  at("tokens-table").hidden = tokens.length === 0;
  const rows = tokens.map((each) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, each.name),
      make("td", {}, t(each.role)),
      make("td.when", {}, each.expires === null ? t("never") : moment(each.expires)),
      make("td.when", {}, each.seen === null ? t("never") : moment(each.seen)),
      make("td.right", {}, ending(`/api/tokens/${each.id}`, showTokens)),
    ),
  );
  at("tokens").replaceChildren(...rows);
}

// The name of a browser, of the many words it calls itself by.
function browser(agent) {
  const name = /(Firefox|Edg|OPR|Chrome|Safari|curl)\/[\d.]+/.exec(agent)?.[1];
  const system = /(Android|iPhone|iPad|Windows|Mac OS|Linux)/.exec(agent)?.[1];
  return [name ?? agent.slice(0, 40), system].filter(Boolean).join(", ") || "–";
}

form("password", async ({ old, new: next, again }) => {
  if (next !== again) throw new Error(t("the two new passwords are not the same"));
  await ask("POST", "/api/password", { old, new: next });
  toast(t("The password is changed."));
  await Promise.all([showSessions(), showTokens()]);
});

form("token", async ({ name, role, days }) => {
  const made = await ask("POST", "/api/tokens", { name, role, days: days ? Number(days) : null });
  at("secret").replaceChildren(t("Keep it now: it is shown only once."), make("code", {}, made.secret));
  at("secret").hidden = false;
  await showTokens();
});

Promise.all([showSessions(), showTokens()]).catch((error) => toast(error.message, "bad")).then(arrived);
