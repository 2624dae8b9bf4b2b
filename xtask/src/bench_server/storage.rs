//! The storage that the server is shown: names and sizes of a real one, few bytes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use super::Size;

/// A slice every so often.
pub const SLICE_SECONDS: u32 = 10;
/// ext4 takes 65,000 names for one file.
const LINKS_MAX: u32 = 50_000;
const WRITERS: u32 = 2;

/// `c-007`: the label of a cluster, and its folder.
pub fn cluster(number: u32) -> String {
    format!("c-{number:03}")
}

/// Makes everything below `root`; the last slice of each cluster ends at about `now`, in Unix seconds. Blocks.
pub fn make(root: &Path, size: &Size, now: u32) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let writers = (0..WRITERS).map(|writer| {
            scope.spawn(move || {
                let mut links = Links::new(root.join(format!(".links-{writer}")));
                let numbers = (0..size.clusters).filter(|number| number % WRITERS == writer);
                numbers.into_iter().try_for_each(|number| make_cluster(&root.join(cluster(number)), size, now, &mut links))
            })
        });
        let writers: Vec<_> = writers.collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?)
    })
}

fn make_cluster(folder: &Path, size: &Size, now: u32, links: &mut Links) -> anyhow::Result<()> {
    let slices = size.slices_of_one();
    let start = now - slices * SLICE_SECONDS;
    for number in 0..slices {
        make_slice(folder, start + number * SLICE_SECONDS, links)?;
    }
    let apart = slices * SLICE_SECONDS / size.backups_of_one();
    for number in 0..size.backups_of_one() {
        make_backup(folder, start + number * apart, links)?;
    }
    Ok(())
}

/// One slice of ten seconds, with its record.
pub fn make_slice(folder: &Path, from: u32, links: &mut Links) -> anyhow::Result<()> {
    let (day, first) = stamp(from);
    let (_, last) = stamp(from + SLICE_SECONDS);
    links.link(&folder.join(format!("pbmPitr/rs0/{day}/{first}-1.{last}-1.oplog.zst")))?;
    links.link(&folder.join(format!("oplogue/slices/rs0/{day}/{first}-1.{last}-1.json")))
}

fn make_backup(folder: &Path, from: u32, links: &mut Links) -> anyhow::Result<()> {
    let (_, first) = stamp(from);
    let (_, last) = stamp(from + SLICE_SECONDS);
    let name = format!("nightly_{first}");
    links.link(&folder.join(format!("{name}/rs0/metadata.json")))?;
    links.link(&folder.join(format!("{name}/rs0/oplog/{first}-1.{last}-1.zst")))?;
    let moment = |seconds: u32| json!({"T": seconds, "I": 1});
    let metadata = json!({
        "type": "logical", "opid": format!("{from:024x}"), "name": name, "compression": "zstd", "size": 984_396, "mongodb_version": "6.0.5", "fcv": "6.0",
        "start_ts": from, "last_transition_ts": from + SLICE_SECONDS, "first_write_ts": moment(from), "last_write_ts": moment(from + SLICE_SECONDS),
        "hb": moment(from + SLICE_SECONDS), "status": "done", "pbm_version": "2.15.0", "store": {"type": "filesystem", "filesystem": {"path": "/"}},
        "replsets": [{
            "name": "rs0", "backup_name": format!("{name}/rs0/metadata.json"), "oplog_name": format!("{name}/rs0/oplog"), "start_ts": from, "status": "done",
            "last_transition_ts": from + SLICE_SECONDS, "first_write_ts": moment(from), "last_write_ts": moment(from + SLICE_SECONDS),
            "node": "db1:27017", "pbm_version": "2.15.0", "mongo_version": "6.0.5", "conditions": [],
        }],
        "conditions": [], "n": [],
    });
    fs::write(folder.join(format!("{name}.pbm.json")), metadata.to_string()).with_context(|| format!("write the metadata of {name}"))
}

/// Names for one small file, a new file now and then.
pub struct Links {
    folder: PathBuf,
    source: PathBuf,
    count: u32,
    made: u32,
    /// The last folder known to be there.
    there: PathBuf,
}

impl Links {
    /// `folder`: where the few files lie.
    pub fn new(folder: PathBuf) -> Self {
        Self { source: folder.clone(), folder, count: LINKS_MAX, made: 0, there: PathBuf::new() }
    }

    fn link(&mut self, name: &Path) -> anyhow::Result<()> {
        if self.count == LINKS_MAX {
            fs::create_dir_all(&self.folder)?;
            self.source = self.folder.join(self.made.to_string());
            fs::write(&self.source, [0x5A; 700])?;
            (self.count, self.made) = (0, self.made + 1);
        }
        let above = name.parent().context("names have a folder")?;
        if above != self.there {
            fs::create_dir_all(above)?;
            above.clone_into(&mut self.there);
        }
        self.count += 1;
        fs::hard_link(&self.source, name).with_context(|| format!("make {}", name.display()))
    }
}

/// `20261122` and `20261122234048` of a Unix second, in UTC.
fn stamp(seconds: u32) -> (String, String) {
    let (days, second) = (i64::from(seconds) / 86_400, seconds % 86_400);
    // Days since 0000-03-01, as the civil calendar repeats every 400 years.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let date = format!("{year:04}{month:02}{day:02}");
    let time = format!("{date}{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60);
    (date, time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_those_of_the_calendar() {
        assert_eq!(stamp(1_795_390_848), ("20261122".to_owned(), "20261122234048".to_owned()));
        assert_eq!(stamp(0).1, "19700101000000");
        assert_eq!(stamp(951_782_399 + 1).0, "20000229");
    }

    #[test]
    fn a_storage_has_what_was_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let size = Size { clusters: 2, backups: 4, slices: 20, folder: PathBuf::new(), program: None };
        make(folder.path(), &size, 1_795_390_850).expect("made");
        let of_one = folder.path().join("c-001");
        assert_eq!(fs::read_dir(of_one.join("pbmPitr/rs0/20261122")).expect("slices").count(), 10);
        let names =
            fs::read_dir(&of_one).expect("the folder").map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        assert_eq!(names.filter(|name| name.ends_with(".pbm.json")).count(), 2);
    }
}
