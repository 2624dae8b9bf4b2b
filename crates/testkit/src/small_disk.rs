//! A disk that can be filled: a `tmpfs` of few bytes in a mount namespace of its own.
//!
//! A process holds the namespace, and everybody reaches the disk through that process (`/proc/<id>/root`). So nothing is mounted where
//! others would see it, and the disk is gone with its process, however the test ends.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::folder::ServerFolder;
use crate::wait::until;

const NAME: &str = "disk";
/// Mounts, says so, and stays.
const HOLD: &str = r#"mount -t tmpfs -o size="$1" tmpfs "$2" && touch "$2/mounted" && exec sleep infinity"#;

/// A small disk; dropping it takes it away.
#[derive(Debug)]
pub struct SmallDisk {
    // Ends the process.
    _folder: ServerFolder,
    path: PathBuf,
}

impl SmallDisk {
    /// `None` where one is not allowed to mount, even in a namespace of one's own.
    pub async fn mount(bytes: u64) -> anyhow::Result<Option<SmallDisk>> {
        let folder = ServerFolder::new(NAME)?;
        let place = folder.path().join("place");
        std::fs::create_dir(&place).context("making a place for a small disk")?;
        let words = ["--user", "--map-root-user", "--mount", "sh", "-c", HOLD, "hold", &bytes.to_string(), &place.display().to_string()];
        folder.spawn(NAME, Path::new("unshare"), &[], &words.map(str::to_owned))?;
        let inside = |folder: &ServerFolder| folder.pid(NAME).map(|pid| format!("/proc/{pid}/root{}", place.display()).into());
        let mounted = until("a small disk", || async {
            let path: Option<PathBuf> = inside(&folder);
            let there = path.filter(|path| path.join("mounted").exists());
            Ok(there.map(Some).or_else(|| folder.ended(NAME).map(|_| None)))
        });
        Ok(mounted.await?.map(|path| SmallDisk { _folder: folder, path }))
    }

    /// Where it is, for this process and those it starts.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes until there is no room left.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut file = std::fs::File::create(self.filler()).context("filling a small disk")?;
        for piece in [64 * 1024, 1024, 1] {
            while std::io::Write::write_all(&mut file, &vec![7; piece]).is_ok() {}
        }
        Ok(())
    }

    /// Gives the room back that [`fill`](Self::fill) took.
    pub fn empty(&self) -> anyhow::Result<()> {
        std::fs::remove_file(self.filler()).context("emptying a small disk")
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_small_disk_is_full_until_it_is_emptied_and_gone_when_dropped() {
        let Some(disk) = SmallDisk::mount(1 << 20).await.expect("asked for") else {
            println!("no small disk: mounting is not allowed here");
            return;
        };
        disk.fill().expect("filled");
        let full = std::fs::write(disk.path().join("more"), "more").expect_err("there is no room");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        disk.empty().expect("emptied");
        std::fs::write(disk.path().join("more"), "more").expect("there is room");
        let path = disk.path().to_owned();
        drop(disk);
        assert!(!path.exists());
    }
}
