// Sends requests to the gateway: JSON in both directions, a failure as an Error for people.
import { correct } from "./clock.js";
import { BASE, askPassword } from "./dom.js";
import { t } from "./words.js";

const PATIENCE_MS = 15000;

/**
 * @param {string} method
 * @param {string} url
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function ask(method, url, body) {
  const response = await answer(method, url, body);
  correct(response.headers.get("date"));
  const content = await response.json().catch(() => null);
  if (response.ok) return content;
  if (response.headers.get("x-needs") === "password" && (await confirmed())) return ask(method, url, body);
  throw new Error(t(content?.error ?? "the gateway failed"));
}

// Asks for the password; true once the gateway has accepted it.
async function confirmed() {
  const password = await askPassword(t("Enter your password again"), { yes: t("Go on"), no: t("Cancel") });
  if (password === null) return false;
  await ask("POST", "/api/confirm", { password });
  return true;
}

async function answer(method, url, body) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    return await fetch(BASE + url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new Error(t("the gateway does not answer"));
  }
}
