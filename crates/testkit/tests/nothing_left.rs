//! No process and no folder is left, however a test ends.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use oplogue_testkit::wait::until;
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, S3Server};

/// A zombie counts as gone: who must collect it is the system's business.
fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().is_empty() || rest.trim_start().starts_with('Z'))
}

fn pids(set: &ReplicaSet) -> Vec<u32> {
    (0..set.hosts().len()).filter_map(|member| set.pid(member)).collect()
}

#[tokio::test]
async fn a_dropped_set_leaves_nothing() {
    let set = ReplicaSet::start(ReplicaSetOptions::default().members(3)).await.expect("starts");
    set.pause(1).await.expect("paused");
    let (path, pids) = (set.path().to_path_buf(), pids(&set));
    assert_eq!(pids.len(), 3);
    assert!(path.exists() && !pids.iter().copied().any(is_gone));
    drop(set);
    assert!(!path.exists() && pids.into_iter().all(is_gone));
}

#[tokio::test]
async fn a_panicking_test_leaves_nothing() {
    let (send, receive) = tokio::sync::oneshot::channel();
    let test = tokio::spawn(async move {
        let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("starts");
        send.send((set.path().to_path_buf(), pids(&set))).expect("the receiver waits");
        panic!("on purpose");
    });
    let (path, pids) = receive.await.expect("started");
    assert!(test.await.is_err());
    assert!(!path.exists() && pids.into_iter().all(is_gone));
}

/// Plays the killed process of the next test; runs only when that one asks for it.
#[tokio::test]
#[ignore = "started by a_killed_test_process_leaves_nothing"]
async fn victim() {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("starts");
    println!("\nvictim {} {}", set.pid(0).expect("it runs"), set.path().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_test_process_leaves_nothing() {
    let mut command = Command::new(std::env::current_exe().expect("this test's own program"));
    command.args(["--ignored", "--exact", "victim", "--nocapture"]).stdout(Stdio::piped());
    let mut victim = command.spawn().expect("started");
    let lines = BufReader::new(victim.stdout.take().expect("piped")).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("victim ")).expect("it says where it is");
    let words: Vec<&str> = line.splitn(3, ' ').collect();
    let (pid, path) = (words[1].parse::<u32>().expect("a process id"), PathBuf::from(words[2]));
    assert!(path.exists() && !is_gone(pid));
    victim.kill().expect("killed");
    victim.wait().expect("ended");
    until("server and folder to be gone", || async { Ok((!path.exists() && is_gone(pid)).then_some(())) }).await.expect("gone");
}

#[tokio::test]
async fn a_dropped_s3_server_leaves_nothing() {
    let server = S3Server::start().await.expect("starts");
    let (folder, endpoint) = (server.ca_file.clone(), server.endpoint.clone());
    let bucket = server.new_bucket().await.expect("a bucket");
    drop(server);
    assert!(!folder.exists());
    assert!(bucket.keys().await.is_err(), "{endpoint} still answers");
}
