// The list of items. Its filters live in the address, so that a view can be sent to someone.

const FILTERS = [
  ["level", "Level", (item) => [item.level]],
  ["outcome", "Outcome", (item) => [item.outcome]],
  ["reason", "Reason", (item) => [item.reason]],
  ["model", "Model", (item) => [item.model]],
  ["category", "Category", (item) => (item.category ? [item.category] : [])],
  ["error", "VM error", (item) => item.errors ?? []],
  ["task", "Task", (item) => [item.task]],
];
const ROWS_AT_ONCE = 200, TALKS_AT_ONCE = 60;
let listed = [], listQuery = "", searchNumber = 0;
const loweredTalks = new Map();

function makeFilters() {
  const form = document.getElementById("filters");
  const search = element("input", { type: "search", name: "q", autocomplete: "off", oninput: writeFilters });
  form.append(element("label", { class: "wide" }, "Search", search));
  for (const [name, title, values] of FILTERS) {
    const found = [...new Set(ITEMS.flatMap(values))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    if (found.length < 2) continue;
    const select = element("select", { name, onchange: writeFilters }, element("option", { value: "" }, "any"));
    for (const value of found) {
      const option = element("option", {}, shown(value));
      option.value = value;
      select.append(option);
    }
    form.append(element("label", {}, title, select));
  }
  const full = element("input", { type: "checkbox", name: "full", value: "1", onchange: writeFilters });
  form.append(element("label", { class: "check" }, full, "in conversations too"));
  form.append(element("button", { type: "button", onclick: () => { location.hash = "#/items"; } }, "Clear"));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("more").addEventListener("click", addRows);
}

function writeFilters() {
  const pairs = [];
  for (const [name, value] of new FormData(document.getElementById("filters")))
    if (value !== "") pairs.push(`${name}=${quoted(value)}`);
  history.replaceState(null, "", `#/items${pairs.length ? "?" + pairs.join("&") : ""}`);
  route();
}

function readFilters(query) {
  const wanted = new Map();
  for (const pair of query.split("&")) {
    const [name, value = ""] = pair.split("=");
    if (name && value) wanted.set(name, decoded(value));
  }
  return wanted;
}

function fillForm(wanted) {
  for (const field of document.getElementById("filters").elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") field.checked = wanted.has(field.name);
    else if (field !== document.activeElement) field.value = wanted.get(field.name) ?? "";
  }
}

function matching(wanted) {
  const words = (wanted.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const full = wanted.has("full");
  return ITEMS.filter((item) => FILTERS.every(([name, , values]) => !wanted.get(name) || values(item).includes(wanted.get(name))))
    .filter((item) => full || words.every((word) => plainText(item).includes(word)));
}

function plainText(item) {
  item.plain ??= [item.task, item.model, item.label, item.category, item.reason, item.outcome, item.level,
    ...(item.errors ?? []), ...(item.names ?? [])].join(" ").toLowerCase();
  return item.plain;
}

async function talkText(item) {
  if (!loweredTalks.has(item.number)) {
    const talk = await conversation(item);
    const said = (talk?.messages ?? []).flatMap((message) =>
      [textOf(message?.content), reasoning(message), ...callsOf(message).flatMap((call) => Object.values(argumentsOf(call)).map(textOf))]);
    const tried = (talk?.record.cases ?? []).flatMap((one) => [one.call, one.expected, one.got, one.error]);
    loweredTalks.set(item.number, [talk?.record.detail, ...tried, ...said].join("\n").toLowerCase());
  }
  return loweredTalks.get(item.number);
}

async function showItems(query) {
  const wanted = readFilters(query);
  listQuery = query;
  fillForm(wanted);
  let found = matching(wanted);
  const mine = ++searchNumber, words = (wanted.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.has("full") && words.length) {
    const kept = [];
    for (let from = 0; from < found.length; from += TALKS_AT_ONCE) {
      document.getElementById("found").textContent = `Reading conversations, ${from} of ${found.length} …`;
      const some = found.slice(from, from + TALKS_AT_ONCE), texts = await Promise.all(some.map(talkText));
      if (mine !== searchNumber) return;
      kept.push(...some.filter((item, n) => words.every((word) => texts[n].includes(word) || plainText(item).includes(word))));
    }
    found = kept;
  }
  listed = found;
  const graded = found.filter((item) => item.outcome === "pass" || item.outcome === "fail");
  const passed = graded.filter((item) => item.outcome === "pass").length;
  document.getElementById("found").textContent =
    `${found.length} of ${ITEMS.length} items` + (graded.length ? `, ${passed} of ${graded.length} right` : "");
  document.getElementById("rows").replaceChildren();
  addRows();
}

function addRows() {
  const body = document.getElementById("rows"), from = body.children.length;
  for (const item of listed.slice(from, from + ROWS_AT_ONCE)) body.append(row(item));
  const left = listed.length - body.children.length, more = document.getElementById("more");
  more.hidden = left <= 0;
  more.textContent = `Show ${Math.min(left, ROWS_AT_ONCE)} more`;
}

function row(item) {
  const number = (text) => element("td", { class: "number" }, text);
  return element("tr", {},
    element("td", {}, outcomeMark(item)),
    element("td", {}, element("a", { href: item.address }, shown(item.task))),
    element("td", {}, shown(item.label)),
    element("td", {}, shown(item.category ?? "–")),
    element("td", {}, shown((item.errors ?? []).join(", ") || "–")),
    number(item.tokens === undefined ? "–" : whole(item.tokens)),
    number(item.outcome === "missing" ? "–" : money(item.cost)),
    number(item.seconds === undefined ? "–" : item.seconds.toFixed(1)));
}
