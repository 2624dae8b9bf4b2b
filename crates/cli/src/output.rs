//! Where results and remarks go: data to standard output, everything else to standard error.

mod table;

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;

pub use table::Table;

/// How to write. Decided once, from the options, the environment and the terminal.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// JSON instead of text on standard output.
    pub json: bool,
    pub style: Style,
    /// For what goes to standard error.
    pub remark_style: Style,
}

/// What the terminal understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub color: bool,
    /// False: plain ASCII only.
    pub unicode: bool,
}

/// What a piece of text is, for those who see colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Caution,
    Bad,
    Quiet,
    Strong,
}

impl Style {
    /// For standard output. Colour only on a terminal that wants it; beyond ASCII only where the locale is UTF-8.
    pub fn of_stdout(variable: impl Fn(&str) -> Option<String>) -> Self {
        Self::decide(io::stdout().is_terminal(), variable)
    }

    /// For standard error, which may be a terminal where standard output is not.
    pub fn of_stderr(variable: impl Fn(&str) -> Option<String>) -> Self {
        Self::decide(io::stderr().is_terminal(), variable)
    }

    fn decide(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let wanted = set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb");
        // Two customs that many programs keep: the first for terminals nobody can see from here, as in CI logs and pictures.
        let color = set("CLICOLOR_FORCE").is_some_and(|value| value != "0") || (terminal && wanted);
        // The first of the three that is set decides; no locale at all is the C locale.
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default().to_ascii_lowercase();
        Self { color, unicode: locale.contains("utf-8") || locale.contains("utf8") }
    }

    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Caution => "33",
            Tone::Bad => "31",
            Tone::Quiet => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

impl Output {
    /// Prints the result of a command: `json` as one document, or `text`, whichever was asked for.
    pub fn result<T: Serialize>(self, json: impl FnOnce() -> T, text: impl FnOnce(Style) -> String) -> anyhow::Result<()> {
        if self.json {
            let document = serde_json::to_string_pretty(&json())?;
            print(&format!("{document}\n"))
        } else {
            print(&text(self.style))
        }
    }

    /// Prints one of several results as they come: a line of JSON, or a line of text.
    pub fn line<T: Serialize>(self, json: impl FnOnce() -> T, text: impl FnOnce(Style) -> String) -> anyhow::Result<()> {
        let line = if self.json { serde_json::to_string(&json())? } else { text(self.style) };
        print(&format!("{line}\n"))
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) has seen what it wanted: that is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(anyhow::Error::new(error).context("write to standard output")),
        _ => Ok(()),
    }
}

/// Writes a line to standard error. There is nobody left to tell when that fails.
pub fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(terminal: bool, variables: &[(&str, &str)]) -> Style {
        Style::decide(terminal, |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        assert!(style(true, &[]).color);
        assert!(style(true, &[("NO_COLOR", "")]).color);
        assert!(!style(false, &[]).color);
        assert!(!style(true, &[("NO_COLOR", "1")]).color);
        assert!(!style(true, &[("TERM", "dumb")]).color);
        assert!(style(false, &[("CLICOLOR_FORCE", "1")]).color);
    }

    #[test]
    fn characters_beyond_ascii_need_a_locale_that_has_them() {
        assert!(style(true, &[("LANG", "en_US.UTF-8")]).unicode);
        assert!(style(false, &[("LC_ALL", "C.utf8")]).unicode);
        assert!(!style(true, &[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]).unicode);
        assert!(!style(true, &[]).unicode);
    }

    #[test]
    fn without_colour_text_stays_as_it_is() {
        let plain = Style { color: false, unicode: true };
        assert_eq!(plain.paint(Tone::Bad, "danger"), "danger");
        assert_eq!(Style { color: true, ..plain }.paint(Tone::Bad, "danger"), "\u{1b}[31mdanger\u{1b}[0m");
    }
}
