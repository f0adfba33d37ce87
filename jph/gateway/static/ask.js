// Sends requests to the gateway: JSON in both directions, a failure as an Error for people.
import { BASE } from "./dom.js";
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
  const content = await response.json().catch(() => null);
  if (response.ok) return content;
  throw new Error(t(content?.error ?? "the gateway failed"));
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
