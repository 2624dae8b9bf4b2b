//! docs/oplog-rules.md holds the tables of the code, word by word. `OPLOGUE_UPDATE_DOCS=1` writes them anew.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use oplogue_oplog::rules::{COLL_MOD, COMMANDS, ENTRIES, NAMESPACES, Pattern, Rule, Standing, Verdict};

const BEGIN: &str = "<!-- tables: begin. Written by `OPLOGUE_UPDATE_DOCS=1 cargo test -p oplogue documents`. -->";
const END: &str = "<!-- tables: end -->";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/oplog-rules.md")
}

#[test]
fn the_page_on_oplog_rules_holds_the_tables_of_the_code() {
    let text = std::fs::read_to_string(path()).expect("docs/oplog-rules.md is there");
    let (before, rest) = text.split_once(BEGIN).expect("the tables begin");
    let (_, after) = rest.split_once(END).expect("the tables end");
    let expected = format!("{before}{BEGIN}\n\n{}\n{END}{after}", tables());
    if std::env::var_os("OPLOGUE_UPDATE_DOCS").is_some() {
        std::fs::write(path(), &expected).expect("written");
    } else {
        assert!(text == expected, "docs/oplog-rules.md is behind the code: OPLOGUE_UPDATE_DOCS=1 cargo test -p oplogue documents");
    }
}

fn tables() -> String {
    let mut text = String::new();
    for (title, head, rules) in
        [("Entries", "`op`", ENTRIES), ("Commands", "command", COMMANDS), ("Arguments of `collMod`", "argument", COLL_MOD)]
    {
        let _ = writeln!(text, "## {title}\n\n| {head} | what is done | why |\n| --- | --- | --- |");
        for rule in rules {
            let (done, why) = verdict(rule);
            let _ = writeln!(text, "| `{}` | {done} | {why} |", rule.name);
        }
        text.push('\n');
    }
    let _ = writeln!(text, "## Names that are not ordinary collections\n\n| name | what is done | why |\n| --- | --- | --- |");
    for rule in NAMESPACES {
        let (done, why) = match rule.standing {
            Standing::Ordinary => ("applied", "as any collection"),
            Standing::Principals => ("users and roles", "merged into those of the target"),
            Standing::Views => ("views", "created as views at the end"),
            Standing::Internal(why) => ("left out", why),
            Standing::Refused(why) => ("refused", why),
        };
        let _ = writeln!(text, "| `{}` | {done} | {why} |", name(rule.pattern));
    }
    text
}

fn verdict(rule: &Rule) -> (&'static str, &'static str) {
    match rule.verdict {
        Verdict::Apply => ("applied", ""),
        Verdict::Skip(why) => ("skipped", why),
        Verdict::Refuse(why) => ("refused", why),
    }
}

fn name(pattern: Pattern) -> String {
    match pattern {
        Pattern::Database(database) => format!("{database}.*"),
        Pattern::Exact(database, collection) => format!("{database}.{collection}"),
        Pattern::Prefix(database, prefix) => format!("{database}.{prefix}…"),
        Pattern::Everywhere(collection) => format!("*.{collection}"),
        Pattern::PrefixEverywhere(prefix) => format!("*.{prefix}…"),
    }
}
