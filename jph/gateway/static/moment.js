// A moment as people write it where the browser is.

const format = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "short",
});

export function moment(ms) {
  return format.format(new Date(ms));
}
