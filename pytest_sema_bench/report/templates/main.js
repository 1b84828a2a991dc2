// Which view the address asks for, and the theme.

const VIEWS = ["overview", "items", "item"];
let shownView = null;

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

async function route() {
  const address = location.hash;
  const [, place = "", query = ""] = /^#\/([^?]*)\??(.*)$/.exec(address) ?? [];
  const [name, ...rest] = place.split("/");
  if (name === "item") {
    show("item");
    const title = await showItem(decoded(rest[0] ?? ""), decoded(rest[1] ?? ""));
    document.title = `${title.textContent} · sema-bench`;
    window.scrollTo(0, 0);
    title.focus({ preventScroll: true });
    return;
  }
  const changed = show(name === "items" ? "items" : "overview");
  const title = document.getElementById(name === "items" ? "items-title" : "headline");
  document.title = `${title.textContent} · sema-bench`;
  if (name === "items") await showItems(query);
  else if (!address.startsWith("#/") && address.length > 1) document.getElementById(address.slice(1))?.scrollIntoView();
  if (changed && address.startsWith("#/")) {
    window.scrollTo(0, 0);
    title.focus({ preventScroll: true });
  }
}

// Whether the view is another than before.
function show(view) {
  for (const name of VIEWS) document.getElementById(name).hidden = name !== view;
  const link = document.querySelector("[data-view]");
  if (view === "items") link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
  const changed = shownView !== null && shownView !== view;
  shownView = view;
  return changed;
}

const THEMES = ["automatic", "light", "dark"];

function setTheme(theme) {
  if (theme === "automatic") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = `Theme: ${theme}`;
}

// A page from disk may have no storage.
function stored(theme) {
  try {
    if (theme !== undefined) localStorage.setItem("sema-bench-theme", theme);
    return localStorage.getItem("sema-bench-theme");
  } catch { return null; }
}

function start() {
  let theme = THEMES.includes(stored()) ? stored() : "automatic";
  setTheme(theme);
  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    setTheme(theme);
    stored(theme);
  });
  makeFilters();
  window.addEventListener("hashchange", route);
  route();
}

start();
