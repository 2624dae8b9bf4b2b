//! A server process that is killed without warning again and again during a busy hour, with agents that come and go.
//!
//! The server runs in a process of its own with a clock sixty times as fast, and gets SIGKILL at random moments. That process is this test program,
//! started again as [`serve`], or the program that `OPLOGUE_TEST_PROGRAM` names.
//! Agents are simulated here and speak HTTP; what they ever did is written down on their side, and compared with what the server says in the
//! end. `OPLOGUE_TEST_KILLS` says how many kills (100 by default), `OPLOGUE_TEST_SEED` which moments.

mod agents;
mod process;
mod verdict;

use std::time::{Duration, Instant};

use oplogue_api::schedules::ScheduleInput;
use oplogue_server::app::App;
use oplogue_server::config::ServerConfig;
use serde_json::json;

use crate::work::world::anna;
use agents::{Dice, Fleet};
use process::Process;

/// An hour in a minute.
pub const RATE: f64 = 60.0;
const KILLS: u64 = 100;
const CLUSTERS: [&str; 3] = ["shop", "blog", "wiki"];
/// Between kills, in milliseconds: from before it is ready to after some work.
const LIFE_MILLIS: u64 = 1400;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

pub fn config(data_dir: &std::path::Path) -> ServerConfig {
    ServerConfig { clock_rate: RATE, ..ServerConfig::local(data_dir) }
}

/// Not a test: the server process. Does nothing unless it was started as one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve() {
    process::serve_if_asked().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_it_loses_and_doubles_nothing() {
    let (kills, seed) = (number("OPLOGUE_TEST_KILLS", KILLS), number("OPLOGUE_TEST_SEED", 7));
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().join("data");
    std::fs::create_dir(&data_dir).expect("a folder");
    let mut dice = Dice::new(seed);
    let (begin, mut fleet, schedules, token) = prepare(&data_dir, folder.path());

    let mut process = Process::start(&data_dir).await;
    fleet.run(process.url.clone(), token, seed);
    let started = Instant::now();
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(dice.roll(LIFE_MILLIS))).await;
        process.kill();
        process = Process::start(&data_dir).await;
        fleet.moved(&process.url);
    }
    let busy = started.elapsed();
    fleet.calm_down(&data_dir).await;
    process.kill();
    let ledgers = fleet.stop().await;

    let app = App::open(config(&data_dir)).expect("the server's data is sound");
    let told = verdict::check(&app, begin, &schedules, &ledgers);
    // For whoever runs it by hand with --nocapture.
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{kills} kills in {busy:?}: {told}\n"));
}

/// Locations, agents, schedules and a user's token; told is when it began.
fn prepare(data_dir: &std::path::Path, folder: &std::path::Path) -> (jiff::Timestamp, Fleet, Vec<(String, String)>, String) {
    let app = App::open(config(data_dir)).expect("the server opens");
    let path = folder.join("storage");
    std::fs::create_dir(&path).expect("a folder");
    let location = json!({"name": "disk", "kind": "local", "settings": {"path": path}});
    let location = app.create_location(&anna(), serde_json::from_value(location).expect("an input")).expect("a location").id;
    let fleet = Fleet::enrol(&app, &CLUSTERS, &location);
    let begin = app.clock.now();
    let mut schedules = Vec::new();
    let mut add = |name: &str, cluster: usize, mode: &str, cron: &str| {
        let input = json!({
            "name": name, "service_id": fleet.services[cluster], "location_id": location, "mode": mode, "cron": cron,
            "retry_mode": "auto", "retries": 3, "retry_interval_seconds": 20,
        });
        let input: ScheduleInput = serde_json::from_value(input).expect("an input");
        let id = app.create_schedule(&anna(), input).expect("a schedule").id;
        schedules.push((id, cron.to_owned()));
    };
    add("minutely", 0, "snapshot", "* * * * *");
    add("often", 0, "snapshot", "*/3 * * * *");
    add("continuous", 1, "pitr", "*/2 * * * *");
    add("seldom", 2, "snapshot", "*/5 * * * *");
    let input = oplogue_api::tokens::ApiTokenInput { name: "user".to_owned(), role: oplogue_api::users::Role::Operator, valid_days: None };
    let token = app.create_token(&anna(), &input).expect("a token").token;
    (begin, fleet, schedules, token)
}
