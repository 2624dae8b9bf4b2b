//! Writes every sample page and all assets into a folder, for `cargo xtask pages` and for looking at: `cargo run -p oplogue-pages --example render FOLDER`.

use std::path::Path;

use oplogue_pages::{assets, samples};

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).ok_or_else(|| std::io::Error::other("name the folder to write to"))?;
    let folder = Path::new(&folder);
    for asset in assets::all() {
        let path = folder.join(asset.path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, asset.bytes)?;
    }
    let mut list = Vec::new();
    for sample in samples::all() {
        let name = format!("{}.{}", sample.page, sample.name);
        std::fs::write(folder.join(format!("{name}.html")), sample.html())?;
        list.push(name);
    }
    let policy = assets::CONTENT_SECURITY_POLICY;
    let types: Vec<_> = assets::all().iter().map(|asset| (asset.path.clone(), asset.content_type)).collect();
    std::fs::write(folder.join("pages.json"), serde_json::json!({ "pages": list, "policy": policy, "types": types }).to_string())
}
