// Runs Sema programs for pytest-sema-bench: JSON lines in on stdin, JSON lines out on stdout.
// In:  {"id", "sources": [text], "max_chars", "together"}, one request at a time. Replies that go "together"
//      wait for each other for some milliseconds: a write and a read cost as much as a small program.
//      Or {"machine_code": true}, for one reply with that of all functions which are translated by then.
// Out: {"ready": {version, node, cpu_us, fixed_us, translated}} once; per source {"id", "value", "output", "error"}, with
//      "cpu_us" if it took long or was the last, "memory" if it was the last; or {"id", "trap", "memory"} and exit.
// argv: the folder of the npm package; a file of machine code that machine_code.py has made, or nothing.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";

// What a program leaves behind (a sleeping task, a closure to be finalised) must never reach the
// memory of the next one: callbacks of an evaluation that is over are dropped.
let evaluation = 0;
const whileItLasts = (callback) => {
  const mine = evaluation;
  return (...args) => { if (mine === evaluation) callback(...args); };
};
const { setTimeout: later, queueMicrotask: soon } = globalThis;
globalThis.setTimeout = (callback, ms) => later(whileItLasts(callback), ms);
globalThis.queueMicrotask = (callback) => soon(whileItLasts(callback));
// The VM makes one per evaluation to yield to the event loop; a real one costs more than most programs.
globalThis.MessageChannel = class {
  constructor() {
    const port1 = { onmessage: null, close() {} };
    const postMessage = (data) => setImmediate(whileItLasts(() => port1.onmessage?.({ data })));
    [this.port1, this.port2] = [port1, { postMessage, close() {} }];
  }
};
delete globalThis.FinalizationRegistry;
// The VM denies network and file system by itself; what it could reach them with goes as well.
for (const name of ["fetch", "WebSocket", "XMLHttpRequest", "EventSource"]) delete globalThis[name];

const [packageFolder, codeFile] = process.argv.slice(2);
const { SemaInterpreter, initSync } = await import(pathToFileURL(`${packageFolder}/sema_wasm.js`));
const bytes = readFileSync(`${packageFolder}/sema_wasm_bg.wasm`);

// What V8 knows under such a name, and Node wraps nowhere. The flag is on at no other time.
function builtIn(name, ...values) {
  setFlagsFromString("--allow-natives-syntax");
  try {
    const names = values.map((_, index) => `v${index}`);
    return new Function(...names, `return %${name}(${names})`)(...values);
  } finally {
    setFlagsFromString("--no-allow-natives-syntax");
  }
}

// V8 takes what the same V8 has made with the same flags on such a processor, and else says undefined.
const code = codeFile && new Uint8Array(readFileSync(codeFile)).slice(32).buffer;
const translated = code && builtIn("DeserializeWasmModule", code, new Uint8Array(bytes));
const module = translated ?? new WebAssembly.Module(bytes);
const wasm = initSync({ module });

let current = null;
let panicText = "";
// The VM reports a panic with console.error just before it traps.
for (const level of ["log", "info", "warn", "error", "debug"])
  console[level] = (...parts) => { panicText = parts.join(" ").slice(0, 2000); };

let unsent = "";
function flush(callback) {
  process.stdout.write(unsent, callback);
  unsent = "";
}
const send = (message) => { unsent += JSON.stringify(message) + "\n"; };
const memory = () => wasm.memory.buffer.byteLength;

// A trap leaves the instance unusable, and on the asynchronous path it surfaces here only.
function trapped(error) {
  const text = [String(error?.message ?? error), panicText].filter(Boolean).join("; ");
  send({ id: current, trap: text, memory: memory() });
  flush(() => process.exit(70));
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

const LONG_MS = 20;
function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

// One interpreter is made, and its memory as it was then is put back before each request. So all
// that a program could leave is gone (definitions, files, the count of generated symbols, cycles
// that the VM never frees and visits ever more slowly), which `free()` would not do, and cheaper.
const interpreter = SemaInterpreter.createWithOptions({ deny: ["network", "fs-write"] });

// Memory starts with the stack, which is empty between requests and for the most part untouched.
function untouched(bytes) {
  const zeros = Buffer.alloc(65_536);
  let n = 0;
  while (bytes.subarray(n, n + zeros.length).equals(zeros)) n += zeros.length;
  return n;
}

const start = untouched(Buffer.from(wasm.memory.buffer));
const image = new Uint8Array(wasm.memory.buffer, start).slice();

async function run({ id, sources, max_chars: maxChars, together }) {
  new Uint8Array(wasm.memory.buffer).set(image, start);
  const patience = performance.now() + LONG_MS;
  const timer = later(flush, LONG_MS);
  for (const [index, source] of sources.entries()) {
    const began = performance.now();
    const { value, output, error } = await interpreter.evalVMAsync(source);
    const reply = {
      id,
      value: clip(value, maxChars),
      output: clipLines(output, maxChars),
      error: clip(error, maxChars),
    };
    const isLast = index === sources.length - 1;
    if (isLast || performance.now() - began > LONG_MS) reply.cpu_us = cpuUs();
    if (isLast) {
      evaluation += 1;
      reply.memory = memory();
    }
    send(reply);
    if (!together || isLast || performance.now() > patience) flush();
  }
  clearTimeout(timer);
}

// How fast this machine is now: what a second of processor time is worth here.
const before = cpuUs();
interpreter.evalVM("(let loop ((i 0) (xs '())) (if (< i 5000) (loop (+ i 1) (cons i (list i))) xs))");
const after = cpuUs();
const ready = { version: interpreter.version(), node: process.version, translated: !!translated };
send({ ready: { ...ready, cpu_us: after, fixed_us: after - before } });
flush();

const requests = createInterface({ input: process.stdin });
// Without a parent there is nobody to answer, even if a program still sleeps.
requests.on("close", () => process.exit(0));

for await (const line of requests) {
  const request = JSON.parse(line);
  if (request.machine_code) {
    send({ machine_code: Buffer.from(builtIn("SerializeWasmModule", module)).toString("base64") });
    flush();
    continue;
  }
  current = request.id;
  panicText = "";
  try {
    await run(request);
  } catch (error) {
    trapped(error);
    await new Promise(() => {});
  }
  current = null;
}
