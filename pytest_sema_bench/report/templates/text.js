"use strict";
// Text of models becomes elements here, by textContent alone: nothing in it is ever read as HTML.

const FOLD_CHARS = 6000, SHORT_CHARS = 400, FOLD_LINES = 80, HIGHLIGHT_CHARS = 60000;
// Controls, marks of direction, what has no width, halves of characters.
const ODD = /(?:(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029])/gu;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// The text as nodes, with odd characters shown as boxes that name them.
function shown(text) {
  const fragment = document.createDocumentFragment();
  const clean = String(text).replaceAll("\r\n", "\n");
  let last = 0;
  for (const found of clean.matchAll(ODD)) {
    fragment.append(clean.slice(last, found.index));
    const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    fragment.append(element("span", { class: "odd" }, `U+${code}`));
    last = found.index + found[0].length;
  }
  fragment.append(clean.slice(last));
  return fragment;
}

// A block that shows the text as `render` makes it, its beginning only if it is long.
function block(text, classes, render = shown, longest = FOLD_CHARS) {
  const box = element("div", { class: classes });
  const beginning = fold(text.slice(0, longest));
  box.append(render(beginning));
  if (beginning.length === text.length) return box;
  const all = element("button", { type: "button" }, `Show all ${text.length.toLocaleString("en")} characters`);
  const wrapper = element("div", {}, box, element("p", {}, all));
  all.addEventListener("click", () => {
    box.replaceChildren(render(text));
    all.parentElement.remove();
  });
  return wrapper;
}

function fold(text) {
  let end = -1;
  for (let line = 0; line < FOLD_LINES; line++) {
    end = text.indexOf("\n", end + 1);
    if (end < 0) return text;
  }
  return text.slice(0, end);
}

const FORMS = new Set(("and async await begin case catch cond def define define-macro define-record-type " +
  "define-syntax define-values defmacro defmethod defmulti defn defun delay do else fn for for/list " +
  "guard if lambda let let* let*-values let-values letrec loop match module or progn quasiquote quote " +
  "recur set! throw try unless when when-let while").split(" "));
const TOKEN = new RegExp([
  /(?<comment>;[^\n]*|#\|[^]*?(?:\|#|$))/,
  /(?<string>[f#]?"(?:[^"\\]|\\[^])*(?:"|$))/,
  /(?<keyword>:[^\s()[\]{}"';,`]+)/,
  /(?<number>#\\\S+|#[tf](?![^\s()[\]{}])|[-+]?\d[^\s()[\]{}"';,`]*)/,
  /(?<paren>[()[\]{}]|['`,]@?|#(?=\())/,
  /(?<word>[^\s()[\]{}"';,`]+)/,
  /(?<rest>[^])/,
].map((part) => part.source).join("|"), "y");

// Lisp as nodes, its tokens in colour.
function lisp(text) {
  if (text.length > HIGHLIGHT_CHARS) return shown(text);
  const fragment = document.createDocumentFragment();
  let plain = "";
  TOKEN.lastIndex = 0;
  for (let found; TOKEN.lastIndex < text.length && (found = TOKEN.exec(text)); ) {
    const groups = found.groups;
    const kind = ["comment", "string", "keyword", "number", "paren"].find((name) => groups[name] !== undefined) ??
      (groups.word !== undefined && FORMS.has(groups.word) ? "form" : null);
    if (kind === null) { plain += found[0]; continue; }
    if (plain) fragment.append(shown(plain));
    plain = "";
    fragment.append(element("span", { class: `lisp-${kind}` }, shown(found[0])));
  }
  if (plain) fragment.append(shown(plain));
  return fragment;
}

// A message as it was written; blocks between fences are shown as code.
function prose(text) {
  const parts = element("div"), lines = text.split("\n");
  let kept = [], fence = null;
  const flush = (isCode) => {
    const content = kept.join("\n");
    kept = [];
    if (!content.trim()) return;
    const looksLisp = fence && /^(|sema|lisp|scheme|clojure|clj|racket)$/i.test(fence.language);
    parts.append(block(content, isCode ? "code" : "text", isCode && looksLisp ? lisp : shown));
  };
  for (const line of lines) {
    const mark = line.length < 200 ? /^\s{0,3}(`{3,}|~{3,})\s*([^\s`]*)/.exec(line) : null;
    if (mark && !fence) {
      flush(false);
      fence = { mark: mark[1], language: mark[2] };
    } else if (mark && mark[1].startsWith(fence.mark) && !mark[2]) {
      flush(true);
      fence = null;
    } else kept.push(line);
  }
  flush(Boolean(fence));
  return parts;
}
