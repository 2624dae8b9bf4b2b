//! `cargo xtask package`: a Debian package of the program, with units, users, default options, manual pages and completions.
//!
//! Nothing but `dpkg-deb` is needed: a package is a tree of files and a few texts about them. What was built is looked at before it is
//! called done: its units by systemd, its program by running it from where it was unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::shell::{cargo, metadata, output, root, run as run_command};

/// What lies where, from the top of the clone to the root of the machine, with the mode it has there.
const FILES: &[(&str, &str, u32)] = &[
    ("packaging/systemd/oplogue-server.service", "usr/lib/systemd/system/oplogue-server.service", 0o644),
    ("packaging/systemd/oplogue-agent.service", "usr/lib/systemd/system/oplogue-agent.service", 0o644),
    ("packaging/sysusers.d/oplogue.conf", "usr/lib/sysusers.d/oplogue.conf", 0o644),
    ("packaging/env/server.env", "etc/oplogue/server.env", 0o640),
    ("packaging/env/agent.env", "etc/oplogue/agent.env", 0o640),
    ("LICENSE", "usr/share/doc/oplogue/copyright", 0o644),
    ("README.md", "usr/share/doc/oplogue/README.md", 0o644),
    ("docs/operations.md", "usr/share/doc/oplogue/operations.md", 0o644),
    ("packaging/debian/postinst", "DEBIAN/postinst", 0o755),
    ("packaging/debian/prerm", "DEBIAN/prerm", 0o755),
    ("packaging/debian/postrm", "DEBIAN/postrm", 0o755),
];

/// Files whose changes dpkg keeps over an upgrade.
const CONFIGURATION: &str = "/etc/oplogue/server.env\n/etc/oplogue/agent.env\n";

const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/oplogue"),
    ("zsh", "usr/share/zsh/vendor-completions/_oplogue"),
    ("fish", "usr/share/fish/vendor_completions.d/oplogue.fish"),
];

pub fn run(words: &[String]) -> anyhow::Result<()> {
    let debug = match words {
        [] => false,
        [word] if word == "--debug" => true,
        _ => anyhow::bail!(
            "usage: cargo xtask package [--debug]\n  --debug: of the unoptimised program, quickly built, to look at the package itself"
        ),
    };
    let metadata = metadata()?;
    let target = PathBuf::from(metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?);
    let program = build(&target, debug)?;
    let version = version(&metadata)?;

    let folder = target.join("package");
    let tree = folder.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("remove {}", tree.display()))?;
    }
    lay_out(&tree, &program)?;
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned();
    fs::write(tree.join("DEBIAN/conffiles"), CONFIGURATION)?;
    fs::write(tree.join("DEBIAN/control"), control(&version, &architecture, &program, size(&tree)?)?)?;

    let package = folder.join(format!("oplogue_{version}_{architecture}.deb"));
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", if debug { "-Zgzip" } else { "-Zxz" }, if debug { "-z1" } else { "-z6" }, "--build"]);
    run_command(pack.arg(&tree).arg(&package))?;
    check(&package, &folder)?;
    let bytes = fs::metadata(&package)?.len();
    println!("{} ({:.1} MiB)", package.display(), bytes as f64 / f64::from(1 << 20));
    Ok(())
}

fn build(target: &Path, debug: bool) -> anyhow::Result<PathBuf> {
    let mut words = vec!["build", "--quiet", "--package", "oplogue"];
    if !debug {
        words.push("--release");
    }
    run_command(&mut cargo(&words))?;
    let program = target.join(if debug { "debug" } else { "release" }).join("oplogue");
    anyhow::ensure!(program.is_file(), "{} is not there after building it", program.display());
    Ok(program)
}

fn version(metadata: &serde_json::Value) -> anyhow::Result<String> {
    let packages = metadata["packages"].as_array().context("`cargo metadata` names no packages")?;
    let ours = packages.iter().find(|package| package["name"] == "oplogue").context("there is no package `oplogue`")?;
    Ok(ours["version"].as_str().context("the package has no version")?.to_owned())
}

fn lay_out(tree: &Path, program: &Path) -> anyhow::Result<()> {
    for (from, to, mode) in FILES {
        install(&root().join(from), &tree.join(to), *mode)?;
    }
    let installed = tree.join("usr/bin/oplogue");
    install(program, &installed, 0o755)?;
    // Names for debuggers are most of the program; without `strip` it is only larger.
    if !Command::new("strip").arg("--strip-unneeded").arg(&installed).status().is_ok_and(|status| status.success()) {
        println!("note: `strip` is not here, the program keeps its names for debuggers");
    }
    for (shell, to) in COMPLETIONS {
        let text = output(Command::new(program).args(["completions", shell]))?;
        write(&tree.join(to), text.as_bytes())?;
    }
    let pages = tree.join("usr/share/man/man1");
    fs::create_dir_all(&pages)?;
    run_command(Command::new(program).args(["man", "--output"]).arg(&pages))?;
    for page in fs::read_dir(&pages)? {
        run_command(Command::new("gzip").args(["-9n"]).arg(page?.path()))?;
    }
    Ok(())
}

fn install(from: &Path, to: &Path, mode: u32) -> anyhow::Result<()> {
    let bytes = fs::read(from).with_context(|| format!("read {}", from.display()))?;
    write(to, &bytes)?;
    set_mode(to, mode)
}

fn write(to: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = to.parent().context("files of the package lie in folders")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    fs::write(to, bytes).with_context(|| format!("write {}", to.display()))?;
    set_mode(to, 0o644)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(|| format!("set the mode of {}", path.display()))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> anyhow::Result<()> {
    anyhow::bail!("Debian packages are made on Debian")
}

/// Bytes of all files below.
fn size(tree: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type()))?;
            if kind?.is_dir() { folders.push(path) } else { bytes += fs::metadata(&path)?.len() }
        }
    }
    Ok(bytes)
}

fn control(version: &str, architecture: &str, program: &Path, bytes: u64) -> anyhow::Result<String> {
    let program = fs::read(program).with_context(|| format!("read {}", program.display()))?;
    let libc = newest_symbol_version(&program).context("the program names no version of the C library")?;
    Ok(format!(
        "Package: oplogue\nVersion: {version}\nArchitecture: {architecture}\nSection: database\nPriority: optional\n\
         Maintainer: The Oplogue project <oplogue@localhost>\nInstalled-Size: {}\n\
         Depends: libc6 (>= {}.{}), libgcc-s1, adduser | systemd\nRecommends: ca-certificates\nEnhances: mongodb-org-server, percona-server-mongodb-server\n\
         Description: point-in-time recovery for MongoDB\n \
         Takes backups of replica sets, keeps their oplog in slices on a storage, and restores\n \
         everything, or some of it, to the state of any moment in between. The program is\n \
         server, agent and command line in one; units for the first two come with it.\n",
        bytes.div_ceil(1024),
        libc.0,
        libc.1,
    ))
}

/// The newest `GLIBC_2.x` that an ELF file speaks of: what it needs at least.
fn newest_symbol_version(program: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_";
    let versions = program.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK).filter_map(|(at, _)| {
        let text: String = program[at + MARK.len()..].iter().take(8).map(|byte| char::from(*byte)).collect();
        let text = text.split('\0').next()?;
        let mut numbers = text.split('.').map(|number| number.parse::<u32>().ok());
        Some((numbers.next()??, numbers.next()??))
    });
    versions.max()
}

/// Unpacks what was built and looks at it as a machine would that installs it.
fn check(package: &Path, folder: &Path) -> anyhow::Result<()> {
    let listing = output(Command::new("dpkg-deb").arg("--contents").arg(package))?;
    for wanted in ["./usr/bin/oplogue", "./usr/share/man/man1/oplogue-agent.1.gz", "./etc/oplogue/agent.env"] {
        anyhow::ensure!(listing.contains(wanted), "the package does not hold {wanted}:\n{listing}");
    }
    anyhow::ensure!(
        listing.lines().all(|line| line.contains(" root/root ")),
        "something in the package does not belong to root:\n{listing}"
    );
    print!("{}", output(Command::new("dpkg-deb").arg("--info").arg(package))?);

    let unpacked = folder.join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked)?;
    }
    run_command(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&unpacked))?;
    let told = output(Command::new(unpacked.join("usr/bin/oplogue")).arg("--version"))?;
    anyhow::ensure!(told.starts_with("oplogue "), "the unpacked program says `{told}`");
    for script in ["postinst", "prerm", "postrm"] {
        run_command(Command::new("sh").arg("-n").arg(root().join("packaging/debian").join(script)))?;
    }
    check_units(&unpacked)?;
    fs::remove_dir_all(&unpacked).with_context(|| format!("remove {}", unpacked.display()))
}

/// What systemd thinks of the units, where it is.
fn check_units(unpacked: &Path) -> anyhow::Result<()> {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("note: systemd-analyze is not here, the units were not looked at");
        return Ok(());
    }
    for unit in ["oplogue-server", "oplogue-agent"] {
        let path = unpacked.join(format!("usr/lib/systemd/system/{unit}.service"));
        let text = fs::read_to_string(&path)?.replace("=/usr/bin/oplogue", &format!("={}/usr/bin/oplogue", unpacked.display()));
        // Pages are found once the package is installed.
        fs::write(&path, text.replace("Documentation=man:", "#"))?;
        run_command(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path))?;
        // In tenths: 20 is 2.0 of 10.
        let security = Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20"]).arg(&path).output()?;
        let told = String::from_utf8_lossy(&security.stdout);
        let score = told.lines().find(|line| line.contains("Overall exposure")).unwrap_or("no score").trim().to_owned();
        println!("{score}");
        anyhow::ensure!(security.status.success(), "{unit} is more exposed than it should be");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_symbol_counts_as_numbers_do() {
        assert_eq!(newest_symbol_version(b"\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.4\0GLIBC_PRIVATE\0"), Some((2, 34)));
        assert_eq!(newest_symbol_version(b"nothing"), None);
    }
}
