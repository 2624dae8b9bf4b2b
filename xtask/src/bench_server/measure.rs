//! The server, asked as a browser asks.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use oplogue_testkit::{OplogueServer, oplogue};
use serde_json::{Value, json};

use super::Size;
use super::storage::{self, Links, cluster};

/// Each page so often.
const ROUNDS: usize = 25;
const SERVICES_OF_ONE: u32 = 3;
/// Reading two million names takes minutes.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Makes, starts, asks; returns what to print.
pub async fn measure(size: &Size, program: &Path) -> anyhow::Result<String> {
    let root = tempfile::Builder::new().prefix("oplogue-bench-server-").tempdir_in(&size.folder)?;
    let now = u32::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs()).context("the clock is right")?;
    say("making the storage");
    let (path, wanted) = (root.path().to_owned(), size.clone());
    tokio::task::spawn_blocking(move || storage::make(&path, &wanted, now)).await??;

    say("starting the server and filling its database");
    let server = OplogueServer::start(program, &[]).await?;
    let location = server
        .post("/locations", &json!({"name": "storage", "kind": "local", "settings": {"path": root.path().display().to_string()}}))
        .await?;
    let location = location["id"].as_str().context("a location has an id")?.to_owned();
    let schedule = fill(&server, size, &location).await?;

    say("starting it again: everything is read from the storage");
    server.kill();
    let begun = Instant::now();
    server.restart().await?;
    let answers_after = begun.elapsed();
    wait_until_read(&server, size, &location).await?;
    let read_after = begun.elapsed();
    let after_reading = memory_mib(&server)?;

    let mut report = String::new();
    let (backups, slices) = (size.backups, size.slices);
    writeln!(report, "{} clusters, {backups} backups, {slices} slices with their records, on a local filesystem\n", size.clusters)?;
    writeln!(
        report,
        "answers after a restart in {:.1} s; has read everything after {:.0} s",
        answers_after.as_secs_f64(),
        read_after.as_secs_f64()
    )?;
    say("measuring how soon something new is seen");
    writeln!(report, "a new slice is seen after {:.1} s (refresh every 10 s)", news_after(&server, &location, root.path(), now).await?)?;

    say("asking for pages");
    let session = sign_in(&server).await?;
    writeln!(report, "\n{:<52} {:>9} {:>9} {:>9}", "", "median", "slowest", "size")?;
    for path in paths(&server, size, &location, &schedule).await? {
        let line = ask(&server, &session, &path).await.with_context(|| path.clone())?;
        let shown = path.replace(&location, "…").replace(&schedule, "…");
        writeln!(report, "{:<52} {line}", shown.chars().take(52).collect::<String>())?;
    }
    let (resident, peak) = memory_mib(&server)?;
    writeln!(report, "\nmemory: {} MiB after reading everything, {resident} MiB after the pages, {peak} MiB at most", after_reading.0)?;
    Ok(report)
}

fn say(text: &str) {
    eprintln!("bench-server: {text}");
}

/// Services, and a PITR job for each cluster; returns the id of one job.
async fn fill(server: &OplogueServer, size: &Size, location: &str) -> anyhow::Result<String> {
    let clusters = stream::iter(0..size.clusters).map(|number| async move {
        let label = cluster(number);
        let mut service = String::new();
        for member in 0..SERVICES_OF_ONE {
            let enrolment = server.post("/enrolments", &json!({"cluster": label})).await?;
            let name = format!("{label}-{member}");
            let facts = json!({
                "agent_version": "0.1.0", "host": name, "replica_set": "rs0", "member": format!("{name}:27017"),
                "role": if member == 0 { "primary" } else { "secondary" }, "mongodb_version": "6.0.5", "fcv": "6.0", "oplog": null, "problem": null,
            });
            let enrol = json!({"token": enrolment["token"], "service_name": name, "cluster": null, "facts": facts});
            let enrolled = server.post("/agent/enrol", &enrol).await?;
            service = enrolled["service_id"].as_str().context("a service has an id")?.to_owned();
        }
        let schedule = json!({
            "name": format!("nightly-{label}"), "service_id": service, "location_id": location, "mode": "pitr", "cron": "0 3 * * *", "enabled": true,
            "retention": {"window_hours": 24, "daily": 7},
        });
        let schedule = server.post("/schedules", &schedule).await?;
        anyhow::Ok(schedule["id"].as_str().context("a schedule has an id")?.to_owned())
    });
    let schedules: Vec<String> = clusters.buffered(4).try_collect().await?;
    schedules.into_iter().next().context("there is a cluster")
}

async fn wait_until_read(server: &OplogueServer, size: &Size, location: &str) -> anyhow::Result<()> {
    let all_backups = u64::from(size.backups_of_one()) * u64::from(size.clusters);
    until(|| async {
        let location = server.get(&format!("/locations/{location}")).await?;
        Ok((location["backups"].as_u64() == Some(all_backups)).then_some(()))
    })
    .await
    .context("wait until everything is read")?;
    let timeline = server.get(&timeline_path(location, size.clusters - 1)).await?;
    let slices = timeline["replica_sets"][0]["slices"].as_u64();
    anyhow::ensure!(slices == Some(size.slices_of_one().into()), "the timeline knows {slices:?} slices");
    Ok(())
}

fn timeline_path(location: &str, number: u32) -> String {
    format!("/timelines?location_id={location}&folder={}", cluster(number))
}

async fn news_after(server: &OplogueServer, location: &str, root: &Path, now: u32) -> anyhow::Result<f64> {
    let mut links = Links::new(root.join(".links-news"));
    let newest = |timeline: &Value| timeline["replica_sets"][0]["newest"]["t"].as_u64();
    let before = newest(&server.get(&timeline_path(location, 0)).await?);
    storage::make_slice(&root.join(cluster(0)), now, &mut links)?;
    let begun = Instant::now();
    until(|| async {
        let after = newest(&server.get(&timeline_path(location, 0)).await?);
        Ok((after != before).then_some(()))
    })
    .await
    .context("wait for the new slice")?;
    Ok(begun.elapsed().as_secs_f64())
}

async fn until<F: Future<Output = anyhow::Result<Option<()>>>>(check: impl Fn() -> F) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if check().await?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    anyhow::bail!("it did not come about in {} s", PATIENCE.as_secs())
}

async fn sign_in(server: &OplogueServer) -> anyhow::Result<String> {
    let answer = server.send("POST", "/v1/session", &[], &json!({"name": oplogue::NAME, "password": oplogue::PASSWORD})).await?;
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    Ok(cookie.with_context(|| format!("no session: {}", answer.describe()))?.to_owned())
}

/// Pages first, then calls.
async fn paths(server: &OplogueServer, size: &Size, location: &str, schedule: &str) -> anyhow::Result<Vec<String>> {
    let page = server.get("/backups?limit=50").await?;
    let backup = page["items"][0]["id"].as_str().context("there are backups")?.to_owned();
    let services = server.get("/services").await?;
    let service = services[0]["id"].as_str().context("there are services")?.to_owned();
    let middle = cluster(size.clusters / 2);
    let timeline = format!("location_id={location}&folder={middle}");
    Ok([
        "/".to_owned(),
        format!("/clusters/{middle}"),
        format!("/timeline?{timeline}"),
        "/backups".to_owned(),
        format!("/backups?cluster={middle}"),
        format!("/backups/{backup}"),
        format!("/backups/{backup}/delete"),
        "/backups/new".to_owned(),
        "/schedules".to_owned(),
        format!("/schedules/{schedule}"),
        format!("/schedules/{schedule}/edit"),
        format!("/schedules/{schedule}/retention"),
        "/schedules/new".to_owned(),
        format!("/restore?{timeline}"),
        "/restores".to_owned(),
        "/locations".to_owned(),
        format!("/locations/{location}"),
        "/services".to_owned(),
        format!("/services/{service}"),
        "/jobs".to_owned(),
        "/alerts".to_owned(),
        "/alerts/rules".to_owned(),
        "/settings/users".to_owned(),
        "/settings/audit".to_owned(),
        "/v1/clusters".to_owned(),
        "/v1/backups?limit=100".to_owned(),
        format!("/v1/timelines?{timeline}"),
        format!("/v1/timelines/choice?{timeline}&moment=latest"),
        "/metrics".to_owned(),
    ]
    .into())
}

/// Median, slowest and size of `ROUNDS` answers.
async fn ask(server: &OplogueServer, session: &str, path: &str) -> anyhow::Result<String> {
    let headers = [("Cookie".to_owned(), session.to_owned())];
    let mut millis = Vec::new();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let answer = server.send("GET", path, &headers, &Value::Null).await?;
        millis.push(begun.elapsed().as_secs_f64() * 1000.0);
        if answer.status != 200 {
            return Ok(format!("HTTP {}", answer.status));
        }
        bytes = answer.body.len();
    }
    millis.sort_by(f64::total_cmp);
    let slowest = millis.last().copied().unwrap_or_default();
    Ok(format!("{:>6.1} ms {slowest:>6.1} ms {:>6} kB", millis[ROUNDS / 2], bytes / 1000))
}

/// Resident now, and at most so far.
fn memory_mib(server: &OplogueServer) -> anyhow::Result<(u64, u64)> {
    let pid = std::fs::read_to_string(server.path().join("server.pid"))?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim()))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).with_context(|| format!("/proc has no {name}"))
    };
    Ok((field("VmRSS:")? / 1024, field("VmHWM:")? / 1024))
}
