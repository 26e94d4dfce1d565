const { folders, states, files, workflows, same } = JSON.parse(byId("data").textContent);
const [FOLDER, NAME, SIZE, CHANGED, STATE, DETAIL, PATH, SHA256, READ, NEEDED, NAMED] = Array(11).keys();
const ROW = 30;
const AROUND = 8;
const NAMES_AT_MOST = 100;
const PRINTED = 5000;

function gib(size) {
  if (size === null) return "?";
  if (size === 0) return "0";
  const [unit, power, digits] = size >= 2 ** 30 / 100 ? ["GiB", 30, 2] : size >= 2 ** 20 / 10 ? ["MiB", 20, 1] : ["KiB", 10, 1];
  return `${(size / 2 ** power).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`;
}
const day = (seconds) => (seconds === null ? "not known" : `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`);

// --- What can be listed: files, or workflows ---------------------------------------------------------

const text = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const size = (a, b) => (a ?? -1) - (b ?? -1);
const fileNames = files.map((file) => `${folders[file[FOLDER]]}/${file[NAME]}`.toLowerCase());
const workflowNames = workflows.map(([name]) => name.toLowerCase());
const missingOf = ([, , , bytes, missing]) => {
  const unknown = missing.filter(([, , known]) => known === null).length;
  if (!bytes && !missing.length) return "";
  return `${bytes ? gib(bytes) : ""}${bytes && unknown ? " + " : ""}${unknown ? `${count(unknown)} of unknown size` : ""}`;
};
const largestOf = ([, , , , , largest]) => (largest === null ? null : files[largest][SIZE]);

const KINDS = {
  files: {
    noun: "file", rows: files, names: fileNames, tell: showFile,
    filters: [
      ...states.map(([words, tone], at) => [words, tone, (f) => files[f][STATE] === at]),
      ["not named", "unknown", (f) => files[f][NAMED].length === 0],
      ["several names", "accepted", (f) => sameAs[f] !== undefined],
    ],
    columns: [
      ["Size", "number", (f) => gib(files[f][SIZE]), (a, b) => size(files[b][SIZE], files[a][SIZE])],
      ["Uses", "number", (f) => count(files[f][NAMED].length), (a, b) => files[b][NAMED].length - files[a][NAMED].length],
      ["State", "state", (f) => states[files[f][STATE]][0], (a, b) => files[a][STATE] - files[b][STATE]],
      ["Folder", "aside", (f) => folders[files[f][FOLDER]], (a, b) => files[a][FOLDER] - files[b][FOLDER]],
      ["File", "", (f) => files[f][NAME], (a, b) => text(fileNames[a], fileNames[b])],
    ],
    tone: (f) => states[files[f][STATE]][1],
  },
  workflows: {
    noun: "workflow", rows: workflows, names: workflowNames, tell: showWorkflow,
    filters: [["lacks files", "broken", (w) => workflows[w][3] > 0 || workflows[w][4].length > 0]],
    columns: [
      ["Needed", "number", (w) => gib(workflows[w][2]), (a, b) => workflows[b][2] - workflows[a][2]],
      ["Lacks", "number", (w) => count(workflows[w][4].length), (a, b) => workflows[b][4].length - workflows[a][4].length],
      ["Missing", "state", (w) => missingOf(workflows[w]), (a, b) => workflows[b][3] - workflows[a][3]],
      ["Largest file", "aside", (w) => gib(largestOf(workflows[w])), (a, b) => size(largestOf(workflows[b]), largestOf(workflows[a]))],
      ["Workflow", "", (w) => workflows[w][0], (a, b) => text(workflowNames[a], workflowNames[b])],
    ],
    tone: () => "broken",
  },
};
const sameAs = {};
same.forEach(([, , places], at) => { for (const f of places) (sameAs[f] ??= []).push(at); });

// --- The filter ----------------------------------------------------------------------------------------

const wanted = byId("wanted");
let kind = KINDS.files;
let chosen = new Set();
let order = 0;
let turned = false;
let rows = [];
let cursor = 0;

function filter() {
  const words = wanted.value.trim().toLowerCase();
  rows = [];
  const tests = [...chosen].map((at) => kind.filters[at][2]);
  for (let i = 0; i < kind.rows.length; i += 1) {
    if (kind.names[i].includes(words) && (!tests.length || tests.some((test) => test(i)))) rows.push(i);
  }
  const [, , , compare] = kind.columns[order];
  rows.sort((a, b) => (turned ? compare(b, a) : compare(a, b)) || a - b);
  cursor = 0;
  list.scrollTop = 0;
  const all = kind.rows.length;
  const bytes = kind === KINDS.files ? `, ${gib(rows.reduce((sum, f) => sum + (files[f][SIZE] || 0), 0))} by name` : "";
  byId("shown").textContent = `${rows.length === all ? "" : `${count(rows.length)} of `}${count(all)} ${kind.noun}${all === 1 ? "" : "s"}${bytes}`;
  layOut();
}

function choose(of) {
  kind = KINDS[of];
  chosen = new Set();
  [order, turned] = [0, false];
  wanted.value = "";
  for (const name of Object.keys(KINDS)) byId(`of-${name}`).setAttribute("aria-pressed", String(name === of));
  byId("chips").replaceChildren(...kind.filters.map(([words, tone, test], at) => {
    let number = 0;
    for (let i = 0; i < kind.rows.length; i += 1) if (test(i)) number += 1;
    const chip = make("button", { type: "button", class: tone, "aria-pressed": "false" }, make("span", { class: "dot", "aria-hidden": "true" }), `${count(number)} ${words}`);
    chip.hidden = number === 0;
    chip.addEventListener("click", () => {
      if (!chosen.delete(at)) chosen.add(at);
      chip.setAttribute("aria-pressed", String(chosen.has(at)));
      filter();
    });
    return chip;
  }));
  filter();
}

// --- The list: what is seen is drawn, and a little around it -----------------------------------------------

const list = byId("list");
const heads = make("div", { class: "heads", role: "row" });
const plane = make("div", { class: "plane", role: "presentation" });
let drawn = "";
let printing = false;
list.append(heads, plane);

function layOut() {
  heads.replaceChildren(...kind.columns.map(([title, type], at) => {
    const mark = at === order ? (turned ? " ↑" : " ↓") : "";
    const head = make("button", { type: "button", class: type === "state" ? "" : type, role: "columnheader", click: () => sortBy(at) }, title + mark);
    if (at === order) head.setAttribute("aria-sort", turned ? "ascending" : "descending");
    return head;
  }));
  plane.style.height = `${ROW * rows.length}px`;
  list.hidden = rows.length === 0;
  byId("nothing").hidden = rows.length > 0;
  byId("nothing").textContent = kind.rows.length ? "Nothing matches the filter. Esc clears it." : `There is no ${kind.noun}.`;
  list.setAttribute("aria-rowcount", String(rows.length + 1));
  drawn = "";
  draw();
}

function sortBy(at) {
  turned = at === order && !turned;
  order = at;
  filter();
}

function draw() {
  const first = printing ? 0 : Math.max(0, Math.floor(list.scrollTop / ROW) - AROUND);
  const last = printing ? rows.length : Math.min(rows.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + AROUND);
  const range = `${first} ${last} ${cursor}`;
  if (range === drawn) return;
  drawn = range;
  const lines = [];
  for (let r = first; r < last; r += 1) lines.push(line(r));
  plane.replaceChildren(...lines);
}

function line(r) {
  const cells = kind.columns.map(([, type, shown]) => {
    const cell = make("span", { class: type === "state" ? `state ${kind.tone(rows[r])}` : type, role: "gridcell" }, bdi(shown(rows[r])));
    return cell;
  });
  cells.at(-1).title = kind.columns.at(-1)[2](rows[r]);
  const row = make("div", { class: r === cursor ? "line cursor" : "line", role: "row", "aria-rowindex": String(r + 2), "data-row": String(r) }, cells);
  row.style.top = `${r * ROW}px`;
  if (r === cursor) {
    row.id = "at";
    list.setAttribute("aria-activedescendant", "at");
  }
  return row;
}

function move(row) {
  cursor = Math.max(0, Math.min(rows.length - 1, row));
  const below = list.clientHeight - 2 * ROW;
  list.scrollTop = Math.min(cursor * ROW, Math.max(list.scrollTop, cursor * ROW - below));
  draw();
}

let asked = false;
list.addEventListener("scroll", () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw();
  });
});
const STEPS = { ArrowUp: -1, ArrowDown: 1, PageUp: -15, PageDown: 15, Home: -Infinity, End: Infinity };
list.addEventListener("keydown", (event) => {
  if (event.target !== list) return;
  if (event.key in STEPS) move(cursor + STEPS[event.key]);
  else if (event.key === "Enter" || event.key === " ") kind.tell(rows[cursor]);
  else return;
  event.preventDefault();
});
plane.addEventListener("click", (event) => {
  const at = event.target.closest(".line");
  if (!at) return;
  move(Number(at.dataset.row));
  kind.tell(rows[cursor]);
});
addEventListener("resize", () => { drawn = ""; draw(); });
addEventListener("beforeprint", () => { printing = rows.length <= PRINTED; drawn = ""; draw(); });
addEventListener("afterprint", () => { printing = false; drawn = ""; draw(); });

// --- More: a drawer for a file or a workflow ------------------------------------------------------------------

const drawer = byId("drawer");
let before = null;

function open(title, ...body) {
  if (drawer.hidden) before = document.activeElement;
  byId("drawer-title").replaceChildren(bdi(title));
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

function named(title, entries, shown) {
  if (!entries.length) return [];
  const more = entries.length - NAMES_AT_MOST;
  return [
    make("h4", {}, `${title}: ${count(entries.length)}`),
    make("ul", { class: "plain" }, entries.slice(0, NAMES_AT_MOST).map((each) => make("li", {}, shown(each)))),
    more > 0 && make("p", { class: "quiet" }, `and ${count(more)} more`),
  ];
}
const toWorkflow = (w) => link(workflows[w][0], () => showWorkflow(w));
const toFile = (f) => [link(`${folders[files[f][FOLDER]]}/${files[f][NAME]}`, () => showFile(f)), ` ${gib(files[f][SIZE])}`];
const facts = (of) => make("dl", {}, of.filter(([, said]) => said).flatMap(([term, said]) => [make("dt", {}, term), make("dd", {}, bdi(said))]));

function showFile(f) {
  const file = files[f];
  const needed = new Set(file[NEEDED]);
  const only = file[NAMED].filter((w) => !needed.has(w));
  const groups = (sameAs[f] || []).flatMap((at) => {
    const [how, , places] = same[at];
    return named(how === "linked" ? "The same file under other names, counted once" : "Copies, by their SHA-256", places.filter((each) => each !== f), toFile);
  });
  open(
    file[NAME],
    make("p", {}, make("span", { class: `state ${states[file[STATE]][1]}` }, states[file[STATE]][0]), file[DETAIL] && ": ", bdi(file[DETAIL])),
    facts([
      ["Folder", folders[file[FOLDER]]], ["Path", file[PATH]], ["Size", gib(file[SIZE])], ["Changed", day(file[CHANGED])],
      ["SHA-256", file[SHA256]], ["Read as a whole", file[READ] && day(file[READ])],
    ]),
    named("Needed by workflows", file[NEEDED], toWorkflow),
    named("Named by workflows that do not need it (in texts, notes or muted nodes)", only, toWorkflow),
    !file[NAMED].length && make("p", { class: "quiet" }, "Not named by any workflow that was read."),
    groups,
  );
}

function showWorkflow(w) {
  const [name, path, needed, bytes, missing] = workflows[w];
  const its = [];
  for (let f = 0; f < files.length; f += 1) if (files[f][NEEDED].includes(w)) its.push(f);
  its.sort((a, b) => size(files[b][SIZE], files[a][SIZE]));
  open(
    name,
    facts([["Path", path], ["Needed", gib(needed)], ["Missing", missingOf(workflows[w])]]),
    named("Missing", missing, ([folder, model, known]) => [bdi(folder ? `${folder}/${model}` : model), ` ${known === null ? "" : gib(known)}`]),
    named("Needs", its, toFile),
  );
}

for (const name of Object.keys(KINDS)) byId(`of-${name}`).addEventListener("click", () => choose(name));
wanted.addEventListener("input", filter);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !drawer.hidden) close();
  else if (event.key === "Escape") {
    wanted.value = "";
    filter();
  } else if (event.key === "/" && event.target.tagName !== "INPUT") {
    wanted.focus();
    event.preventDefault();
  }
});
choose("files");
