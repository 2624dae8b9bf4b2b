//! `oplogue man`

use anyhow::Context;
use clap::Command;
use clap_mangen::Man;

use crate::args::{self, ManArgs};
use crate::failure::{Exit, WrongUsage};
use crate::output::print;

pub fn run(args: ManArgs) -> anyhow::Result<Exit> {
    let pages = pages();
    if let Some(folder) = &args.output {
        std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        for page in &pages {
            let path = folder.join(format!("{}.1", page.get_name()));
            std::fs::write(&path, render(page)?).with_context(|| format!("write {}", path.display()))?;
        }
        return Ok(Exit::Done);
    }
    let wanted = args.command.map_or("oplogue".to_owned(), |command| format!("oplogue-{command}"));
    let page = pages.iter().find(|page| page.get_name() == wanted).ok_or_else(|| {
        let known: Vec<&str> = pages.iter().filter_map(|page| page.get_name().strip_prefix("oplogue-")).collect();
        WrongUsage::new(format!("there is no page of that name; commands are {}", known.join(", ")))
    })?;
    print(&String::from_utf8_lossy(&render(page)?))?;
    Ok(Exit::Done)
}

/// The program and each command, also those below others, named as their pages are.
fn pages() -> Vec<Command> {
    let mut whole = args::command().disable_help_subcommand(true);
    whole.build();
    let mut pages = Vec::new();
    collect(&whole, "oplogue".to_owned(), &mut pages);
    pages
}

fn collect(command: &Command, name: String, pages: &mut Vec<Command>) {
    pages.push(command.clone().name(name.clone()));
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        collect(below, format!("{name}-{}", below.get_name()), pages);
    }
}

fn render(page: &Command) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(page.clone()).render(&mut text).with_context(|| format!("render the page of {}", page.get_name()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_names_every_option_its_variable_and_an_example() {
        for page in pages() {
            let text = String::from_utf8(render(&page).expect("renders")).expect("text");
            let plain = text.replace("\\-", "-");
            for long in page.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| arg.get_long()) {
                assert!(plain.contains(&format!("--{long}")), "{}: --{long}", page.get_name());
                if !matches!(long, "help" | "version") {
                    assert!(plain.contains(&args::variable_of(long)), "{}: {}", page.get_name(), args::variable_of(long));
                }
            }
            assert!(plain.contains("Examples:"), "{}", page.get_name());
        }
    }
}
