// Local date and time of a moment, in the format of every page (24 hours).

const format = new Intl.DateTimeFormat(document.documentElement.lang === "fr" ? "fr" : "en-GB", {
  dateStyle: "medium",
  timeStyle: "short",
});

export function moment(ms) {
  return format.format(new Date(ms));
}
