// What HTML has no word for: ticking times, copying, the timeline's pointer and keys, shortcuts, the theme. Everything works without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const store = { get: (key) => { try { return localStorage.getItem(key); } catch { return null; } }, set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* private window */ } } };
  const theme = store.get("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  if (store.get("density") === "compact") root.dataset.density = "compact";

  // The server's clock is the one that counts.
  const skew = root.dataset.now ? root.dataset.now * 1000 - Date.now() : 0;

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const pad = (number) => String(number).padStart(2, "0");
  const utc = (second) => { const d = new Date(second * 1000); return `${d.getUTCFullYear()}-${pad(d.getUTCMonth() + 1)}-${pad(d.getUTCDate())} ${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}:${pad(d.getUTCSeconds())}`; };
  const rfc3339 = (second) => utc(second).replace(" ", "T") + "Z";
  const UNITS = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  const one = (seconds) => { for (const [length, unit] of UNITS) if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`; return "0 s"; };
  const two = (seconds) => { const words = []; for (const [length, unit] of UNITS) { const whole = Math.floor(seconds / length); seconds %= length; if (whole) words.push(`${whole} ${unit}`); else if (words.length) break; if (words.length === 2) break; } return words.join(" ") || "0 s"; };

  // Times that say how long ago.
  function tick() {
    if (document.hidden) return;
    const now = Date.now() + skew;
    for (const time of all("time[data-relative]")) {
      const seconds = Math.round((now - Date.parse(time.dateTime)) / 1000);
      const text = seconds === 0 ? "now" : seconds > 0 ? `${one(seconds)} ago` : `in ${one(-seconds)}`;
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // Copy buttons exist for those who can use them.
  function reveal(within) {
    for (const button of all("[data-copy][hidden], [data-theme-switch][hidden], [data-help][hidden]", within)) button.hidden = false;
    for (const form of all("[data-filters]", within)) all("button[type=submit]", form).forEach((button) => { button.hidden = true; });
    all("[data-strip]", within).forEach(strip);
    showTheme();
  }
  async function copy(button) {
    try { await navigator.clipboard.writeText(button.dataset.copy); } catch { return; }
    button.classList.add("copied");
    const use = button.querySelector("use"), href = use.getAttribute("href");
    use.setAttribute("href", href.replace(/#.*/, "#check"));
    setTimeout(() => { button.classList.remove("copied"); use.setAttribute("href", href); }, 1200);
  }

  const THEMES = { system: ["monitor", "Theme: system"], light: ["sun", "Theme: light"], dark: ["moon", "Theme: dark"] };
  function showTheme() {
    const [symbol, label] = THEMES[root.dataset.theme || "system"];
    for (const button of all("[data-theme-switch]")) {
      const use = button.querySelector("use");
      use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${symbol}`));
      button.querySelector("span").textContent = label;
    }
  }
  function nextTheme() {
    const next = { system: "light", light: "dark", dark: "system" }[root.dataset.theme || "system"];
    if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
    store.set("theme", next);
    showTheme();
  }

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    if (at("[data-copy]")) copy(at("[data-copy]"));
    else if (at("[data-theme-switch]")) nextTheme();
    else if (at("[data-help]")) help();
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-filters]");
    if (form && event.target.tagName === "SELECT") form.requestSubmit();
  });
  // One press is enough; a second would do it twice.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });
  addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => { delete form.dataset.sent; }));

  // Shortcuts: g and a letter goes, / searches, ? helps. Never while somebody types.
  let going = -Infinity;
  function help() { const dialog = document.getElementById("shortcuts"); if (dialog && !dialog.open) dialog.showModal(); }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") all("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if (event.key === "g") { going = event.timeStamp; return; }
    if (event.timeStamp - going < 1500) {
      going = -Infinity;
      const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (event.key === "?") { event.preventDefault(); help(); }
    if (event.key === "/") { const search = document.querySelector("input[type=search], [data-filters] input, [data-filters] select"); if (search) { event.preventDefault(); search.focus(); } }
  });

  // Live regions: keep what is opened, rest in the background, and say so when the server does not answer.
  document.addEventListener("htmx:beforeRequest", (event) => { if (document.hidden && event.target.matches(".live")) event.preventDefault(); });
  function old(event) {
    const live = event.target.closest(".live");
    if (!live || live.dataset.old) return;
    live.dataset.old = utc((Date.now() + skew) / 1000);
    const note = document.createElement("p");
    note.className = "live-old notice tone-attention";
    note.setAttribute("role", "status");
    note.textContent = `The server does not answer. What is shown is from ${live.dataset.old.slice(11)} UTC; trying again.`;
    live.prepend(note);
  }
  document.addEventListener("htmx:sendError", old);
  document.addEventListener("htmx:responseError", old);
  document.addEventListener("htmx:timeout", old);
  document.addEventListener("htmx:beforeSwap", (event) => { const live = event.target.closest(".live"); if (live) delete live.dataset.old; });
  // What somebody types after a part of the page was asked for is newer than the answer: it stays. Everything else becomes what the answer says.
  const asked = new WeakMap(), newer = new WeakMap();
  const fields = () => new Map(all("input, select, textarea").map((field) => [field.id || field.name + (/checkbox|radio/.test(field.type) ? field.value : ""), field]));
  const typed = () => new Map([...fields()].map(([key, { value, checked }]) => [key, { value, checked }]));
  document.addEventListener("htmx:beforeRequest", (event) => { asked.set(event.detail.xhr, typed()); });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const before = asked.get(event.detail.xhr);
    newer.set(event.detail.xhr, [...typed()].filter(([key, { value, checked }]) => before?.has(key) && (before.get(key).value !== value || before.get(key).checked !== checked)));
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const now = fields();
    for (const [key, kept] of newer.get(event.detail.xhr) || []) if (now.has(key)) Object.assign(now.get(key), kept);
  });
  document.addEventListener("htmx:load", (event) => { reveal(event.detail.elt.parentNode || document); tick(); });

  // The timeline: the pointer reads off a second, a click takes it, dragging and keys zoom. Pages are swapped in place.
  const strips = new WeakSet();
  function go(figure, url) {
    const target = figure.closest("[data-swap]") || figure.closest(".live") || figure;
    if (!window.htmx) { location.href = url; return; }
    history.replaceState(null, "", url);
    htmx.ajax("GET", url, { target, select: `#${target.id}`, swap: "morph:outerHTML" });
  }
  const joined = (url, pairs) => url + (url.includes("?") ? "&" : "?") + new URLSearchParams(pairs);
  function strip(figure) {
    if (strips.has(figure)) return;
    strips.add(figure);
    const drawing = figure.querySelector(".strip-drawing"), slider = figure.querySelector("[data-slider]"), from = () => +figure.dataset.from, to = () => +figure.dataset.to;
    let at = null, pressed = null;
    slider.hidden = false;
    const words = (second) => {
      for (const gap of all("[data-gap]", figure)) { const [after, through] = gap.dataset.gapSpan.split(",").map(Number); if (second > after && second <= through) return gap.dataset.gap; }
      if (second > +figure.dataset.now) return "not yet";
      for (const range of all("[data-covered]", figure)) {
        const [first, last] = range.dataset.covered.split(",").map(Number);
        if (second < first || second > last) continue;
        const base = all("[data-at]", figure).filter((mark) => +mark.dataset.at <= second && +mark.dataset.at >= first).pop();
        return base ? `from ${base.dataset.name}, then ${two(second - base.dataset.at)} of oplog` : "restorable";
      }
      const newest = Math.max(0, ...all("[data-covered]", figure).map((range) => +range.dataset.covered.split(",")[1]));
      return newest && second > newest && to() >= +figure.dataset.now ? `${two(second - newest)} later than the newest restorable moment` : "cannot be restored: no backup with unbroken oplog leads there";
    };
    function show(second) {
      at = Math.max(from(), Math.min(to(), Math.floor(second)));
      const x = `${((at - from()) * 100) / (to() - from())}%`, line = figure.querySelector("[data-cursor]"), text = words(at);
      line.setAttribute("x1", x); line.setAttribute("x2", x); line.setAttribute("visibility", "visible");
      figure.querySelector("[data-readout]").textContent = `${utc(at)} UTC · ${text}`;
      for (const [name, value] of [["valuemin", from()], ["valuemax", to()], ["valuenow", at], ["valuetext", `${utc(at)} UTC, ${text}`]]) slider.setAttribute(`aria-${name}`, value);
    }
    const under = (event) => { const box = drawing.getBoundingClientRect(); return from() + ((event.clientX - box.left) / box.width) * (to() - from()); };
    const page = (first, last) => go(figure, joined(figure.dataset.page, { from: Math.round(first), to: Math.round(last) }));
    function take(second) {
      if (!figure.dataset.restore) return;
      const field = figure.dataset.fills && document.getElementById(figure.dataset.fills);
      const url = joined(figure.dataset.restore, { moment: rfc3339(second), ...(field ? { from: from(), to: to() } : {}) });
      if (!field) { location.href = url; return; }
      field.value = rfc3339(second);
      go(figure, url);
    }
    at = Math.min(to(), +figure.dataset.now);
    drawing.addEventListener("pointermove", (event) => show(under(event)));
    drawing.addEventListener("pointerleave", () => figure.querySelector("[data-cursor]").setAttribute("visibility", "hidden"));
    slider.addEventListener("focus", () => show(at));
    drawing.addEventListener("pointerdown", (event) => { if (!event.target.closest("[data-at]")) pressed = event.clientX; });
    drawing.addEventListener("dragstart", (event) => event.preventDefault());
    drawing.addEventListener("click", (event) => {
      if (event.target.closest("[data-at]") || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const begun = pressed === null ? event.clientX : pressed, second = under(event);
      pressed = null;
      if (Math.abs(event.clientX - begun) > 8) { const first = under({ clientX: begun }); page(Math.min(first, second), Math.max(first, second)); } else take(Math.floor(second));
    });
    slider.addEventListener("keydown", (event) => {
      const length = to() - from(), step = Math.max(1, Math.round(length / 200)) * (event.shiftKey ? 10 : 1);
      const keys = { ArrowLeft: () => show(at - step), ArrowRight: () => show(at + step), Home: () => show(from()), End: () => show(to()), Enter: () => take(at), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), PageUp: () => page(from() - length / 2, to() - length / 2), PageDown: () => page(from() + length / 2, to() + length / 2) };
      const zoom = (factor) => { const part = (at - from()) / length; page(at - part * length * factor, at + (1 - part) * length * factor); };
      if (keys[event.key]) { event.preventDefault(); event.stopPropagation(); keys[event.key](); }
    });
    figure.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-zoom]");
      if (link && !event.ctrlKey && !event.metaKey) { event.preventDefault(); go(figure, link.getAttribute("href")); }
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (window.Idiomorph) {
      // What somebody opened stays open, what we revealed stays visible.
      Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !((name === "open" && node.matches("details, dialog")) || (name === "hidden" && node.matches("button, [data-slider]")));
    }
    reveal(document);
    tick();
    setInterval(tick, 1000);
    const errors = document.getElementById("errors");
    if (errors) errors.focus();
  });
})();
