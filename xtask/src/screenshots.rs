//! `cargo xtask screenshots`: pictures for the documentation, made from what the program really prints.
//!
//! A small life of a replica set is played: two backups, slicing between them, a slice that goes missing. What `timeline` and
//! `restore --plan` print, colours included, becomes `docs/timeline.svg` and `docs/plan.svg`. Then the same with a server and its pages, in a
//! browser: `docs/images/`.

mod pages;
mod program;
mod svg;

use anyhow::Context;

use program::Program;

use crate::demo::{Stage, shop};
use crate::shell::{block_on, build_oplogue, root};

pub fn run(_: &[String]) -> anyhow::Result<()> {
    let executable = build_oplogue()?;
    block_on(async {
        take(Program::new(executable.clone())).await?;
        pages::take(&executable).await
    })
}

async fn take(program: Program) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    shop::open(&stage.client).await?;
    program.run("backup", &named(&stage, "monday")).await?;
    let mut slicer = program.slice(&stage.words(), "1s").await?;
    for _ in 0..9 {
        let moment = shop::a_sale(&stage.client).await?;
        slicer.wait_through(moment).await?;
    }
    lose_slices(&stage, "")?;
    program.run("backup", &named(&stage, "tuesday")).await?;
    for _ in 0..4 {
        let moment = shop::a_sale(&stage.client).await?;
        slicer.wait_through(moment).await?;
    }
    let dropped = shop::drop_orders(&stage.client).await?;
    slicer.stop_after(dropped).await?;

    let mut words = stage.words()[2..].to_vec();
    words.extend(["--width".into(), "92".into()]);
    let timeline = program.run("timeline", &words).await?;
    save("timeline.svg", "$ oplogue timeline", &timeline)?;
    let mut words = stage.words().to_vec();
    let moment = dropped.to_string();
    words.extend(["--before".into(), moment.clone(), "--plan".into()]);
    let plan = program.run("restore", &words).await?;
    save("plan.svg", &format!("$ oplogue restore --before {moment} --plan"), &plan)
}

fn named(stage: &Stage, name: &str) -> Vec<String> {
    let mut words = stage.words().to_vec();
    words.extend(["--name".into(), name.into()]);
    words
}

/// Deletes the objects of some slices in the middle of what is in a folder, so that there is a gap to show.
fn lose_slices(stage: &Stage, folder: &str) -> anyhow::Result<()> {
    let mut slices = Vec::new();
    let mut folders = vec![stage.folder.path().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry?.path();
            let name = path.to_string_lossy().into_owned();
            match path.is_dir() {
                true => folders.push(path),
                false if name.contains(".oplog.") => slices.push(path),
                false => {}
            }
        }
    }
    slices.sort();
    let third = slices.len() / 3;
    for slice in slices.iter().skip(third + 1).take(third) {
        std::fs::remove_file(slice).with_context(|| format!("remove {}", slice.display()))?;
    }
    Ok(())
}

fn save(name: &str, command: &str, printed: &str) -> anyhow::Result<()> {
    let folder = root().join("docs");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    std::fs::write(&path, svg::picture(command, printed)).with_context(|| format!("write {}", path.display()))?;
    println!("docs/{name}");
    Ok(())
}
