//! `cargo xtask ci`: everything that must hold before a change is handed in.

use crate::shell::{cargo, run as run_command};
use crate::{package, test, tidy};

pub fn run(_: &[String]) -> anyhow::Result<()> {
    println!("== formatting");
    run_command(&mut cargo(&["fmt", "--all", "--check"]))?;
    println!("== tidy");
    tidy::run(&[])?;
    println!("== lints");
    run_command(&mut cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--quiet", "--", "--deny", "warnings"]))?;
    println!("== tests");
    test::run(&[])?;
    println!("== package");
    package::run(&["--debug".to_owned()])
}
