//! What doctor found.

use std::fmt::Write;

use oplogue_engine::doctor::{Finding, Level};

use crate::output::{Style, Tone};

/// One line per finding, what to do below it.
pub fn findings(findings: &[Finding], style: Style) -> String {
    let width = findings.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let (tone, word) = match finding.level {
            Level::Ok => (Tone::Good, "ok       "),
            Level::Attention => (Tone::Caution, "attention"),
            Level::Danger => (Tone::Bad, "danger   "),
        };
        let _ = writeln!(text, "{}  {:<width$}  {}", style.paint(tone, word), finding.subject, finding.finding);
        for line in finding.advice.iter().flat_map(|advice| advice.lines()) {
            let _ = writeln!(text, "           {:<width$}  -> {line}", "");
        }
    }
    let level = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let _ = writeln!(text, "\n{} ok, {} attention, {} danger", level(Level::Ok), level(Level::Attention), level(Level::Danger));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_stands_below_what_it_is_about() {
        let finding = |level, subject: &'static str, advice: Option<&str>| Finding {
            level,
            subject,
            finding: "found".into(),
            advice: advice.map(Into::into),
        };
        let text = findings(
            &[finding(Level::Ok, "versions", None), finding(Level::Danger, "roles", Some("do this\nthen that"))],
            Style { color: false, unicode: false },
        );
        let indent = " ".repeat(21);
        let expected = [
            "ok         versions  found".to_owned(),
            "danger     roles     found".to_owned(),
            format!("{indent}-> do this"),
            format!("{indent}-> then that"),
            String::new(),
            "1 ok, 0 attention, 1 danger".to_owned(),
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
