// Runs Sema programs for pytest-sema-bench: JSON lines in on stdin, JSON lines out on stdout.
// In:  {"id", "sources": [text], "max_chars"}, one request at a time.
// Out: {"ready": {version, node}} once; per source {"id", "value", "output", "error"};
//      then {"id", "done": true, "memory"}; or {"id", "trap": message, "memory"} and exit.
// argv: the folder of the npm package.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const packageFolder = process.argv[2];
const { SemaInterpreter, initSync } = await import(pathToFileURL(`${packageFolder}/sema_wasm.js`));
const wasm = initSync({ module: readFileSync(`${packageFolder}/sema_wasm_bg.wasm`) });

// The VM denies network and file system by itself; what it could reach them with goes as well.
for (const name of ["fetch", "WebSocket", "XMLHttpRequest", "EventSource"]) delete globalThis[name];

let current = null;
let panicText = "";
// The VM reports a panic with console.error just before it traps.
for (const level of ["log", "info", "warn", "error", "debug"])
  console[level] = (...parts) => { panicText = parts.join(" ").slice(0, 2000); };

const send = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const memory = () => wasm.memory.buffer.byteLength;

// A trap leaves the instance unusable, and on the asynchronous path it surfaces here only.
function trapped(error) {
  const text = [String(error?.message ?? error), panicText].filter(Boolean).join("; ");
  const line = JSON.stringify({ id: current, trap: text, memory: memory() }) + "\n";
  process.stdout.write(line, () => process.exit(70));
}
process.on("uncaughtException", trapped);
process.on("unhandledRejection", trapped);

function clip(text, maxChars) {
  if (text === null || text === undefined) return null;
  if (text.length <= maxChars) return text;
  const half = maxChars >> 1;
  const [head, tail] = [text.slice(0, half), text.slice(-half)].map((part) => part.toWellFormed());
  return `${head}\n… ${text.length - 2 * half} characters left out …\n${tail}`;
}

function clipLines(lines, maxChars) {
  const total = lines.reduce((sum, line) => sum + line.length + 1, 0);
  if (total <= maxChars) return lines;
  return clip(lines.join("\n"), maxChars).split("\n");
}

async function run({ id, sources, max_chars: maxChars }) {
  const interpreter = SemaInterpreter.createWithOptions({ deny: ["network", "fs-write"] });
  // The virtual files belong to the instance, and some functions write them all the same.
  interpreter.resetVFS();
  for (const source of sources) {
    const { value, output, error } = await interpreter.evalVMAsync(source);
    send({ id, value: clip(value, maxChars), output: clipLines(output, maxChars), error: clip(error, maxChars) });
  }
  interpreter.free();
}

const probe = SemaInterpreter.createWithOptions({ deny: ["network", "fs-write"] });
send({ ready: { version: probe.version(), node: process.version } });
probe.free();

const requests = createInterface({ input: process.stdin });
// Without a parent there is nobody to answer, even if a program still sleeps.
requests.on("close", () => process.exit(0));

for await (const line of requests) {
  const request = JSON.parse(line);
  current = request.id;
  panicText = "";
  try {
    await run(request);
  } catch (error) {
    trapped(error);
    await new Promise(() => {});
  }
  send({ id: request.id, done: true, memory: memory() });
  current = null;
}
