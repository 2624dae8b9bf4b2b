// Drives Chromium line by line: a JSON object in, a JSON object out. See `browser.rs`.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import readline from "node:readline";

const require = createRequire(process.env.BROWSER_MODULES + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: process.env.BROWSER_PROGRAM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let context, page;
let problems = [];

async function open(javascript, state) {
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, javaScriptEnabled: javascript, storageState: state, ignoreHTTPSErrors: true, reducedMotion: "no-preference" });
  context.setDefaultTimeout(30000);
  page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    // A form that is shown again with its errors is answered with 4xx on purpose.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) problems.push(`${page.url()}: ${message.text()}`);
  });
}

// The field with this label, the one to be seen when several kinds of a form have one. Labels may say that a field is optional.
function field(label) {
  const exactly = new RegExp(`^\\s*${label.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\s*(optional)?\\s*$`);
  return page.getByLabel(exactly).filter({ visible: true }).first();
}

const steps = {
  hello: async () => true,
  goto: async ({ url }) => void (await page.goto(url)),
  fill: async ({ label, text }) => void (await field(label).fill(text)),
  select: async ({ label, option }) => void (await field(label).selectOption({ label: option })),
  check: async ({ label }) => void (await field(label).check()),
  // An option whose text begins with `text`.
  pick: async ({ label, text }) => {
    const list = field(label);
    const value = await list.locator("option").evaluateAll((all, text) => all.find((one) => one.textContent.trim().startsWith(text))?.value, text);
    if (value === undefined) throw new Error(`no option begins with ${text}`);
    await list.selectOption(value);
  },
  fill_name: async ({ name, text }) => void (await page.locator(`[name="${name}"]`).first().fill(text)),
  select_value: async ({ name, value }) => void (await page.locator(`[name="${name}"]`).selectOption(value)),
  choose: async ({ name, value }) => void (await page.locator(`[name="${name}"][value="${value}"]`).check({ force: true })),
  wait_for: async ({ selector }) => void (await page.locator(selector).first().waitFor({ state: "visible" })),
  value: async ({ label }) => await field(label).inputValue(),
  click: async ({ role, name }) => void (await page.getByRole(role, { name, exact: true }).first().click()),
  click_at: async ({ selector }) => void (await page.locator(selector).first().click()),
  press: async ({ key }) => void (await page.keyboard.press(key)),
  text: async () => await page.locator("body").innerText(),
  url: async () => page.url(),
  count: async ({ selector }) => await page.locator(selector).count(),
  wait_text: async ({ text, reload }) => {
    const deadline = Date.now() + 100000;
    for (;;) {
      try {
        await page.getByText(text).filter({ visible: true }).first().waitFor({ state: "visible", timeout: reload ? 1500 : 90000 });
        return;
      } catch (error) {
        if (Date.now() > deadline || !reload) throw new Error(`"${text}" is not to be seen on ${page.url()}:\n${await page.locator("body").innerText()}`);
        await page.reload();
      }
    }
  },
  photograph: async ({ width, dark, file }) => {
    await page.setViewportSize({ width, height: width < 600 ? 900 : 900 });
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
    await page.screenshot({ path: file, fullPage: true });
  },
  axe: async () => {
    // Not as a script of the page: its content security policy would rightly refuse one.
    await page.evaluate(axe);
    const found = await page.evaluate(async () => (await window.axe.run()).violations);
    return found.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target.join(" ")}: ${node.failureSummary}`));
  },
  overflow: async () => await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
  javascript: async ({ on }) => {
    const url = page.url();
    const state = await context.storageState();
    await context.close();
    await open(on, state);
    if (url.startsWith("http")) await page.goto(url);
  },
  // Parts of pages that scripts ask for arrive so much later: whoever is quicker than the server must not lose anything.
  slow: async ({ milliseconds }) => void (await page.route(() => true, async (route) => {
    if (route.request().headers()["hx-request"]) await new Promise((over) => setTimeout(over, milliseconds));
    // Its page may be gone by now.
    await route.continue().catch(() => {});
  })),
  problems: async () => {
    const told = problems;
    problems = [];
    return told;
  },
};

await open(true);
const lines = readline.createInterface({ input: process.stdin });
// Whoever drove us is gone, perhaps in the middle of a step: the browser and its profile go, too.
process.stdin.once("end", async () => {
  await browser.close();
  process.exit(0);
});
for await (const line of lines) {
  const step = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await steps[step.do](step)) ?? null };
  } catch (error) {
    answer = { error: String(error.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
