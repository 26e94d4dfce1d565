const { states, made, hosts, findings, changes, acceptances, workflows } = JSON.parse(byId("data").textContent);
const SYMBOLS = { fails: "!", broken: "✕", partial: "◐", unknown: "?", stale: "~", silent: "–", runnable: "✓" };
const ABSENT = 255;
const NO_GROUP = 65535;
const RUNNABLE = states.indexOf("runnable");
const SILENT = states.indexOf("silent");
const FAILS = 64;
const HOSTS_AT_FIRST = 50;
const CHANGES_AT_FIRST = 5;
const NAMES_AT_MOST = 40;
const GROUPS_AT_MOST = 20;
const willFail = (group) => group.length > 8 && group[0] === group[1];

// --- The cells: one byte for the state and whether it will fail, two for the group that says why --

const width = hosts.length;
const height = workflows.length;
const stateOf = new Uint8Array(width * height).fill(ABSENT);
const groupOf = new Uint16Array(width * height).fill(NO_GROUP);
hosts.forEach((host, h) => {
  if (host.state === "silent") for (let w = 0; w < height; w += 1) stateOf[w * width + h] = SILENT;
});
workflows.forEach(([, groups], w) => {
  groups.forEach((group, g) => {
    const { 0: state, 6: runs } = group;
    for (let i = 0; i < runs.length; i += 2) {
      const first = w * width + runs[i];
      stateOf.fill(willFail(group) ? state | FAILS : state, first, first + runs[i + 1]);
      groupOf.fill(g, first, first + runs[i + 1]);
    }
  });
});
const hostNames = hosts.map((host) => host.name.toLowerCase());
const workflowNames = workflows.map(([name]) => name.toLowerCase());

// --- More elements ----------------------------------------------------------------------------------

const badge = (state) => make("span", { class: `badge ${state}` }, state);
const list = (texts) => make("ul", { class: "plain" }, ...texts.map((text) => make("li", {}, text)));
const button = (text, click) => make("button", { type: "button", click }, text);

function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / 1440)} days`;
}
const ago = (seconds) => (seconds === null ? "never" : `${span(seconds)} ago`);

// --- The filter -----------------------------------------------------------------------------------------

const searchWorkflow = byId("workflow");
const searchHost = byId("host");
const chosen = new Set();
let rows = [];
let columns = [];
let runnableIn = [];

const cells = new Array(ABSENT + 1).fill(0);
for (const cell of stateOf) cells[cell] += 1;
const isFailing = (cell) => cell !== ABSENT && (cell & FAILS) !== 0;
// What will fail is found as that, and by its verdict unless that says that it can run.
const fits = (cell, state) => cell === state || (isFailing(cell) && (state === FAILS || (state !== RUNNABLE && cell === (state | FAILS))));
const chips = [[FAILS, "fails", "will fail"], ...states.map((name, state) => [state, name, name])].map(([state, name, said]) => {
  const symbol = make("span", { class: "symbol", "aria-hidden": "true" }, SYMBOLS[name]);
  const total = cells.reduce((sum, number, cell) => sum + (fits(cell, state) ? number : 0), 0);
  const chip = make("button", { type: "button", class: name, "aria-pressed": "false", "data-state": name }, symbol, `${count(total)} ${said}`);
  chip.hidden = total === 0;
  chip.addEventListener("click", () => {
    if (!chosen.delete(state)) chosen.add(state);
    chip.setAttribute("aria-pressed", String(chosen.has(state)));
    filter();
  });
  return chip;
});

function matching(names, wanted) {
  const found = [];
  for (let i = 0; i < names.length; i += 1) if (names[i].includes(wanted)) found.push(i);
  return found;
}

function isChosen(cell) {
  for (const state of chosen) if (fits(cell, state)) return true;
  return false;
}

function filter() {
  const listed = columns.join();
  columns = matching(hostNames, searchHost.value.trim().toLowerCase());
  rows = matching(workflowNames, searchWorkflow.value.trim().toLowerCase());
  if (chosen.size) {
    const wanted = cells.map((_, cell) => isChosen(cell));
    const hit = new Uint8Array(width);
    rows = rows.filter((w) => {
      let any = false;
      for (const h of columns) {
        if (wanted[stateOf[w * width + h]]) {
          hit[h] = 1;
          any = true;
        }
      }
      return any;
    });
    columns = columns.filter((h) => hit[h]);
  }
  runnableIn = rows.map((w) => {
    let number = 0;
    for (const h of columns) if (stateOf[w * width + h] === RUNNABLE) number += 1;
    return number;
  });
  cursor.row = Math.max(0, Math.min(cursor.row, rows.length - 1));
  cursor.column = Math.max(0, Math.min(cursor.column, columns.length - 1));
  grid.scrollTo(0, 0);
  layOut();
  if (columns.join() !== listed) {
    listHosts(HOSTS_AT_FIRST);
    listChanges(CHANGES_AT_FIRST);
  }
  byId("shown").textContent =
    `${part(rows.length, height, "workflow")} × ${part(columns.length, width, "host")}`;
}
function part(some, all, noun) {
  return `${some === all ? "" : `${count(some)} of `}${count(all)} ${noun}${all === 1 ? "" : "s"}`;
}

function clear() {
  searchWorkflow.value = "";
  searchHost.value = "";
  chosen.clear();
  for (const chip of chips) chip.setAttribute("aria-pressed", "false");
  filter();
}

// --- The grid: what is seen is drawn, and a little around it ---------------------------------------------

const ROW = 28;
const NARROW = 26;
const WIDE = 150;
const WORDS = 78;
const AROUND = 3;
const PRINTED = 20000;
const grid = byId("grid");
const plane = make("div", { class: "plane", role: "presentation" });
const cursor = { row: 0, column: 0 };
let size = { label: 0, column: 0, head: 0 };
let drawn = "";
let printing = false;

function layOut() {
  const room = grid.parentElement.clientWidth - 2;
  const label = Math.min(340, Math.max(160, Math.floor(room * 0.3)));
  const column = Math.max(NARROW, Math.min(WIDE, Math.floor((room - label) / Math.max(1, columns.length))));
  const upright = column < WORDS;
  size = { label, column, head: upright ? 132 : 38 };
  grid.classList.toggle("upright", upright);
  plane.style.setProperty("--label", `${label}px`);
  plane.style.setProperty("--column", `${column}px`);
  plane.style.setProperty("--head", `${size.head}px`);
  plane.style.width = `${label + column * columns.length}px`;
  plane.style.height = `${size.head + ROW * rows.length}px`;
  const nothing = rows.length === 0 || columns.length === 0;
  grid.hidden = nothing;
  byId("nothing").hidden = !nothing;
  byId("nothing").textContent =
    width === 0 ? "The group comfyui of the inventory is empty."
    : height === 0 ? "No host has reported a workflow yet."
    : "Nothing matches the filter. Esc clears it.";
  grid.setAttribute("aria-activedescendant", "at");
  grid.setAttribute("aria-rowcount", String(rows.length + 1));
  grid.setAttribute("aria-colcount", String(columns.length + 1));
  drawAnew();
}

function seen() {
  if (printing) return [0, rows.length, 0, columns.length];
  const first = (scrolled, one) => Math.max(0, Math.floor(scrolled / one) - AROUND);
  const last = (scrolled, room, one, all) => Math.min(all, Math.ceil((scrolled + room) / one) + AROUND);
  return [
    first(grid.scrollTop, ROW),
    last(grid.scrollTop, grid.clientHeight, ROW, rows.length),
    first(grid.scrollLeft, size.column),
    last(grid.scrollLeft, grid.clientWidth, size.column, columns.length),
  ];
}

function drawAnew() {
  drawn = "";
  draw();
}

function draw() {
  if (grid.hidden) {
    plane.replaceChildren();
    return;
  }
  const range = seen();
  if (range.join() !== drawn) {
    drawn = range.join();
    const [top, bottom, left, right] = range;
    const lines = [headLine(left, right)];
    for (let r = top; r < bottom; r += 1) lines.push(line(r, left, right));
    plane.replaceChildren(...lines);
  }
  markCursor();
}

// A line is its label, a gap for the columns out of sight on the left, and the columns in sight.
const BEFORE = 2;
const gap = (columnsLeftOut) => {
  const element = make("div", { class: "gap", role: "presentation" });
  element.style.width = `${columnsLeftOut * size.column}px`;
  return element;
};
// Copies of one cell for each state are the cheapest there is: a window shows a thousand or two.
const kinds = (textOf, more = "", said = () => "") =>
  Object.fromEntries([...states, "absent", "fails"].map((name) => [name, make("div", { class: `cell ${name}${more}`, role: "gridcell" }, textOf(name), said())]));
const symbolOf = (name) => SYMBOLS[name] || "";
const wordOf = (name) => ({ absent: "", fails: "will fail" })[name] ?? name;
const letBe = (textOf) => kinds(textOf, " let-be", () => make("span", { class: "unseen" }, " accepted"));
const withSymbol = [kinds(symbolOf), letBe(symbolOf)];
const withWord = [kinds(wordOf), letBe(wordOf)];

function headLine(left, right) {
  const corner = make("div", { class: "corner", role: "columnheader" }, "can run it now / hosts shown");
  const heads = make("div", { class: "heads", role: "row", "aria-rowindex": "1", "data-row": "-1", "data-left": String(left) }, corner, gap(left));
  for (let c = left; c < right; c += 1) {
    const { name, state } = hosts[columns[c]];
    heads.append(make("div", { class: `head ${state}`, role: "columnheader", title: `${name}: ${state}` }, bdi(name)));
  }
  return heads;
}

function line(r, left, right) {
  const w = rows[r];
  const [name, groups] = workflows[w];
  const tally = make("span", {}, `${count(runnableIn[r])} / ${count(columns.length)}`);
  const label = make("div", { class: "label", role: "rowheader", title: name }, bdi(name), tally);
  const row = make("div", { class: "line", role: "row", "aria-rowindex": String(r + 2), "data-row": String(r), "data-left": String(left) }, label, gap(left));
  row.style.top = `${size.head + r * ROW}px`;
  const [usual, accepted] = size.column < WORDS ? withSymbol : withWord;
  for (let c = left; c < right; c += 1) {
    const at = w * width + columns[c];
    const state = stateOf[at];
    const group = groups[groupOf[at]];
    const kind = isAccepted(group) ? accepted : usual;
    const fails = isFailing(state);
    const cell = kind[fails ? "fails" : states[state] || "absent"].cloneNode(true);
    if (fails) cell.title = `${states[group[0]]}, ${failing(group)}`;
    if (chosen.size && !isChosen(state)) cell.classList.add("dim");
    row.append(cell);
  }
  return row;
}

function elementAt(row, column) {
  const of = plane.querySelector(`[data-row="${row}"]`);
  if (!of) return null;
  return of.children[column < 0 ? 0 : column - Number(of.dataset.left) + BEFORE] || null;
}

function markCursor() {
  const last = byId("at");
  if (last) {
    last.classList.remove("cursor");
    last.removeAttribute("id");
  }
  const { row, column } = cursor;
  const element = elementAt(row, column);
  if (!element) return;
  element.id = "at";
  element.classList.add("cursor");
  if (row < 0 || column < 0) return;
  const at = rows[row] * width + columns[column];
  const group = workflows[rows[row]][1][groupOf[at]];
  const word = group ? `${states[group[0]]}${marks(group)}` : states[stateOf[at]] || "absent";
  element.setAttribute("aria-label", `${workflows[rows[row]][0]} on ${hosts[columns[column]].name}: ${word}`);
  element.setAttribute("aria-colindex", String(column + 2));
}

function move(row, column) {
  cursor.row = Math.max(-1, Math.min(rows.length - 1, row));
  cursor.column = Math.max(-1, Math.min(columns.length - 1, column));
  const y = cursor.row * ROW;
  const x = cursor.column * size.column;
  const below = grid.clientHeight - size.head - ROW;
  const beside = grid.clientWidth - size.label - size.column;
  if (cursor.row >= 0) grid.scrollTop = Math.min(y, Math.max(grid.scrollTop, y - below));
  if (cursor.column >= 0) grid.scrollLeft = Math.min(x, Math.max(grid.scrollLeft, x - beside));
  draw();
}

grid.append(plane);
let asked = false;
grid.addEventListener("scroll", () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw();
  });
});
const STEPS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-10, 0], PageDown: [10, 0], Home: [0, -Infinity], End: [0, Infinity],
};
grid.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (step) move(cursor.row + step[0], cursor.column + step[1]);
  else if (event.key === "Enter" || event.key === " ") explain();
  else return;
  event.preventDefault();
});
grid.addEventListener("click", (event) => {
  const at = event.target.closest(".cell, .label, .head");
  if (!at) return;
  const { row, left } = at.parentElement.dataset;
  const place = Array.prototype.indexOf.call(at.parentElement.children, at);
  move(Number(row), place === 0 ? -1 : Number(left) + place - BEFORE);
  explain();
});
addEventListener("resize", layOut);
addEventListener("beforeprint", () => {
  printing = rows.length * columns.length <= PRINTED;
  drawAnew();
  listHosts(width);
  listChanges(Infinity);
  for (const of of changeLists) of.setAttribute("open", "");
});
addEventListener("afterprint", () => {
  printing = false;
  drawAnew();
});

// --- Why: a drawer for a cell, a workflow or a host --------------------------------------------------------

const drawer = byId("drawer");
let before = null;

function explain() {
  const { row, column } = cursor;
  if (row >= 0 && column >= 0) showCell(rows[row], columns[column]);
  else if (row >= 0) showWorkflow(rows[row]);
  else if (column >= 0) showHost(columns[column]);
}

function open(title, ...body) {
  if (drawer.hidden) before = document.activeElement;
  byId("drawer-title").replaceChildren(...title);
  byId("drawer-body").replaceChildren(...body.flat().filter(Boolean));
  drawer.hidden = false;
  drawer.scrollTop = 0;
  byId("drawer-title").focus();
}
function close() {
  drawer.hidden = true;
  if (before) before.focus();
}
byId("close").addEventListener("click", close);

function showCell(w, h) {
  const host = hosts[h];
  const [name, groups] = workflows[w];
  const group = groups[groupOf[w * width + h]];
  const links = make("p", { class: "links" }, button("On every host", () => showWorkflow(w)), button("All of this host", () => showHost(h)));
  const title = [bdi(name), " on ", bdi(host.name)];
  if (!group) {
    const silent = host.state === "silent";
    const why = silent ? "There is no report of this host." : "It is not saved on this host.";
    open(title, make("p", {}, why), silent && remarks(host), links);
    return;
  }
  const [state, verdict] = group;
  const said = state === verdict ? "" : `: its last report, made ${ago(host.report)}, says ${states[verdict]}`;
  open(title, make("p", {}, badge(states[state]), failsBadge(group), said), said && remarks(host), reasons(group), alike(group, h), links);
}

function showWorkflow(w) {
  const [name, groups] = workflows[w];
  const canRun = (group) => group[0] === RUNNABLE && !willFail(group);
  const able = groups.filter(canRun).flatMap((group) => [...hostsIn(group)]);
  const body = [make("h4", {}, `Can run now on ${part(able.length, width, "host")}`), names(able)];
  const unable = groups.filter((group) => !canRun(group));
  for (const group of unable.slice(0, GROUPS_AT_MOST)) {
    const [state, verdict] = group;
    const on = [...hostsIn(group)];
    body.push(make("h4", {}, badge(states[state]), failsBadge(group), ` on ${count(on.length)}`), names(on));
    if (state === verdict) body.push(...reasons(group));
  }
  const more = unable.length - GROUPS_AT_MOST;
  if (more > 0) body.push(make("p", { class: "quiet" }, `and ${count(more)} more reasons, each shown at its cell`));
  open([bdi(name)], body);
}

function showHost(h) {
  const host = hosts[h];
  const facts = [
    ["Release", host.release || "not known"],
    ["ComfyUI", host.comfyui || "not known"],
    ["Timer", host.timer || "none"],
    ["Last cycle", host.cycle ? `${host.cycle[0]}, ${ago(host.cycle[2])}: ${host.cycle[1]}` : "not known"],
    ["Last full report", ago(host.report)],
    ["Last answer", ago(host.collected)],
  ].flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, bdi(text))]);
  const wrong = [];
  for (let w = 0; w < height; w += 1) {
    const at = w * width + h;
    const group = workflows[w][1][groupOf[at]];
    if (group && stateOf[at] !== RUNNABLE) wrong.push([w, states[group[0]], marks(group)]);
  }
  const entries = wrong.slice(0, NAMES_AT_MOST).map(([w, state, said]) => make("li", {}, link(workflows[w][0], () => showCell(w, h)), " ", badge(state), said));
  const more = wrong.length - NAMES_AT_MOST;
  open(
    [bdi(host.name)],
    make("p", {}, badge(host.state)),
    remarks(host),
    make("dl", {}, facts),
    changesOf(h),
    wrong.length && [make("h4", {}, `Cannot run now: ${part(wrong.length, height, "workflow")}`), make("ul", { class: "plain" }, entries)],
    more > 0 && make("p", { class: "quiet" }, `and ${count(more)} more`),
  );
}

function reasons([, , found, leftOut, lost, notChecked, , acceptance = null]) {
  return [
    ...(acceptance === null ? [] : [make("p", {}, bdi(acceptances[acceptance]))]),
    ...(lost.length ? [make("h4", {}, "Outputs lost"), make("p", {}, lost.flatMap((output) => [make("code", {}, bdi(output)), " "]))] : []),
    ...(found.length ? [make("ul", { class: "found" }, found.map(finding))] : []),
    ...(leftOut ? [make("p", { class: "quiet" }, `and ${count(leftOut)} more in the host's own report`)] : []),
    ...(notChecked.length ? [make("h4", {}, "Not checked"), list(notChecked)] : []),
  ];
}
function finding(number) {
  const [code, severity, message, fix, where] = findings[number];
  const known = severity === "error" || severity === "warning" ? severity : "info";
  return make(
    "li",
    { class: known },
    make("span", { class: "severity" }, known === "info" ? "note" : known),
    make("p", {}, message),
    make("p", { class: "where" }, code, where && [" at ", make("code", {}, bdi(where))]),
    fix ? make("p", { class: "fix" }, fix) : null,
  );
}
const isAccepted = (group) => group !== undefined && (group[7] ?? null) !== null && group[0] === group[1];
const failing = (group) => `will fail${group[8].length ? ` for ${group[8].join(", ")}` : ""}`;
const failsBadge = (group) => (willFail(group) ? [", ", make("span", { class: "badge fails" }, bdi(failing(group)))] : []);
const marks = (group) => `${willFail(group) ? ", will fail" : ""}${isAccepted(group) ? ", accepted" : ""}`;
const hostsIn = ({ 6: runs }) => inRuns(runs);
function* inRuns(runs) {
  for (let i = 0; i < runs.length; i += 2) for (let n = 0; n < runs[i + 1]; n += 1) yield runs[i] + n;
}
function names(numbers) {
  const more = numbers.length - NAMES_AT_MOST;
  const shown = numbers.slice(0, NAMES_AT_MOST).flatMap((h) => [make("code", {}, bdi(hosts[h].name)), " "]);
  return make("p", {}, shown, more > 0 ? `and ${count(more)} more` : "");
}
function alike(group, h) {
  const others = [...hostsIn(group)].filter((other) => other !== h);
  if (!others.length) return [];
  return [make("h4", {}, `The same on ${count(others.length)} other host${others.length === 1 ? "" : "s"}`), names(others)];
}
function remarks(host) {
  if (!host.remarks.length) return null;
  return make("ul", { class: "plain" }, host.remarks.map(([message, problem]) => make("li", problem ? {} : { class: "quiet" }, message)));
}

// --- What changed ---------------------------------------------------------------------------------------------

// The page has them all; those are shown that concern a host that is, the first of each heading at first.
const changeLists = [...document.querySelectorAll("#changes .changes")];
const changeRows = [...document.querySelectorAll("#changes .change")];

function concerns(runs, on) {
  for (const h of inRuns(runs)) if (on[h]) return true;
  return false;
}

function listChanges(limit) {
  if (!changeRows.length) return;
  const on = new Uint8Array(width);
  for (const h of columns) on[h] = 1;
  const shown = new Map(changeLists.map((of) => [of, 0]));
  let matching = 0;
  changeRows.forEach((row, i) => {
    const of = row.closest(".changes");
    const hit = concerns(changes[i], on);
    matching += hit;
    row.hidden = !hit || shown.get(of) >= limit;
    if (!row.hidden) shown.set(of, shown.get(of) + 1);
  });
  byId("changes").classList.add("listed");
  for (const [of, number] of shown) of.hidden = number === 0;
  const hidden = matching - [...shown.values()].reduce((sum, number) => sum + number, 0);
  const more = byId("more-changes");
  more.hidden = hidden === 0;
  more.textContent = `Show ${count(hidden)} more`;
}

function changesOf(h) {
  const own = changes.flatMap((runs, i) => (concerns(runs, { [h]: 1 }) ? [changeRows[i]] : []));
  if (!own.length) return [];
  const more = own.length - GROUPS_AT_MOST;
  const said = (row) => make("li", {}, bdi(row.querySelector(".what").textContent), " ", make("span", { class: "quiet" }, row.querySelector("time").textContent));
  return [
    make("h4", {}, "What changed on it"),
    make("ul", { class: "plain" }, own.slice(0, GROUPS_AT_MOST).map(said)),
    more > 0 ? make("p", { class: "quiet" }, `and ${count(more)} more`) : null,
  ];
}

// --- The hosts ------------------------------------------------------------------------------------------------

function listHosts(limit) {
  document.querySelector("#hosts tbody").replaceChildren(...columns.slice(0, limit).map(hostRow));
  byId("more-hosts").hidden = columns.length <= limit;
  byId("more-hosts").textContent = `Show all ${count(columns.length)}`;
}

function hostRow(h) {
  const host = hosts[h];
  const [outcome, reason, age] = host.cycle || ["–", "", null];
  const why = outcome === "skipped" || outcome === "failed" ? make("div", { class: "quiet" }, reason) : null;
  const verdicts = ["broken", "partial", "unknown", "runnable"].flatMap((name, i) =>
    host.counts[i] ? [make("span", { class: `tally ${name}` }, make("span", { class: "dot" }), `${count(host.counts[i])} ${name}`)] : []);
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, link(host.name, () => showHost(h))),
    make("td", { class: `nowrap ${host.state}` }, make("span", { class: "dot" }), host.state),
    make("td", {}, host.release ? make("code", {}, bdi(host.release)) : "–"),
    make("td", {}, host.comfyui ? bdi(host.comfyui) : "–"),
    make("td", {}, host.timer ? bdi(host.timer) : "–"),
    make("td", {}, bdi(outcome), age === null ? "" : `, ${ago(age)}`, why),
    make("td", { class: "nowrap" }, host.report === null ? "none" : ago(host.report)),
    make("td", {}, verdicts, host.fail ? make("span", { class: "tally fails" }, make("span", { class: "dot" }), `${count(host.fail)} of them will fail`) : null, host.accepted ? make("span", { class: "nowrap" }, `${count(host.accepted)} of them accepted`) : null),
  );
}

// --- Keys, and how it begins ----------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.matches("input") && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    searchWorkflow.focus();
    searchWorkflow.select();
  } else if (event.key === "Escape" && !drawer.hidden) {
    close();
  } else if (event.key === "Escape") {
    clear();
  }
});
const moreRemarks = byId("more-remarks");
if (moreRemarks) {
  moreRemarks.addEventListener("click", () => {
    document.querySelector(".remarks").classList.add("all");
    moreRemarks.remove();
  });
}
function showAge() {
  const seconds = (Date.now() - new Date(made)) / 1000;
  byId("age").textContent = seconds < 60 ? "(just now)" : `(${ago(seconds)})`;
}
showAge();
setInterval(showAge, 60000);

byId("chips").append(...chips);
byId("more-hosts").addEventListener("click", () => listHosts(width));
if (changeRows.length) byId("more-changes").addEventListener("click", () => listChanges(Infinity));
searchWorkflow.addEventListener("input", filter);
searchHost.addEventListener("input", filter);
filter();
