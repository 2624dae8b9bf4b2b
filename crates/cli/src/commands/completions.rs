//! `oplogue completions`

use crate::args::{self, CompletionsArgs};
use crate::failure::Exit;
use crate::output::print;

pub fn run(args: CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "oplogue", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
