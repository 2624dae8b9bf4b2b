//! A terminal's text as a picture that stays sharp at any size.

use std::fmt::Write;

const CHARACTER: f64 = 8.4;
const LINE: f64 = 19.0;
const MARGIN: f64 = 18.0;

/// `printed` may hold the colour codes that the program uses.
pub fn picture(command: &str, printed: &str) -> String {
    let mut lines = vec![vec![(Some("1"), command.to_owned())], Vec::new()];
    lines.extend(printed.trim_end().lines().map(runs));
    let columns = lines.iter().map(|line| line.iter().map(|(_, text)| text.chars().count()).sum()).max().unwrap_or(0);
    let (width, height) = (columns as f64 * CHARACTER + 2.0 * MARGIN, lines.len() as f64 * LINE + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#14181d\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" fill=\"#d7dde4\" xml:space=\"preserve\">\n",
        escaped(command)
    );
    for (index, line) in lines.iter().enumerate() {
        let y = MARGIN + LINE * (index as f64 + 0.75);
        let mut column = 0;
        for (code, text) in line {
            let x = MARGIN + CHARACTER * column as f64;
            let letters = text.chars().count();
            // The length keeps columns in line whatever font is found.
            let length = CHARACTER * letters as f64;
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\"{}>{}</text>", look(*code), escaped(text));
            column += letters;
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn look(code: Option<&str>) -> &'static str {
    match code {
        Some("32") => " fill=\"#5cc98a\"",
        Some("33") => " fill=\"#e0b34c\"",
        Some("31") => " fill=\"#f07178\"",
        Some("2") => " fill=\"#8b96a3\"",
        Some("1") => " font-weight=\"bold\" fill=\"#ffffff\"",
        _ => "",
    }
}

/// Pieces of a line with the colour code in force; blank ones are left out but keep their width in the next one's place.
fn runs(line: &str) -> Vec<(Option<&str>, String)> {
    let mut runs = Vec::new();
    let mut pieces = line.split("\u{1b}[");
    if let Some(first) = pieces.next().filter(|first| !first.is_empty()) {
        runs.push((None, first.to_owned()));
    }
    for piece in pieces {
        if let Some((code, text)) = piece.split_once('m')
            && !text.is_empty()
        {
            runs.push((Some(code).filter(|code| *code != "0"), text.to_owned()));
        }
    }
    runs
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_fills_and_text_is_escaped() {
        let svg = picture("$ x", "a \u{1b}[32m<b>\u{1b}[0m c");
        assert!(svg.contains("fill=\"#5cc98a\">&lt;b&gt;</text>"), "{svg}");
        assert!(svg.contains("> c</text>"), "{svg}");
        assert!(!svg.contains('\u{1b}'));
    }
}
