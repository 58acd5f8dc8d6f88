"use strict";
(() => {
  const root = document.documentElement, body = document.body;
  const all = (query, scope = document) => [...scope.querySelectorAll(query)];
  let busy = 0;
  const tracked = (work) => { root.dataset.busy = ++busy; return work.finally(() => { root.dataset.busy = --busy; }); };

  // the rail: folded on a small screen, filtered by what is typed
  const rail = document.getElementById("rail"), fold = document.getElementById("fold");
  const folds = matchMedia("(max-width: 799px)");
  const open = (on) => { rail.classList.toggle("open", on); fold.setAttribute("aria-expanded", on); };
  const unfold = () => { fold.hidden = !folds.matches; open(false); };
  fold.addEventListener("click", () => { open(!rail.classList.contains("open")); if (rail.classList.contains("open")) rail.querySelector("a").focus(); });
  folds.addEventListener("change", unfold);
  rail.addEventListener("keydown", (event) => { if (event.key === "Escape" && folds.matches) { open(false); fold.focus(); } });
  const find = document.getElementById("find-track"), none = document.getElementById("no-track");
  const fields = all(".field"), listed = all(".field li");
  const rows = all(".overview tr.track");
  const narrow = () => {
    const wanted = find.value.trim().toLowerCase();
    const fits = (text) => text.toLowerCase().includes(wanted);
    for (const field of fields) {
      const whole = fits(field.querySelector("h2").textContent);
      for (const one of all("li", field)) one.hidden = !whole && !fits(one.textContent);
      field.hidden = all("li", field).every((one) => one.hidden);
    }
    for (const group of all(".overview tbody")) {
      const whole = fits(group.querySelector(".group").textContent);
      for (const row of all("tr.track", group)) row.hidden = !whole && !fits(row.querySelector("th").textContent);
      group.hidden = all("tr.track", group).every((row) => row.hidden);
    }
    none.textContent = listed.every((one) => one.hidden) ? "no track fits" : "";
  };
  const reachable = () => all(".field li:not([hidden]) a").filter((one) => one.offsetParent);
  find.disabled = false;
  find.addEventListener("input", narrow);
  find.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { find.value = ""; narrow(); }
    if (event.key === "Enter") reachable()[0]?.click();
    if (event.key === "ArrowDown") { event.preventDefault(); reachable()[0]?.focus(); }
  });
  rail.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], links = reachable(), at = links.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    (links[at + step] ?? (step < 0 ? find : links[at])).focus();
  });

  // tables: a click on a head sorts up, down, and back to the order of the board
  // a cell without a number comes last, whichever way numbers go
  const value = (row, place, words) => {
    const cell = row.children[place], text = cell.textContent.trim();
    if (words) return text;
    return cell.dataset.o ? +cell.dataset.o : /^[+-]?\d/.test(text) ? parseFloat(text) : null;
  };
  const compare = (a, b, way) => a === null || b === null ? (a === null) - (b === null) : way * (typeof a === "number" ? a - b : a.localeCompare(b, "en"));
  const sort = (table, place, way) => {
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    const order = [...table.first];
    if (way) {
      table.tHead.rows[0].cells[place].setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      const words = order.every((row) => value(row, place, false) === null);
      const values = new Map(order.map((row) => [row, value(row, place, words)]));
      order.sort((a, b) => compare(values.get(a), values.get(b), way));
    }
    table.tBodies[0].append(...order);
    table.sorted = [place, way];
  };
  for (const table of all("table.live")) {
    table.first = [...table.tBodies[0].rows];
    table.sorted = [0, 0];
    for (const head of all("thead th:not(.x)", table)) {
      const text = head.firstChild, button = document.createElement("button");
      button.type = "button"; button.className = "sort"; button.textContent = text.textContent.trim();
      text.replaceWith(button);
      button.addEventListener("click", () => {
        const place = head.cellIndex, way = table.sorted[0] === place ? { 0: 1, 1: -1, "-1": 0 }[table.sorted[1]] : 1;
        sort(table, place, way);
        if (table === board) remember();
      });
    }
  }

  // the view of the board: what it is sorted by, filtered by and how wide it is stands in the address
  const board = document.getElementById("board"), tools = document.querySelector(".tools");
  const box = tools?.querySelector(".find-row"), wide = tools?.querySelector(".columns"), reset = tools?.querySelector(".reset"), said = tools?.querySelector(".said");
  const heads = board ? [...board.tHead.rows[0].cells] : [];
  const view = () => {
    const [place, way] = board.sorted, parts = [];
    if (way) parts.push(`sort=${way < 0 ? "-" : ""}${heads[place].dataset.key}`);
    if (box.value.trim()) parts.push(`find=${encodeURIComponent(box.value.trim())}`);
    if (wide.getAttribute("aria-pressed") === "true") parts.push("columns=all");
    return parts.join("&");
  };
  const filter = () => {
    const wanted = box.value.trim().toLowerCase();
    for (const row of board.first) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    const left = board.first.filter((row) => !row.hidden).length;
    said.textContent = wanted ? (left ? `${left} of ${board.first.length} rows` : "no row fits") : "";
  };
  const widen = (on) => { wide.setAttribute("aria-pressed", on); board.classList.toggle("compact", !on); };
  const shown = () => { reset.hidden = !view(); };
  const remember = (replace) => {
    const hash = view(), address = hash ? `#${hash}` : location.pathname + location.search;
    history[replace ? "replaceState" : "pushState"](null, "", address);
    shown();
  };
  const apply = () => {
    const asked = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    const key = asked.get("sort") ?? "", place = heads.findIndex((head) => head.dataset.key === key.replace(/^-/, ""));
    sort(board, Math.max(0, place), place < 0 || !key ? 0 : key.startsWith("-") ? -1 : 1);
    box.value = asked.get("find") ?? "";
    widen(asked.get("columns") === "all");
    filter();
    shown();
  };
  if (board) {
    tools.hidden = false;
    let typed = false;
    box.addEventListener("input", () => { filter(); remember(typed); typed = true; });
    box.addEventListener("blur", () => { typed = false; });
    wide.addEventListener("click", () => { widen(wide.getAttribute("aria-pressed") !== "true"); remember(); });
    reset.addEventListener("click", () => { sort(board, 0, 0); box.value = ""; widen(false); filter(); remember(); box.focus(); });
  }

  // an address may name a part that is folded; a part that is opened names itself in the address
  const reveal = () => {
    const part = location.hash && !location.hash.includes("=") ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    if (!part) return;
    for (let one = part; one; one = one.parentElement) if (one.tagName === "DETAILS" && !one.open) { one.quiet = true; one.open = true; }
    part.scrollIntoView();
  };
  document.addEventListener("toggle", (event) => {
    const part = event.target;
    if (part.tagName !== "DETAILS") return;
    if (part.quiet) part.quiet = false;
    else if (part.open && part.id) history.replaceState(null, "", `#${part.id}`);
  }, true);
  addEventListener("popstate", () => { if (board) apply(); reveal(); });
  addEventListener("hashchange", () => { if (board) apply(); reveal(); });

  // help stands beside the button that asks for it
  document.addEventListener("toggle", (event) => {
    const box = event.target;
    if (!box.matches?.(".help-text") || event.newState !== "open") return;
    const at = (box.from ?? body).getBoundingClientRect(), size = box.getBoundingClientRect();
    box.style.left = `${Math.max(12, Math.min(at.left, innerWidth - size.width - 12))}px`;
    box.style.top = `${at.bottom + size.height + 8 > innerHeight ? Math.max(8, at.top - size.height - 6) : at.bottom + 6}px`;
  }, true);
  for (const button of all("[popovertarget]")) button.addEventListener("click", () => { document.getElementById(button.getAttribute("popovertarget")).from = button; });

  // charts: drawn when they come into sight, in the colours of the theme
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const once = (make) => { let made; return () => (made ??= make()); };
  const vega = once(async () => {
    await new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = `${body.dataset.root}assets/charts.js`;
      script.onload = done; script.onerror = failed;
      document.head.append(script);
    });
    const source = URL.createObjectURL(new Blob([await unpack(window.benchVega)], { type: "text/javascript" }));
    await import(source);
    URL.revokeObjectURL(source);
    return window.vegaEmbed;
  });
  // data come as columns, since those pack into a third
  const rowsOf = (columns) => Object.values(columns)[0]?.map((_, at) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[at]]))) ?? [];
  const specs = once(() => unpack(document.getElementById("charts").textContent.trim()));
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const theme = () => ({
    background: "transparent", font: getComputedStyle(body).fontFamily, view: { stroke: null },
    axis: { labelColor: colour("--soft"), titleColor: colour("--soft"), titleFontWeight: 500, gridColor: colour("--line"), domainColor: colour("--line"), tickColor: colour("--line"), labelFontSize: 11.5, titleFontSize: 12 },
    legend: { labelColor: colour("--ink"), titleColor: colour("--soft"), labelFontSize: 12 }, text: { color: colour("--ink"), fontSize: 12 }, mark: { tooltip: true },
  });
  const draw = async (box) => {
    const [embed, text] = await Promise.all([vega(), specs()]);
    const held = JSON.parse(text.replaceAll("#0b7a75", colour("--mark")));
    const spec = held[box.dataset.chart];
    spec.datasets = Object.fromEntries(Object.entries(spec.datasets).map(([name, columns]) => [name, rowsOf(columns)]));
    const { view } = await embed(box, { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...spec, config: theme() }, { actions: false, renderer: "svg", ast: true, mode: "vega-lite", tooltip: { theme: "custom", disableDefaultStyle: true } });
    box.dataset.drawn = "yes"; box.view = view;
    const svg = box.querySelector("svg");
    if (svg) { svg.setAttribute("role", "img"); svg.setAttribute("aria-label", box.dataset.label); for (const part of all("[aria-label],[role]", svg)) for (const name of ["aria-label", "role", "aria-roledescription"]) part.removeAttribute(name); }
  };
  const watched = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting && !target.dataset.drawn) { target.dataset.drawn = "soon"; tracked(draw(target)); }
  }, { rootMargin: "120px" });
  for (const box of all(".chart")) watched.observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const box of all('.chart[data-drawn="yes"]')) { box.view?.finalize(); tracked(draw(box)); }
  });
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; for (const box of all('.chart[data-drawn="yes"]')) box.view?.resize().runAsync(); } });

  root.classList.add("js");
  root.dataset.busy = 0;
  unfold();
  narrow();
  if (board) apply();
  reveal();
  // an address of the page when it was one file
  const old = body.querySelector(".overview") && location.hash.match(/^#track-([a-z0-9-]+)$/);
  const moved = old && reachableTrack(old[1]);
  function reachableTrack(name) { return all(".field li a").find((one) => one.getAttribute("href") === `tracks/${name}.html`); }
  if (moved) location.replace(moved.href);
  root.dataset.ready = "yes";
})();
