// The words of the page's language. The English text is the key; {name} is replaced by a value.

const words = JSON.parse(document.getElementById("words")?.textContent || "{}");

/**
 * @param {string} text
 * @param {Record<string, any>} values
 * @returns {string}
 */
export function t(text, values = {}) {
  return (words[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
