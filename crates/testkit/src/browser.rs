//! A real browser, driven as a person would: by labels, roles and texts.
//!
//! Headless Chromium (a Debian package) behind playwright-core (from npm). A small Node program, `browser/driver.mjs`, does what it is told line by
//! line and ends with us. Errors of the page (uncaught exceptions, refused by the content security policy) are collected and told at the end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::packages;

const PACKAGES: &[&str] = &["playwright-core@1.64.1", "axe-core@4.14.1"];
const DRIVER: &str = include_str!("browser/driver.mjs");
/// No single step takes that long.
const LIMIT: Duration = Duration::from_secs(120);

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub dark: bool,
}

/// The two widths and two schemes in which every page must be good.
pub const LOOKS: [Look; 4] = [
    Look { width: 1440, dark: false },
    Look { width: 1440, dark: true },
    Look { width: 420, dark: false },
    Look { width: 420, dark: true },
];

/// One browser with one page. Dropping it ends the browser.
#[derive(Debug)]
pub struct Browser {
    // Never killed: it ends by itself when its input closes, and takes the browser and its profile along.
    _driver: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// The browser's program; installs Debian's package when it is missing and we are root.
pub fn program() -> anyhow::Result<PathBuf> {
    let find = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let names = ["chromium", "chromium-browser", "google-chrome"];
        std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).find(|candidate| candidate.is_file())
    };
    if let Some(found) = find() {
        return Ok(found);
    }
    let installed = std::process::Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends", "chromium"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output();
    find().with_context(|| {
        let why = installed.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
        format!("chromium is not on the PATH and could not be installed ({why}): install it (Debian: package chromium)")
    })
}

/// What the driver needs: fetched once.
pub fn prepare() -> anyhow::Result<(PathBuf, PathBuf)> {
    let modules = packages::npm("browser", PACKAGES, "the browser is driven by a Node program")?;
    Ok((program()?, modules))
}

impl Browser {
    pub async fn start() -> anyhow::Result<Browser> {
        let (chromium, modules) = tokio::task::spawn_blocking(prepare).await??;
        let mut command = Command::new("node");
        command.args(["--input-type=module", "--eval", DRIVER]).env("BROWSER_PROGRAM", &chromium).env("BROWSER_MODULES", &modules);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut driver = command.spawn().context("starting node: the browser is driven by a Node program (Debian: package nodejs)")?;
        let input = driver.stdin.take().context("the driver's input is a pipe")?;
        let output = BufReader::new(driver.stdout.take().context("the driver's output is a pipe")?).lines();
        let mut browser = Browser { _driver: driver, input, output };
        browser.call(json!({"do": "hello"})).await.context("starting the browser")?;
        Ok(browser)
    }

    /// One step; what the driver answers. Steps and their words stand in `driver.mjs`.
    pub async fn call(&mut self, step: Value) -> anyhow::Result<Value> {
        let told = step.to_string();
        self.input.write_all(format!("{told}\n").as_bytes()).await.context("the driver of the browser ended")?;
        let line = tokio::time::timeout(LIMIT, self.output.next_line()).await;
        let line = line.with_context(|| format!("the browser did not answer to {told}"))??;
        let answer: Value = serde_json::from_str(&line.context("the driver of the browser ended")?).context("the driver speaks JSON")?;
        match answer.get("error").and_then(Value::as_str) {
            None => Ok(answer["value"].clone()),
            Some(error) => anyhow::bail!("{told}: {error}"),
        }
    }

    pub async fn goto(&mut self, url: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "goto", "url": url})).await.map(drop)
    }

    /// Types into the field with this label.
    pub async fn fill(&mut self, label: &str, text: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "fill", "label": label, "text": text})).await.map(drop)
    }

    /// Chooses an option of a drop-down by its text.
    pub async fn select(&mut self, label: &str, option: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "select", "label": label, "option": option})).await.map(drop)
    }

    /// Ticks a box or a radio button.
    pub async fn check(&mut self, label: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "check", "label": label})).await.map(drop)
    }

    /// Picks the option of a drop-down whose text begins with `text`.
    pub async fn pick(&mut self, label: &str, text: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "pick", "label": label, "text": text})).await.map(drop)
    }

    /// Types into a field by its name: where two kinds share a label.
    pub async fn fill_name(&mut self, name: &str, text: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "fill_name", "name": name, "text": text})).await.map(drop)
    }

    /// Chooses an option of a drop-down by names.
    pub async fn select_value(&mut self, name: &str, value: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "select_value", "name": name, "value": value})).await.map(drop)
    }

    /// Chooses a card or radio button by its field's name and value: cards have whole sentences for labels.
    pub async fn choose(&mut self, name: &str, value: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "choose", "name": name, "value": value})).await.map(drop)
    }

    /// Clicks what has this role and name, e.g. `button`, `link`.
    pub async fn click(&mut self, role: &str, name: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "click", "role": role, "name": name})).await.map(drop)
    }

    /// Waits until the text is to be seen, and reloads the page now and then when `reload`.
    pub async fn wait_text(&mut self, text: &str, reload: bool) -> anyhow::Result<()> {
        self.call(json!({"do": "wait_text", "text": text, "reload": reload})).await.map(drop)
    }

    /// All that is to be seen.
    pub async fn text(&mut self) -> anyhow::Result<String> {
        Ok(self.call(json!({"do": "text"})).await?.as_str().unwrap_or_default().to_owned())
    }

    pub async fn url(&mut self) -> anyhow::Result<String> {
        Ok(self.call(json!({"do": "url"})).await?.as_str().unwrap_or_default().to_owned())
    }

    /// By how many pixels the page is wider than the window.
    pub async fn overflow(&mut self) -> anyhow::Result<i64> {
        Ok(self.call(json!({"do": "overflow"})).await?.as_i64().unwrap_or_default())
    }

    /// Waits until a CSS selector finds something to be seen.
    pub async fn wait_for(&mut self, selector: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "wait_for", "selector": selector})).await.map(drop)
    }

    /// What a field holds.
    pub async fn value(&mut self, label: &str) -> anyhow::Result<String> {
        Ok(self.call(json!({"do": "value", "label": label})).await?.as_str().unwrap_or_default().to_owned())
    }

    /// How many elements a CSS selector finds.
    pub async fn count(&mut self, selector: &str) -> anyhow::Result<u64> {
        Ok(self.call(json!({"do": "count", "selector": selector})).await?.as_u64().unwrap_or_default())
    }

    /// Clicks what a CSS selector finds first. For what has no role and name of its own.
    pub async fn click_at(&mut self, selector: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "click_at", "selector": selector})).await.map(drop)
    }

    /// Presses a key, e.g. `Tab`, `Enter`, `g`.
    pub async fn press(&mut self, key: &str) -> anyhow::Result<()> {
        self.call(json!({"do": "press", "key": key})).await.map(drop)
    }

    /// Photographs the whole page.
    pub async fn photograph(&mut self, look: Look, file: &Path) -> anyhow::Result<()> {
        self.call(json!({"do": "photograph", "width": look.width, "dark": look.dark, "file": file})).await.map(drop)
    }

    /// What the accessibility checker finds: rule, element, why.
    pub async fn accessibility(&mut self) -> anyhow::Result<Vec<String>> {
        strings(self.call(json!({"do": "axe"})).await?)
    }

    /// A new page; without JavaScript if so wanted. Cookies stay.
    pub async fn javascript(&mut self, on: bool) -> anyhow::Result<()> {
        self.call(json!({"do": "javascript", "on": on})).await.map(drop)
    }

    /// From now on, parts of this page that scripts ask for arrive `late`.
    pub async fn slow(&mut self, late: Duration) -> anyhow::Result<()> {
        self.call(json!({"do": "slow", "milliseconds": late.as_millis() as u64})).await.map(drop)
    }

    /// Errors of all pages since the last call: exceptions, refused scripts, failed requests.
    pub async fn problems(&mut self) -> anyhow::Result<Vec<String>> {
        strings(self.call(json!({"do": "problems"})).await?)
    }
}

fn strings(value: Value) -> anyhow::Result<Vec<String>> {
    serde_json::from_value(value).context("the driver answers with texts")
}
