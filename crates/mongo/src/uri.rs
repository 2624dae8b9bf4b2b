//! Reading a connection string, and printing it without what is secret in it.

/// Keys of the query whose values are secret.
const SECRET_KEYS: [&str; 3] = ["tlscertificatekeyfilepassword", "authmechanismproperties", "proxypassword"];

/// The same URI with `****` for the password and for secret options. Works on text that is not a URI, too.
pub(crate) fn redacted(uri: &str) -> String {
    let (main, query) = match uri.split_once('?') {
        Some((main, query)) => (main, Some(query)),
        None => (uri, None),
    };
    let mut text = match (main.find("://"), main.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            let (start, end) = (scheme + 3, at);
            let credentials = &main[start..end];
            let user = credentials.split(':').next().unwrap_or("");
            let password = if credentials.contains(':') { ":****" } else { "" };
            format!("{}{user}{password}{}", &main[..start], &main[end..])
        }
        _ => main.to_owned(),
    };
    if let Some(query) = query {
        let pairs: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((key, _)) if SECRET_KEYS.contains(&key.to_lowercase().as_str()) => format!("{key}=****"),
                _ => pair.to_owned(),
            })
            .collect();
        text = format!("{text}?{}", pairs.join("&"));
    }
    text
}

/// The texts of a URI that must never be printed, as they stand in it.
pub(crate) fn secrets(uri: &str) -> Vec<String> {
    let main = uri.split_once('?').map_or(uri, |(main, _)| main);
    let mut secrets = Vec::new();
    if let (Some(scheme), Some(at)) = (main.find("://"), main.rfind('@'))
        && at > scheme
        && let Some((_, password)) = main[scheme + 3..at].split_once(':')
    {
        secrets.push(password.to_owned());
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_shows() {
        for (uri, shown) in [
            ("mongodb://h:1/?replicaSet=rs", "mongodb://h:1/?replicaSet=rs"),
            ("mongodb://u:p@h:1,i:2/db?w=1", "mongodb://u:****@h:1,i:2/db?w=1"),
            ("mongodb://u@h:1", "mongodb://u@h:1"),
            ("mongodb+srv://u:a/b@c@h", "mongodb+srv://u:****@h"),
            ("mongodb://u:p@h/?tlsCertificateKeyFilePassword=x&a=b", "mongodb://u:****@h/?tlsCertificateKeyFilePassword=****&a=b"),
            ("nonsense", "nonsense"),
            ("u:p@h", "u:p@h"),
        ] {
            assert_eq!(redacted(uri), shown, "{uri}");
        }
    }

    #[test]
    fn the_password_is_known_as_written() {
        assert_eq!(secrets("mongodb://u:p%40@h"), ["p%40"]);
        assert!(secrets("mongodb://h").is_empty());
    }
}
