const rows = Array.from(document.querySelectorAll(".w"), (row) => ({
  row,
  verdict: row.parentElement.id,
  name: row.querySelector(".name").textContent.toLowerCase(),
  changed: "change" in row.dataset,
}));
const groups = Array.from(document.querySelectorAll(".group"), (group) => ({
  group,
  count: group.querySelector("h2 span"),
  total: group.querySelector("h2 span").textContent,
}));
const chips = Array.from(document.querySelectorAll(".tools [data-verdict]"));
const changedOnly = byId("changed-only");
const buttons = changedOnly ? [...chips, changedOnly] : chips;
const search = byId("search");
const expand = byId("expand");

const isPressed = (button) => button.getAttribute("aria-pressed") === "true";

function filter() {
  const wanted = search.value.trim().toLowerCase();
  const verdicts = new Set(
    chips.filter(isPressed).map((chip) => chip.dataset.verdict),
  );
  const few = changedOnly && isPressed(changedOnly);
  const shown = Object.fromEntries(groups.map(({ group }) => [group.id, 0]));
  for (const { row, verdict, name, changed } of rows) {
    const show =
      (verdicts.size === 0 || verdicts.has(verdict)) && (changed || !few) && name.includes(wanted);
    if (row.hidden === show) row.hidden = !show;
    if (show) shown[verdict] += 1;
  }
  let count = 0;
  for (const { group, count: label, total } of groups) {
    const here = shown[group.id];
    const some = here.toLocaleString("en");
    count += here;
    group.hidden = here === 0;
    label.textContent = some === total ? total : `${some} of ${total}`;
  }
  const all = rows.length.toLocaleString("en");
  byId("shown").textContent =
    count === rows.length ? `${all} shown` : `${count.toLocaleString("en")} of ${all} shown`;
}

function clear() {
  search.value = "";
  for (const button of buttons) button.setAttribute("aria-pressed", "false");
  filter();
}

search.addEventListener("input", filter);
for (const button of buttons) {
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(!isPressed(button)));
    filter();
  });
}
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== search && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "Escape") {
    clear();
  }
});

function setAll(open) {
  for (const { row } of rows) if (!row.hidden) row.open = open;
  expand.textContent = open ? "Collapse all" : "Expand all";
}
expand.addEventListener("click", () => setAll(expand.textContent === "Expand all"));
addEventListener("beforeprint", () => {
  for (const more of document.querySelectorAll(".more, .timeline details")) more.open = true;
  setAll(true);
});

// A link to a workflow that the filter hides must still lead there.
function follow() {
  const target = location.hash.length > 1 && byId(location.hash.slice(1));
  const row = target && target.closest(".w");
  if (!row) return;
  if (row.hidden) clear();
  row.open = true;
  row.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", follow);

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.body.appendChild(document.createElement("textarea"));
  field.value = text;
  field.select();
  document.execCommand("copy");
  field.remove();
  return undefined;
}
function addCopyButtons(within) {
  for (const element of within.querySelectorAll("[data-copy]:not(:has(.copy))")) {
    const text = element.querySelector("bdi").textContent;
    const button = element.appendChild(document.createElement("button"));
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the ${element.dataset.copy}`);
    button.addEventListener("click", async () => {
      await copy(text).then(() => (button.textContent = "Copied"), () => (button.textContent = "Not copied"));
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
}
document.addEventListener("toggle", (event) => event.target.open && addCopyButtons(event.target), true);
for (const card of document.querySelectorAll(".card")) addCopyButtons(card);

const checked = new Date(document.querySelector("time").dateTime);
function showAge() {
  const minutes = Math.round((Date.now() - checked) / 60000);
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  byId("age").textContent =
    minutes < 1 ? "(just now)"
    : minutes < 60 ? `(${relative.format(-minutes, "minute")})`
    : minutes < 2880 ? `(${relative.format(-Math.round(minutes / 60), "hour")})`
    : `(${relative.format(-Math.round(minutes / 1440), "day")})`;
}
showAge();
setInterval(showAge, 60000);

filter();
follow();
