//! What is said when the server has started.

use oplogue_server::Ready;

use crate::output::{Style, Tone};

/// Without a line break at the end.
pub fn ready(ready: &Ready, style: Style) -> String {
    let mut lines = vec![format!("oplogue server is ready at {}", style.paint(Tone::Strong, &ready.url))];
    if let Some(fingerprint) = &ready.fingerprint {
        lines.push(format!("certificate (SHA-256): {fingerprint}"));
    }
    if let Some(link) = &ready.first_link {
        lines.push("there are no users yet; this link makes the first administrator, once:".to_owned());
        lines.push(format!("  {}", style.paint(Tone::Strong, link)));
    }
    lines.join("\n")
}

pub fn reset_link(name: &str, link: &str) -> String {
    format!("with this link {name} chooses a new password, once and within a day:\n  {link}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_next_is_said() {
        let plain = Style { color: false, unicode: false };
        let bare =
            Ready { addr: ([127, 0, 0, 1], 8480).into(), url: "http://127.0.0.1:8480".to_owned(), first_link: None, fingerprint: None };
        assert_eq!(super::ready(&bare, plain), "oplogue server is ready at http://127.0.0.1:8480");
        let first =
            Ready { first_link: Some("http://127.0.0.1:8480/first?code=1".to_owned()), fingerprint: Some("AA:BB".to_owned()), ..bare };
        let told = super::ready(&first, plain);
        assert!(told.contains("AA:BB") && told.ends_with("\n  http://127.0.0.1:8480/first?code=1"), "{told}");
    }
}
