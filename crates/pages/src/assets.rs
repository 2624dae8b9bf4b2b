//! The files that pages need, inside the program, under names that change with what is in them: they may be cached for ever.
//!
//! `assets/LICENCES.md` says where those come from that we did not write.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A file to serve below `/assets/`.
#[derive(Debug, Clone)]
pub struct Asset {
    /// `app.css`: how the source calls it.
    pub name: &'static str,
    /// `/assets/app-1a2b3c4d5e6f.css`: where it is served.
    pub path: String,
    pub content_type: &'static str,
    pub bytes: &'static [u8],
}

/// `Cache-Control` for all of them.
pub const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// What every page is served with. `img-src` is for the icons, `connect-src` for live regions.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const FILES: &[(&str, &str, &[u8])] = &[
    ("app.css", "text/css; charset=utf-8", include_bytes!("../assets/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("../assets/app.js")),
    ("htmx-2.0.11.min.js", "text/javascript; charset=utf-8", include_bytes!("../assets/htmx-2.0.11.min.js")),
    ("idiomorph-ext-0.8.0.min.js", "text/javascript; charset=utf-8", include_bytes!("../assets/idiomorph-ext-0.8.0.min.js")),
    ("icons.svg", "image/svg+xml", include_bytes!("../assets/icons.svg")),
    ("favicon.svg", "image/svg+xml", include_bytes!("../assets/favicon.svg")),
    ("inter-5.3.0-latin.woff2", "font/woff2", include_bytes!("../assets/inter-5.3.0-latin.woff2")),
];

static ALL: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let asset = |(name, content_type, bytes): &(&'static str, &'static str, &'static [u8])| {
        let (stem, extension) = name.rsplit_once('.').expect("every name in FILES has an extension");
        let hash = hex::encode(&Sha256::digest(bytes)[..6]);
        Asset { name, path: format!("/assets/{stem}-{hash}.{extension}"), content_type, bytes }
    };
    FILES.iter().map(asset).collect()
});

/// All files, for the server's router.
pub fn all() -> &'static [Asset] {
    &ALL
}

/// The file served at `path` (`/assets/…`).
pub fn at(path: &str) -> Option<&'static Asset> {
    all().iter().find(|asset| asset.path == path)
}

/// Where `name` is served.
pub fn url(name: &str) -> &'static str {
    all().iter().find(|asset| asset.name == name).map_or("", |asset| asset.path.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_with_the_content_and_can_be_looked_up() {
        for asset in all() {
            assert_eq!(url(asset.name), asset.path);
            assert_eq!(at(&asset.path).map(|found| found.name), Some(asset.name));
            assert!(asset.path.len() > asset.name.len() + 12, "{}", asset.path);
        }
        assert_eq!(url("nothing.css"), "");
    }

    /// The font is named in the style sheet by a relative URL, which must be the hashed one.
    #[test]
    fn the_style_sheet_names_the_font_as_it_is_served() {
        let css = all().iter().find(|asset| asset.name == "app.css").expect("listed");
        let font = url("inter-5.3.0-latin.woff2").trim_start_matches("/assets/");
        let text = std::str::from_utf8(css.bytes).expect("UTF-8");
        assert!(text.contains(&format!("url(\"{font}\")")), "app.css must say url(\"{font}\")");
    }
}
