// What the page carries along: the index of all items, and each conversation, packed.

const ITEMS = JSON.parse(document.getElementById("index").textContent);
const BY_ADDRESS = new Map();
ITEMS.forEach((item, number) => {
  item.number = number;
  item.address = addressOf(item);
  BY_ADDRESS.set(`${item.task}\n${item.label}`, item);
});
const GLYPHS = { pass: "✓", fail: "✗", void: "∅", missing: "–" };
let sharedTexts = null;

function addressOf(item) {
  return `#/item/${quoted(item.task)}/${quoted(item.label)}`;
}

// Half a character cannot stand in an address; the other end of the pair reads it the same way.
function quoted(text) {
  return encodeURIComponent(String(text).toWellFormed ? String(text).toWellFormed() : text);
}

async function unpack(id) {
  const packed = document.getElementById(id)?.textContent;
  if (!packed) return null;
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// An item's record and conversation; null if it has no record.
async function conversation(item) {
  sharedTexts ??= unpack("shared");
  const [talk, shared] = await Promise.all([unpack(`c${item.number}`), sharedTexts]);
  if (talk === null) return null;
  for (const message of talk.messages)
    if (message && message.shared !== undefined) message.content = shared[message.shared];
  return talk;
}

const money = (value) => {
  if (value === null || value === undefined) return "?";
  if (value === 0) return "$0";
  return "$" + value.toFixed(Math.min(8, Math.max(2, 1 - Math.floor(Math.log10(Math.abs(value))))));
};
const whole = (value) => (value ?? 0).toLocaleString("en");

function outcomeMark(item) {
  return element("span", { class: `outcome-${item.outcome}` }, `${GLYPHS[item.outcome] ?? "?"} `, shown(item.reason));
}
