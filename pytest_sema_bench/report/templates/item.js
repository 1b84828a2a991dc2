// One item's page: its verdict, what it took, its cases, and the whole conversation.

let pageNumber = 0;

async function showItem(task, label) {
  const page = document.getElementById("item"), mine = ++pageNumber;
  const item = BY_ADDRESS.get(`${task}\n${label}`) ??
    ITEMS.find((other) => quoted(other.task) === quoted(task) && quoted(other.label) === quoted(label));
  if (!item) {
    page.replaceChildren(heading("No such item"), element("p", {}, "This report has no item ", shown(`${task}, ${label}`), "."));
    return page.firstChild;
  }
  const title = heading(item.task);
  page.replaceChildren(...[crumbs(item), title, verdictLine(item), others(item)].filter(Boolean));
  try {
    const talk = await conversation(item);
    if (mine !== pageNumber) return title;
    if (talk === null) page.append(element("p", {}, "The run set out to do this item and left no record of it."));
    else page.append(...content(talk));
  } catch (error) {
    page.append(element("p", { class: "note" }, `The conversation cannot be unpacked: ${error.message}`));
  }
  return title;
}

function heading(text) {
  return element("h1", { tabindex: "-1" }, shown(text));
}

function crumbs(item) {
  const place = listed.indexOf(item), line = element("nav", { class: "crumbs", "aria-label": "Items" });
  line.append(element("a", { href: `#/items${listQuery ? "?" + listQuery : ""}` }, "← Items"));
  const around = place < 0 ? ITEMS.filter((other) => other.model === item.model) : listed;
  const at = around.indexOf(item);
  if (at > 0) line.append(element("a", { href: around[at - 1].address }, "previous"));
  if (at < around.length - 1) line.append(element("a", { href: around[at + 1].address }, "next"));
  const copy = element("button", { type: "button", class: "push" }, "Copy link");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      copy.textContent = "Copied";
    } catch {
      copy.replaceWith(element("input", { class: "push", readonly: "", value: location.href, "aria-label": "Link" }));
    }
  });
  line.append(copy);
  return line;
}

function verdictLine(item) {
  return element("p", { class: "said" }, outcomeMark(item), " · ", shown(item.label),
    ` · ${item.level}`, item.category ? shown(` · ${item.category}`) : null);
}

function others(item) {
  const same = ITEMS.filter((other) => other.task === item.task && other !== item);
  if (!same.length) return null;
  const line = element("p", { class: "others" }, element("span", { class: "soft" }, "Same task:"));
  for (const other of same)
    line.append(element("a", { href: other.address, class: `outcome-${other.outcome}`, title: other.reason },
      `${GLYPHS[other.outcome] ?? "?"} `, shown(other.label)));
  return line;
}

function content(talk) {
  const record = talk.record, parts = [];
  if (record.detail) parts.push(element("div", { class: "note" }, block(record.detail, "text")));
  parts.push(facts(record));
  if (record.cases.length) parts.push(element("h2", {}, "Cases"), cases(record.cases));
  parts.push(element("h2", {}, "Conversation"));
  if (talk.note) parts.push(element("p", { class: "note" }, shown(talk.note)));
  if (!talk.messages.length && !talk.note) parts.push(element("p", {}, "Nothing was said."));
  parts.push(...messages(talk));
  if (talk.traceback) parts.push(element("h2", {}, "Traceback"), block(String(talk.traceback), "code"));
  return parts;
}

function facts(record) {
  const list = element("dl", { class: "facts" }), tokens = record.tokens;
  const add = (name, value) => value !== null && value !== undefined && value !== "" &&
    list.append(element("div", {}, element("dt", {}, name), element("dd", {}, block(String(value), "", shown, SHORT_CHARS))));
  const calls = Object.entries(record.tool_calls).map(([name, n]) => `${name} ×${n}`).join(", ");
  const errors = record.vm_errors.map((e) => `${e.class}${e.name ? " " + e.name : ""} (${e.where})`).join(", ");
  add("score", record.score);
  add("cost", money(record.cost_usd));
  add("time", `${record.latency_s.toFixed(1)} s`);
  add("tokens in", `${whole(tokens.prompt)}${tokens.cached ? `, ${whole(tokens.cached)} cached` : ""}`);
  add("tokens out", `${whole(tokens.completion)}${tokens.reasoning ? `, ${whole(tokens.reasoning)} reasoning` : ""}`);
  add("tool calls", calls || "none");
  add("rounds", record.rounds);
  add("ended by", record.stop);
  add("VM errors met", errors);
  add("retries", record.retries || null);
  add("tool calls mended", record.repairs || null);
  add("request adapted", (record.adaptations ?? []).join(", "));
  add("served as", record.served_model);
  add("asked at", record.upstream ? `${record.provider}, answered by ${record.upstream}` : record.provider);
  add("VM", record.vm);
  add("grader", record.grader);
  add("task version", record.task_hash);
  return list;
}

function cases(all) {
  const body = element("tbody");
  for (const one of all) {
    const got = one.error ? one.error : one.got === null ? "nothing" : one.got;
    const mark = element("span", { class: one.pass ? "good" : "bad" }, one.pass ? "✓" : "✗",
      element("span", { class: "sr" }, one.pass ? "right" : "wrong"));
    body.append(element("tr", {}, element("td", {}, mark), element("td", {}, block(String(one.call), "", lisp, SHORT_CHARS)),
      element("td", {}, block(String(one.expected), "", lisp, SHORT_CHARS)),
      element("td", one.pass ? {} : { class: "bad" }, block(String(got), "", one.error ? shown : lisp, SHORT_CHARS))));
  }
  const head = ["", "call", "expected", "got"].map((name) => element("th", { scope: "col" }, name));
  return element("div", { class: "scroll" },
    element("table", { class: "cases" }, element("thead", {}, element("tr", {}, ...head)), body));
}

function messages(talk) {
  const answers = talk.messages.filter((message) => message?.role === "assistant").length;
  let nth = 0;
  return talk.messages.map((message) => {
    if (message?.role !== "assistant") return messageBox(message, null, false);
    const call = talk.calls[nth++];
    return messageBox(message, call, nth === answers && Boolean(talk.record.stop));
  });
}

const ROLES = { system: "System prompt", user: "Question", assistant: "Model", tool: "VM" };

function messageBox(message, call, final) {
  const role = message?.role;
  const side = element("div", {}, element("h3", {}, final ? "Final answer" : shown(ROLES[role] ?? role ?? "?")));
  if (call) side.append(element("p", { class: "meta" }, shown(callMeta(call))));
  const main = element("div"), thought = reasoning(message), text = textOf(message?.content) || textOf(message?.refusal);
  if (thought) main.append(folded(`Reasoning, ${whole(thought.length)} characters`, block(thought, "text thought")));
  if (role === "system") main.append(folded(`${whole(text.length)} characters`, prose(text)));
  else if (role === "tool") main.append(block(text, "code reply"));
  else if (text) main.append(prose(text));
  for (const one of callsOf(message)) main.append(toolCall(one));
  if (!main.childNodes.length) main.append(element("p", { class: "soft" }, "(empty)"));
  return element("section", { class: `message${final ? " final" : ""}` }, side, main);
}

function folded(title, inside) {
  return element("details", {}, element("summary", {}, title), inside);
}

function callMeta(call) {
  const parts = [`${(call.latency_s ?? 0).toFixed(1)} s`];
  if (call.tokens) parts.push(`${whole(call.tokens.prompt)} + ${whole(call.tokens.completion)} tokens`);
  if (call.finish_reason && !["stop", "tool_calls"].includes(call.finish_reason)) parts.push(call.finish_reason);
  if (call.retries) parts.push(call.retries === 1 ? "1 retry" : `${call.retries} retries`);
  return [...parts, ...(call.adaptations ?? [])].join(" · ");
}

function reasoning(message) {
  for (const name of ["reasoning_content", "reasoning", "reasoning_details"]) {
    const text = textOf(message?.[name]);
    if (text.trim()) return text;
  }
  return "";
}

// A content is a text or a list of parts; what is neither is shown as JSON.
function textOf(content) {
  if (content === null || content === undefined) return "";
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.map((part) => part?.text ?? textOf(part)).join("\n");
  return JSON.stringify(content, null, 1);
}

function callsOf(message) {
  const calls = message?.tool_calls ?? (message?.function_call ? { function: message.function_call } : []);
  return Array.isArray(calls) ? calls : [calls];
}

// A call's arguments by name; those that are no JSON object as they were sent, under "".
function argumentsOf(call) {
  const sent = call?.function?.arguments;
  let values = sent;
  if (typeof sent === "string") {
    try { values = JSON.parse(sent); } catch { values = null; }
  }
  return values === null || typeof values !== "object" || Array.isArray(values) ? { "": textOf(sent) } : values;
}

function toolCall(call) {
  const box = element("div", {}, element("p", { class: "label" }, "calls ", element("code", {}, shown(call?.function?.name ?? "?"))));
  for (const [key, value] of Object.entries(argumentsOf(call))) {
    if (key !== "code") box.append(element("p", { class: "label" }, shown(key || "the arguments are no JSON object:")));
    box.append(block(textOf(value), "code", key === "code" ? lisp : shown));
  }
  return box;
}
