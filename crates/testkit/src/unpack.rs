//! Unpacks a fixture.

use std::fs::File;
use std::path::Path;

use anyhow::Context;
use tempfile::TempDir;

/// Unpacks a plain tar file into a new temporary folder, which is removed when the value is dropped.
pub fn unpack(tar: impl AsRef<Path>) -> anyhow::Result<TempDir> {
    let path = tar.as_ref();
    let folder = tempfile::Builder::new().prefix("oplogue-fixture-").tempdir().context("making a folder for a fixture")?;
    let file = File::open(path).with_context(|| format!("opening the fixture {}", path.display()))?;
    tar::Archive::new(file).unpack(folder.path()).with_context(|| format!("unpacking {}", path.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes_come_out_as_they_went_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.tar");
        let mut tar = tar::Builder::new(File::create(&path).expect("a file"));
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o644);
        tar.append_data(&mut header, "a b/ü%*.bin", &b"xyz"[..]).expect("packed");
        tar.finish().expect("finished");
        let unpacked = unpack(&path).expect("unpacked");
        assert_eq!(std::fs::read(unpacked.path().join("a b/ü%*.bin")).expect("the file"), b"xyz");
    }

    #[test]
    fn a_missing_fixture_is_named() {
        let error = unpack("nowhere.tar").expect_err("not there").to_string();
        assert!(error.contains("nowhere.tar"), "{error}");
    }
}
