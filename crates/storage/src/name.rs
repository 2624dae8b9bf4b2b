//! Which names an object may have.
//!
//! Nothing is escaped or cleaned here: a name is either held exactly, or refused. The rules below are those all storages share;
//! a storage may add its own (component length on filesystems, key length on S3).

/// Says why `name` cannot be an object's name on any storage; `None` when it can.
///
/// Names are non-empty paths of non-empty components separated by `/`. `.` and `..` are refused because filesystems and URLs give
/// them a meaning, and NUL because neither filesystems nor S3 can hold it. Everything else is fine: spaces, quotes, `%`, `#`, `?`,
/// tabs, any Unicode.
pub(crate) fn problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the name is empty".into());
    }
    if name.contains('\0') {
        return Some("it contains the character NUL".into());
    }
    name.split('/').find_map(|component| match component {
        "" => Some("it begins or ends with `/`, or has two of them in a row".into()),
        "." | ".." => Some(format!("the component `{component}` would mean another place")),
        _ => None,
    })
}

/// `folder` and `name` as one name; either may be empty.
pub(crate) fn join(folder: &str, name: &str) -> String {
    match (folder.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => folder.to_owned(),
        (false, false) => format!("{folder}/{name}"),
    }
}

/// A folder as people write it, without the slashes around it.
pub(crate) fn trim(folder: &str) -> &str {
    folder.trim_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_fine() {
        for name in ["a", "a/b", "a b", "*", "\"q\"", "back\\slash", "100%", "t\tab", "é/日本", "~", "#", "?", "...", ".a", "a."] {
            assert_eq!(problem(name), None, "{name:?}");
        }
    }

    #[test]
    fn names_that_mean_another_place_are_refused() {
        for name in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "nul\0"] {
            assert!(problem(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn folders_join_without_doubled_slashes() {
        assert_eq!(join("", "a"), "a");
        assert_eq!(join("f", ""), "f");
        assert_eq!(join("f/g", "a"), "f/g/a");
        assert_eq!(trim("/f/g/"), "f/g");
    }
}
