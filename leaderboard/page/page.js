const root = document.documentElement;
const unpack = async (id) => {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
};
const load = async (id) => import(URL.createObjectURL(new Blob([await unpack(id)], { type: "text/javascript" })));
const once = (make) => { let made; return () => (made ??= make()); };
const tables = once(() => load("tables-bundle"));
const vega = once(async () => { await load("vega-bundle"); return window.vegaEmbed; });
const specs = once(() => unpack("charts"));
let busy = 0;
const tracked = (work) => { root.dataset.busy = ++busy; return work.finally(() => { root.dataset.busy = --busy; }); };

const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const theme = () => ({
  background: "transparent", font: getComputedStyle(document.body).fontFamily, view: { stroke: null },
  axis: { labelColor: colour("--soft"), titleColor: colour("--soft"), titleFontWeight: 500, gridColor: colour("--line"), domainColor: colour("--line"), tickColor: colour("--line"), labelFontSize: 11.5, titleFontSize: 12 },
  legend: { labelColor: colour("--ink"), titleColor: colour("--soft"), labelFontSize: 12 }, text: { color: colour("--ink"), fontSize: 12 }, mark: { tooltip: true },
});
const draw = async (box) => {
  const [embed, text] = await Promise.all([vega(), specs()]);
  const all = JSON.parse(text.replaceAll("#0b7a75", colour("--mark")));
  const { view } = await embed(box, { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...all[box.dataset.chart], config: theme() }, { actions: false, renderer: "svg", ast: true, mode: "vega-lite", tooltip: { theme: "custom", disableDefaultStyle: true } });
  box.dataset.drawn = "yes"; box.view = view;
  const svg = box.querySelector("svg");
  if (svg) { svg.setAttribute("role", "img"); svg.setAttribute("aria-label", box.dataset.label); svg.querySelectorAll("[aria-label],[role]").forEach((part) => { part.removeAttribute("aria-label"); part.removeAttribute("role"); part.removeAttribute("aria-roledescription"); }); }
};
const wake = (scope) => {
  const shown = (part) => part.offsetParent !== null;
  for (const box of scope.querySelectorAll(".chart:not([data-drawn])")) if (shown(box)) { box.dataset.drawn = "soon"; tracked(draw(box)); }
  for (const table of scope.querySelectorAll("table.live:not([data-live])")) if (shown(table)) {
    table.dataset.live = "yes";
    tracked(tables().then(({ default: DataTable }) => {
      new DataTable(table, { paging: false, info: false, searching: table.classList.contains("find"), order: [], autoWidth: false, layout: { topStart: table.classList.contains("find") ? "search" : null, topEnd: null, bottomStart: null, bottomEnd: null }, language: { search: "Find", zeroRecords: "no row fits" } });
    }));
  }
};

const tabs = [...document.querySelectorAll(".tabs a")];
const show = (tab, focus) => {
  for (const other of tabs) {
    const on = other === tab;
    other.setAttribute("aria-selected", on); other.tabIndex = on ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !on;
  }
  if (focus) tab.focus();
  tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  wake(document.getElementById(tab.getAttribute("aria-controls")));
};
for (const tab of tabs) tab.addEventListener("click", (event) => { event.preventDefault(); history.replaceState(null, "", tab.hash); show(tab); scrollTo(0, Math.min(scrollY, document.querySelector("nav").offsetTop)); });
document.querySelector(".tabs").addEventListener("keydown", (event) => {
  const at = tabs.indexOf(document.activeElement), to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault(); const tab = tabs[(to + tabs.length) % tabs.length]; history.replaceState(null, "", tab.hash); show(tab, true);
});
for (const link of document.querySelectorAll("a[data-tab]")) link.addEventListener("click", (event) => { event.preventDefault(); const tab = tabs.find((one) => one.hash === link.hash); history.replaceState(null, "", tab.hash); show(tab, true); scrollTo(0, 0); });
document.addEventListener("toggle", (event) => { if (event.target.open) wake(event.target); }, true);

const toggle = document.getElementById("theme");
const dark = (on) => { root.classList.toggle("dark", on); toggle.textContent = on ? "Light" : "Dark"; toggle.setAttribute("aria-label", on ? "Use the light theme" : "Use the dark theme"); };
dark(matchMedia("(prefers-color-scheme: dark)").matches);
toggle.hidden = false;
toggle.addEventListener("click", () => { dark(!root.classList.contains("dark")); for (const box of document.querySelectorAll(".chart[data-drawn]")) { box.view?.finalize(); delete box.dataset.drawn; } for (const panel of document.querySelectorAll("section:not([hidden])")) wake(panel); });
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; for (const box of document.querySelectorAll(".chart[data-drawn]")) box.view?.resize().runAsync(); } });
root.classList.add("js");
show(tabs.find((tab) => tab.hash === location.hash) ?? tabs[0]);
root.dataset.ready = "yes";
