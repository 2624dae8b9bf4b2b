//! Starts a one-node Ceph with its S3 gateway.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::process::Command;

use super::{KMS_KEY_ID, S3Server};
use crate::certificates::Certificates;
use crate::folder::{ServerFolder, tail};
use crate::http;
use crate::ports::Port;
use crate::wait::until;

const PACKAGES: [&str; 4] = ["radosgw", "ceph-mon", "ceph-osd", "ceph-common"];
const PROGRAMS: [&str; 7] = ["radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "ceph-authtool", "monmaptool"];
/// `oplogue test kms key of 32 bytes`
const KMS_KEY: &str = "b3Bsb2d1ZSB0ZXN0IGttcyBrZXkgb2YgMzIgYnl0ZXM=";
/// Any will do, each cluster being alone with itself.
const CLUSTER_ID: &str = "5f2f3a52-6a3c-4f5e-9d0e-0b7e1c9d2a11";
const STORE_ID: &str = "0c3a9b1e-2b58-4c1c-8a55-6f1f0e7d4c22";

pub(super) async fn start() -> anyhow::Result<S3Server> {
    install_if_missing().await?;
    let folder = ServerFolder::new("s3")?;
    let root = folder.path().to_path_buf();
    let ports = (0..4).map(|_| Port::reserve()).collect::<anyhow::Result<Vec<Port>>>()?;
    let certificates = Certificates::generate(&root)?;
    for name in ["monitor", "store", "gateway"] {
        std::fs::create_dir(root.join(name)).with_context(|| format!("creating the folder {name} for Ceph"))?;
    }
    let configuration = root.join("ceph.conf");
    std::fs::write(&configuration, configuration_text(&root, &ports, &certificates)).context("writing ceph.conf")?;
    // Later options override earlier ones, also of /etc/ceph/ceph.conf, which is not read at all.
    let conf = |rest: &[&str]| -> Vec<String> { ["-c", "ceph.conf"].iter().chain(rest).map(|s| (*s).to_string()).collect() };
    let server =
        |name: &str, program: &str, rest: &[&str]| folder.spawn(name, &find(program).unwrap_or_else(|| program.into()), &[], &conf(rest));

    make_keys(&root, &ports).await?;
    server("ceph-mon", "ceph-mon", &["-f", "-i", "a"])?;
    run(&root, "ceph", &conf(&["osd", "new", STORE_ID])).await?;
    run(&root, "ceph-osd", &conf(&["-i", "0", "--mkfs", "--osd-uuid", STORE_ID])).await?;
    server("ceph-osd", "ceph-osd", &["-f", "-i", "0"])?;
    server("radosgw", "radosgw", &["-f", "-n", "client.rgw"])?;
    let (access_key, secret_key) = ("AKTEST".to_string(), "SKTESTSKTEST".to_string());
    make_user(&configuration, "test", &access_key, &secret_key).await?;

    let listening = until("the S3 server to answer", || async {
        for name in ["ceph-mon", "ceph-osd", "radosgw"] {
            if let Some(end) = folder.ended(name) {
                let logs = ["radosgw.out", "client.rgw.log", "osd.0.log"].map(|log| tail(&root.join(log), 8));
                return Ok(Some(Err(format!("{name} {end}\n{}", logs.join("\n")))));
            }
        }
        Ok(http::exchange(&ports[0].address(), "GET", "/", "", &[], &[]).await.ok().map(|_| Ok(())))
    });
    listening.await?.map_err(anyhow::Error::msg).context("starting the S3 server")?;
    Ok(S3Server {
        endpoint: format!("http://{}", ports[0].address()),
        https_endpoint: format!("https://{}", ports[1].address()),
        ca_file: certificates.ca,
        access_key,
        secret_key,
        configuration,
        _owned: Some((folder, ports)),
    })
}

pub(super) async fn make_user(configuration: &Path, name: &str, access_key: &str, secret_key: &str) -> anyhow::Result<()> {
    let folder = configuration.parent().context("ceph.conf lies in a folder")?;
    let arguments = [
        "-c".to_string(),
        configuration.display().to_string(),
        "user".into(),
        "create".into(),
        format!("--uid={name}"),
        format!("--display-name={name}"),
        format!("--access-key={access_key}"),
        format!("--secret-key={secret_key}"),
    ];
    run(folder, "radosgw-admin", &arguments).await
}

/// The first monitor's map and everybody's keys: Ceph's own authentication cannot be switched off for the gateway.
async fn make_keys(root: &Path, ports: &[Port]) -> anyhow::Result<()> {
    let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
    let address = monitor_address(ports);
    let map = words(&format!("--create --addv a {address} --fsid {CLUSTER_ID} monmap"));
    run(root, "monmaptool", &map).await?;
    let keyring = |first: &str, name: &str, rights: &[(&str, &str)]| {
        let mut arguments = words(&format!("keyring{first} --gen-key -n {name}"));
        for (service, right) in rights {
            arguments.extend(["--cap".to_string(), (*service).into(), (*right).into()]);
        }
        arguments
    };
    let all = "allow *";
    for arguments in [
        keyring(" --create-keyring", "mon.", &[("mon", all)]),
        keyring("", "client.admin", &[("mon", all), ("osd", all), ("mgr", all)]),
        keyring("", "osd.0", &[("mon", "allow profile osd"), ("osd", all)]),
        keyring("", "client.rgw", &[("mon", "allow rw"), ("osd", "allow rwx")]),
    ] {
        run(root, "ceph-authtool", &arguments).await?;
    }
    run(root, "ceph-mon", &words("-c ceph.conf --mkfs -i a --monmap monmap --keyring keyring")).await
}

fn monitor_address(ports: &[Port]) -> String {
    format!("[v2:{},v1:{}]", ports[2].address(), ports[3].address())
}

fn configuration_text(root: &Path, ports: &[Port], certificates: &Certificates) -> String {
    let root = root.display();
    let pem = certificates.server.display();
    format!(
        "[global]
fsid = {CLUSTER_ID}
mon host = {monitor}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
keyring = {root}/keyring
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
run dir = {root}
admin socket = {root}/$name.asok
pid file =
log file = {root}/$name.log
mon data = {root}/monitor
mon data avail crit = 1
mon data avail warn = 1
osd data = {root}/store
osd objectstore = memstore
memstore device bytes = 4294967296
[client.rgw]
rgw frontends = beast endpoint={http} ssl_endpoint={https} ssl_certificate={pem} ssl_private_key={pem}
rgw data = {root}/gateway
rgw thread pool size = 64
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = {KMS_KEY_ID}={KMS_KEY}
rgw enable usage log = false
",
        monitor = monitor_address(ports),
        http = ports[0].address(),
        https = ports[1].address(),
    )
}

pub(super) async fn install_if_missing() -> anyhow::Result<()> {
    let missing = || PROGRAMS.iter().filter(|program| find(program).is_none()).copied().collect::<Vec<_>>();
    let absent = missing();
    if absent.is_empty() {
        return Ok(());
    }
    let command = format!("apt-get install -y --no-install-recommends {}", PACKAGES.join(" "));
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    anyhow::ensure!(
        root && find("apt-get").is_some(),
        "the S3 server for tests needs {}, which Debian has in packages: run as root `{command}`",
        absent.join(", ")
    );
    // Two processes at once would fail on apt's own lock.
    let cache = crate::downloads::cache_folder()?;
    std::fs::create_dir_all(&cache).with_context(|| format!("creating {}", cache.display()))?;
    let lock = std::fs::File::options().create(true).truncate(false).write(true).open(cache.join("apt.lock"))?;
    tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    if !missing().is_empty() {
        let script = format!("export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && {command}");
        run(Path::new("/"), "sh", &["-c".to_string(), script]).await.context("installing the S3 server for tests")?;
    }
    let absent = missing();
    anyhow::ensure!(absent.is_empty(), "`{command}` ended well, but there is still no {}", absent.join(", "));
    Ok(())
}

/// Where a program is, in `PATH` or the system folders a user's `PATH` may lack.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

async fn run(folder: &Path, program: &str, arguments: &[String]) -> anyhow::Result<()> {
    let path = find(program).with_context(|| format!("there is no {program}"))?;
    let mut command = Command::new(path);
    command.args(arguments).current_dir(folder).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(600), command.output()).await;
    let output = output.with_context(|| format!("{program} did not end in 600 s"))??;
    let text = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{program} {} failed: {}", arguments.join(" "), text.trim());
    Ok(())
}
