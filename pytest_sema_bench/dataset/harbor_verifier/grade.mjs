// Prints 1 if the answer gives the value and the output of truth.json, else 0; fails if the VM does.
// argv: the answer.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const SECONDS = 60;
const here = new URL(".", import.meta.url).pathname;
const truth = JSON.parse(readFileSync(`${here}truth.json`, "utf8"));
const words = (text) => (text ?? "nil").trim().split(/\s+/).join(" ");
const done = (reward) => { console.log(reward); process.exit(0); };

if (!existsSync(process.argv[2])) done(0);
const host = spawn(process.execPath, [
  "--wasm-max-mem-pages=4096", `${here}host.mjs`, `${here}node_modules/@sema-lang/sema-wasm`,
]);
// What never ends is the answer's fault.
setTimeout(() => { host.kill("SIGKILL"); done(0); }, SECONDS * 1000);
host.on("exit", () => { console.error("the VM ended without an answer"); process.exit(1); });
for await (const line of createInterface({ input: host.stdout })) {
  const reply = JSON.parse(line);
  if (reply.ready) {
    const source = readFileSync(process.argv[2], "utf8");
    host.stdin.write(`${JSON.stringify({ id: 1, sources: [source], max_chars: 262144 })}\n`);
  } else {
    const right = reply.trap === undefined && reply.error === null
      && words(reply.value) === words(truth.value)
      && JSON.stringify(reply.output) === JSON.stringify(truth.output);
    done(right ? 1 : 0);
  }
}
