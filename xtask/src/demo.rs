//! `cargo xtask demo`: the whole story on real servers, in under a minute.
//!
//! A replica set with a small shop, a backup, slicing while customers go on shopping, a collection dropped by mistake, and the shop
//! as it was right before. The program that is shown is the one that users run; what must be equal afterwards is compared by the
//! server's own `dbHash`. Everything is gone afterwards; without `--once` it stays up until Ctrl-C, to try things on.

pub mod program;
pub mod shop;

use std::time::Instant;

use anyhow::Context;
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, State, capture, differences};
use tempfile::TempDir;

use crate::shell::{block_on, build_oplogue};
use program::Program;

const USAGE: &str = "cargo xtask demo [--once]";

pub fn run(words: &[String]) -> anyhow::Result<()> {
    let once = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--once"] => true,
        _ => anyhow::bail!("{USAGE}"),
    };
    say("building oplogue");
    let executable = build_oplogue()?;
    block_on(story(Program::new(executable), once))
}

/// A running shop and the place its backups go to.
pub struct Stage {
    pub set: ReplicaSet,
    pub client: mongodb::Client,
    pub folder: TempDir,
}

impl Stage {
    pub async fn set_up() -> anyhow::Result<Self> {
        let set = ReplicaSet::start(ReplicaSetOptions::default()).await.context("start a replica set")?;
        let client = set.client().await?;
        Ok(Self { set, client, folder: tempfile::tempdir().context("make a folder for the backups")? })
    }

    /// Where the program finds the shop and its backups.
    pub fn words(&self) -> [String; 4] {
        ["--uri".into(), self.set.uri(), "--storage".into(), self.storage()]
    }

    pub fn storage(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }
}

async fn story(program: Program, once: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    say("starting a mongod 6.0 as a replica set of one");
    let stage = Stage::set_up().await?;
    let shop = shop::open(&stage.client).await?;
    say(&format!("the shop is open: {shop}"));

    say("$ oplogue backup");
    print!("{}", program.run("backup", &stage.words()).await?);

    say("$ oplogue slice --span 2s            (in the background)");
    let slicer = program.slice(&stage.words(), "2s").await?;
    let sold = shop::trade(&stage.client).await?;
    say(&format!("meanwhile: {sold}"));
    let before = capture(&stage.client).await?;
    show_hashes(&before);

    let dropped = shop::drop_orders(&stage.client).await?;
    say(&format!("somebody drops shop.orders, at {dropped}; the shop goes on without it"));
    shop::trade_without_orders(&stage.client).await?;
    slicer.stop_after(dropped).await?;

    say("$ oplogue timeline");
    print!("{}", program.run("timeline", &stage.words()[2..]).await?);

    let moment = format!("{},{}", dropped.seconds, dropped.ordinal);
    for last in ["--plan", "--yes"] {
        say(&format!("$ oplogue restore --before {moment} {last}"));
        let mut words = stage.words().to_vec();
        words.extend(["--before".into(), moment.clone(), last.into()]);
        print!("{}", program.run("restore", &words).await?);
    }

    let after = capture(&stage.client).await?;
    show_hashes(&after);
    let differences = differences(&before, &after);
    for difference in &differences {
        eprintln!("   {difference}");
    }
    anyhow::ensure!(differences.is_empty(), "the shop is not what it was right before the drop");
    say(&format!(
        "restored to the moment before the drop: every hash, index, option, view and user is equal ({:.0} s)",
        began.elapsed().as_secs_f64()
    ));
    if once { Ok(()) } else { stay(&stage, &moment).await }
}

/// Keeps everything up and says what can be tried.
async fn stay(stage: &Stage, moment: &str) -> anyhow::Result<()> {
    println!(
        "\nIt stays up until Ctrl-C. In another terminal, with the program in target/debug (or $CARGO_TARGET_DIR/debug):\n\n  \
         export OPLOGUE_URI='{}'\n  export OPLOGUE_STORAGE='{}'\n\n  \
         oplogue list\n  oplogue status\n  oplogue doctor\n  oplogue slice\n  \
         oplogue restore --before {moment} --ns shop.orders --rename shop.orders=shop.orders_before --plan",
        stage.set.uri(),
        stage.storage(),
    );
    tokio::signal::ctrl_c().await.context("wait for Ctrl-C")
}

fn say(text: &str) {
    println!("-- {text}");
}

fn show_hashes(state: &State) {
    for (name, collection) in &state.collections {
        if let Some(hash) = &collection.hash {
            println!("   {name:<16} {:>5} documents  dbHash {hash}", collection.documents);
        }
    }
}
