//! `cargo xtask testbed`: fetches and checks the test servers, or runs one in the foreground for people to try things on.

use anyhow::Context;
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, S3Server, Version, downloads};

const USAGE: &str = "\
cargo xtask testbed [VERSION…]      fetch and check the servers: all, or these (6.0.5, 6.0.27, 5.0.4, 4.4.2, 4.2.6)
cargo xtask testbed up [--version V] [--members N] [--auth] [--tls]
                                    run a replica set until Ctrl-C; prints its URI
cargo xtask testbed s3              run an S3 server until Ctrl-C; prints its URLs and keys";

/// Runs the command; `args` begin after `testbed`.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["-h" | "--help" | "help", ..] => {
            println!("{USAGE}");
            Ok(())
        }
        ["up", rest @ ..] => on_runtime(up(set_options(rest)?)),
        ["s3"] => on_runtime(s3()),
        ["s3", ..] => anyhow::bail!("`testbed s3` takes no arguments\n{USAGE}"),
        versions => on_runtime(fetch(chosen(versions)?)),
    }
}

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new().context("starting the async runtime")?.block_on(work)
}

fn chosen(words: &[&str]) -> anyhow::Result<Vec<Version>> {
    if words.is_empty() {
        return Ok(Version::ALL.to_vec());
    }
    words.iter().map(|word| word.parse().with_context(|| format!("how to use it:\n{USAGE}"))).collect()
}

async fn fetch(versions: Vec<Version>) -> anyhow::Result<()> {
    println!("cache: {}", downloads::cache_folder()?.display());
    for version in versions {
        let mongod = tokio::task::spawn_blocking(move || downloads::mongod(version)).await??;
        println!("mongod {version}: {}", mongod.reported_version()?);
        drop(ReplicaSet::start(ReplicaSetOptions::default().version(version)).await?);
        println!("mongod {version}: starts as a replica set");
    }
    S3Server::prepare().await?;
    drop(S3Server::start().await?);
    println!("S3 server: starts");
    Ok(())
}

fn set_options(words: &[&str]) -> anyhow::Result<ReplicaSetOptions> {
    let mut options = ReplicaSetOptions::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
        options = match *word {
            "--version" => options.version(value()?.parse()?),
            "--members" => {
                let text = value()?;
                options.members(text.parse().with_context(|| format!("--members {text} is not a number"))?)
            }
            "--auth" => options.auth(true),
            "--tls" => options.tls(true),
            other => anyhow::bail!("`testbed up` does not know {other:?}\n{USAGE}"),
        };
    }
    Ok(options)
}

async fn up(options: ReplicaSetOptions) -> anyhow::Result<()> {
    let set = ReplicaSet::start(options).await?;
    println!("{}", set.uri());
    eprintln!("mongod {}, logs in {}; Ctrl-C ends it", set.options().version, set.path().display());
    until_interrupted().await
}

async fn s3() -> anyhow::Result<()> {
    let server = S3Server::start().await?;
    let bucket = server.new_bucket().await?;
    println!("endpoint    {}\nhttps       {}\nCA file     {}", server.endpoint, server.https_endpoint, server.ca_file.display());
    println!("access key  {}\nsecret key  {}", server.access_key, server.secret_key);
    println!("a bucket    {}", bucket.url());
    println!("for tests   {}='{}'", oplogue_testkit::s3::SHARED_VARIABLE, server.description());
    eprintln!("Ctrl-C ends it");
    until_interrupted().await
}

/// The caller's servers are dropped after this, and with them processes and folders.
async fn until_interrupted() -> anyhow::Result<()> {
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_options_are_read() {
        let options = set_options(&["--version", "4.2", "--members", "3", "--auth", "--tls"]).expect("good words");
        assert_eq!((options.version, options.members, options.auth, options.tls), (Version::V4_2, 3, true, true));
    }

    #[test]
    fn bad_words_are_refused_before_anything_starts() {
        for words in [&["--members", "many"][..], &["--members"], &["--version", "7.0"], &["--ssl"]] {
            assert!(set_options(words).is_err(), "{words:?}");
        }
        assert!(chosen(&["6.0", "9"]).is_err());
        assert_eq!(chosen(&["6.0", "4.2.6"]).expect("known"), [Version::V6_0, Version::V4_2]);
        assert_eq!(chosen(&[]).expect("all"), Version::ALL);
    }
}
