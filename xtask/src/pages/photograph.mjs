// Photographs every sample page and checks it: accessibility, content security policy, console, width, weight.
// node photograph.mjs FOLDER MODULES CHROMIUM [FILTER]
// FOLDER has pages.json, the pages and assets/; pictures go to FOLDER/pictures. MODULES is a node_modules folder.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import zlib from "node:zlib";
import { createRequire } from "node:module";

const [folder, modules, executablePath, filter = ""] = process.argv.slice(2);
const require = createRequire(path.join(modules, "..", "package.json"));
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const { pages, policy, types } = JSON.parse(fs.readFileSync(path.join(folder, "pages.json"), "utf8"));
const typeOf = new Map(types);
const wanted = pages.filter((page) => page.includes(filter));
const WEIGHT_MAX = 150 * 1024;
// For one thing to happen, on a busy machine.
const PATIENCE = 20000;
const problems = [];
// What links and keys lead to in the behaviours below.
const STANDS_FOR = { "/timeline": "timeline.day", "/restore": "restore.moment" };

// The pages as the server sends them: with the policy, compressed.
const server = http.createServer((request, response) => {
  const name = new URL(request.url, "http://localhost").pathname;
  const asset = typeOf.has(name);
  const sample = STANDS_FOR[name] || name.slice(1);
  const file = path.join(folder, asset ? name : `${sample}.html`);
  // Live regions ask for the page's own path, which is not here: nothing new.
  if (!asset && !pages.includes(sample)) { response.writeHead(request.headers["hx-request"] ? 204 : 404).end(); return; }
  const bytes = fs.readFileSync(file);
  const headers = { "content-type": asset ? typeOf.get(name) : "text/html; charset=utf-8", "content-security-policy": policy };
  if (name.endsWith(".woff2")) { response.writeHead(200, headers).end(bytes); return; }
  response.writeHead(200, { ...headers, "content-encoding": "gzip" }).end(zlib.gzipSync(bytes));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--font-render-hinting=none"],
});
const pictures = path.join(folder, "pictures");
fs.mkdirSync(pictures, { recursive: true });

async function weigh(name) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const sizes = [];
  page.on("response", (response) => sizes.push(response.request().sizes().then((size) => size.responseBodySize, () => 0)));
  await page.goto(`${origin}/${name}`, { waitUntil: "networkidle" });
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  await context.close();
  return bytes;
}

async function check(page, name, how) {
  const found = await page.evaluate(() => {
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    return { over: document.documentElement.scrollWidth - document.documentElement.clientWidth, twice: ids.filter((id, at) => ids.indexOf(id) !== at) };
  });
  if (found.over > 0) {
    const wide = await page.evaluate(() => [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(e).position !== "absolute").slice(0, 3).map((e) => `${e.tagName.toLowerCase()}.${e.getAttribute("class") || ""}`));
    problems.push(`${name} (${how}): ${found.over} px wider than the screen: ${wide.join(", ")}`);
  }
  if (found.twice.length) problems.push(`${name} (${how}): ids that are there twice: ${found.twice.join(", ")}`);
}

// `rules`: all of them, or only those that a change of colours can break.
async function accessible(page, name, how, rules) {
  // By evaluate, which the policy does not concern: the page itself may not run this.
  if (!(await page.evaluate("typeof axe !== 'undefined'"))) await page.evaluate(axe);
  const violations = await page.evaluate(async (runOnly) => {
    const result = await axe.run(document, { runOnly, resultTypes: ["violations"] });
    return result.violations.map((violation) => `${violation.id}: ${violation.help}\n      ${violation.nodes.slice(0, 3).map((node) => `${node.target.join(" ")} ${(node.any[0] || node.all[0] || node.none[0] || {}).message || ""}`).join("\n      ")}`);
  }, rules);
  for (const violation of violations) problems.push(`${name} (${how}): ${violation}`);
}

// Each page is loaded once and looked at in every theme and width. Only what a look can break is checked again.
const EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const LOOKS = [
  { width: 1440, theme: "light", rules: EVERYTHING },
  { width: 1440, theme: "dark", rules: ["color-contrast"] },
  { width: 420, theme: "dark", rules: null },
  { width: 420, theme: "light", rules: ["target-size", "region", "scrollable-region-focusable"] },
];
let heaviest = [0, ""];
const queue = [...wanted];
async function work() {
  const context = await browser.newContext({ reducedMotion: "reduce" });
  const page = await context.newPage();
  const said = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) said.push(message.text()); });
  page.on("pageerror", (error) => said.push(String(error)));
  for (let name = queue.shift(); name; name = queue.shift()) {
    said.length = 0;
    await page.setViewportSize({ width: LOOKS[0].width, height: 900 });
    await page.emulateMedia({ colorScheme: LOOKS[0].theme });
    await page.goto(`${origin}/${name}`, { waitUntil: "load" });
    await page.evaluate(() => document.fonts.ready.then(() => true));
    for (const { width, theme, rules } of LOOKS) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: theme });
      await page.screenshot({ path: path.join(pictures, `${name}.${width}.${theme}.png`), fullPage: true, animations: "disabled" });
      if (rules) await accessible(page, name, `${width} px, ${theme}`, rules);
      if (theme === "light") await check(page, name, `${width} px`);
    }
    for (const text of said) problems.push(`${name}: the browser says: ${text}`);
  }
  await context.close();
}
await Promise.all([work(), work()]);

// The frame weighs the same everywhere: the page with most HTML is the heaviest.
const bySize = [...wanted].sort((a, b) => fs.statSync(path.join(folder, `${b}.html`)).size - fs.statSync(path.join(folder, `${a}.html`)).size);
for (const name of bySize.slice(0, 3)) {
  const bytes = await weigh(name);
  if (bytes > heaviest[0]) heaviest = [bytes, name];
  if (bytes > WEIGHT_MAX) problems.push(`${name}: ${bytes} bytes at first load, more than ${WEIGHT_MAX}`);
}

// What app.js adds, and that nothing needs it.
async function behaves() {
  const expect = (what, holds) => { if (!holds) problems.push(`behaviour: ${what}`); };
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(`${origin}/timeline`);
  const slider = page.getByRole("slider", { name: "Moment" });
  const box = await page.locator(".strip-drawing").boundingBox();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 30);
  expect("the pointer reads off a moment and what it is restored from", /\d\d:\d\d:\d\d UTC · from nightly_/.test(await page.textContent("[data-readout]")));
  await slider.focus();
  await page.keyboard.press("ArrowLeft");
  expect("arrow keys move on the timeline", /UTC, /.test(await slider.getAttribute("aria-valuetext")));
  const zoomed = page.waitForResponse((response) => response.url().includes("from="));
  await page.keyboard.press("+");
  await zoomed;
  expect("+ zooms and the URL holds the window", page.url().includes("from="));
  await page.waitForFunction(() => document.activeElement.matches("[data-slider]"), null, { timeout: PATIENCE }).catch(() => expect("focus stays on the timeline after zooming", false));
  await page.mouse.click(box.x + 300, box.y + 40);
  await page.waitForURL(/\/restore\?.*moment=/, { timeout: PATIENCE }).catch(() => expect("a click on the timeline begins a restore to that moment", false));
  await page.fill("#field-namespaces", "typed.before");
  const taken = page.waitForResponse((response) => /\/restore\?.*moment=/.test(response.url()), { timeout: PATIENCE }).catch(() => null);
  await page.locator(".strip-drawing").click({ position: { x: 200, y: 40 } });
  expect("a click in the wizard asks about that moment and keeps what was typed", (await taken) && (await page.inputValue("#field-namespaces")) === "typed.before");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("?");
  expect("? shows the keys", await page.getByRole("dialog", { name: "Keyboard" }).isVisible());
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor({ state: "hidden" });
  await page.keyboard.type("gt");
  await page.waitForURL(/\/timeline$/, { timeout: PATIENCE }).catch(() => expect("g t goes to the timeline", false));
  await context.close();

  const plain = await browser.newContext({ viewport: { width: 420, height: 800 }, javaScriptEnabled: false });
  const bare = await plain.newPage();
  await bare.goto(`${origin}/timeline`);
  await bare.getByText("Menu", { exact: true }).click();
  expect("without JavaScript the folded menu opens", await bare.getByRole("link", { name: "Storage locations" }).isVisible());
  await bare.getByText("Menu", { exact: true }).click();
  await bare.getByTitle("Zoom in").click();
  await bare.waitForURL(/from=\d+&to=\d+/, { timeout: PATIENCE }).catch(() => expect("without JavaScript zooming is a link", false));
  await bare.goto(`${origin}/restore`);
  expect("without JavaScript no control is there that does nothing", (await bare.locator("[data-copy]:visible, [data-theme-switch]:visible, [data-slider]:visible").count()) === 0);
  await plain.close();
}
if (!filter) await behaves();

await browser.close();
server.close();
console.log(JSON.stringify({ pages: wanted.length, pictures: wanted.length * LOOKS.length, heaviest_bytes: heaviest[0], heaviest: heaviest[1], problems }));
