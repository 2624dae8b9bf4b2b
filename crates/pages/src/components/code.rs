//! What can be typed instead of clicked, and how to copy it.

use maud::{Markup, html};

use super::icon::{Icon, icon};

/// A button that copies `text`; it appears with JavaScript only.
pub fn copy(text: &str, what: &str) -> Markup {
    html! {
        button.copy type="button" data-copy=(text) hidden { (icon(Icon::Copy)) span.sr { "Copy " (what) } }
    }
}

/// An identifier in monospace, with a copy button on hover.
pub fn identifier(text: &str, what: &str) -> Markup {
    html! { span.identifier { code { (text) } (copy(text, what)) } }
}

/// Lines for a terminal, with a copy button.
pub fn command(text: &str) -> Markup {
    html! {
        div.command {
            pre tabindex="0" { code { (text) } }
            (copy(text, "the command"))
        }
    }
}

/// The same action as a command and as a request, folded away at the end of a page. Leave out what there is none of with `""`.
pub fn equivalents(cli: &str, curl: &str) -> Markup {
    html! {
        details.equivalents {
            summary { (icon(Icon::Terminal)) span { "The same from a terminal" } }
            div {
                @if !cli.is_empty() { p.label { "Command line" } (command(cli)) }
                @if !curl.is_empty() { p.label { "REST API" } (command(curl)) }
            }
        }
    }
}

/// `curl` of one request to this server: `curl(frame, "POST", "/v1/backups", Some(r#"{"name":"x"}"#))`.
pub fn curl(frame: &crate::Frame, method: &str, path: &str, body: Option<&str>) -> String {
    let mut text = String::from("curl");
    if method != "GET" {
        text.push_str(&format!(" -X {method}"));
    }
    text.push_str(&format!(" -H \"Authorization: Bearer $OPLOGUE_TOKEN\" '{}{path}'", frame.base_url));
    if let Some(body) = body {
        text.push_str(&format!(" \\\n  -H 'Content-Type: application/json' -d '{}'", body.replace('\'', "'\\''")));
    }
    text
}
