//! What can be said about what was typed, before any server is asked.

use crate::program::{command, finish, oplogue, oplogue_in};

const VERBS: &[&str] = &[
    "backup",
    "slice",
    "list",
    "timeline",
    "describe",
    "restore",
    "delete",
    "prune",
    "verify",
    "copy",
    "compact",
    "status",
    "doctor",
    "agent",
    "server",
    "admin",
    "completions",
    "man",
];

#[tokio::test]
async fn wrong_usage_ends_with_2_and_names_what_is_wrong() {
    const TABLE: &[(&str, &str)] = &[
        ("", "Usage: oplogue"),
        ("bakcup", "backup"),
        ("backup", "--uri"),
        ("backup --uri mongodb://db1", "--storage"),
        ("list", "--storage"),
        ("list --storage file:///b --unheard-of", "--unheard-of"),
        ("list --storage nonsense", "--storage"),
        ("list --storage ftp://host/b", "ftp"),
        ("list --storage gs://", "gs"),
        ("list --storage s3://", "s3"),
        ("list --storage s3://b?colour=blue", "colour"),
        ("list --storage file:///b --folder ../other", "--folder"),
        ("list --storage file:///b --log-level loud", "--log-level"),
        ("list --storage s3://b --s3-part-size 1MiB", "--s3-part-size"),
        ("list --storage s3://b --s3-part-size big", "--s3-part-size"),
        ("list --storage s3://b --s3-access-key k", "--s3-secret-key"),
        ("list --storage s3://b --s3-sse rot13", "--s3-sse"),
        ("list --storage s3://b --s3-sse kms", "--s3-sse-kms-key"),
        ("list --storage file:///b --storage-timeout 5", "--storage-timeout"),
        ("list --storage file:///b --config /there/is/no/such.yaml", "such.yaml"),
        ("list --pbm-config /there/is/no/such.yaml", "such.yaml"),
        ("describe --storage file:///b", "NAME"),
        ("describe a/b --storage file:///b", "a/b"),
        ("timeline --storage file:///b --width 3", "--width"),
        ("backup --uri nonsense --storage file:///b", "--uri"),
        ("backup --uri mongodb://db1 --storage file:///b --compression rar", "rar"),
        ("backup --uri mongodb://db1 --storage file:///b --ns shop", "--ns"),
        ("backup --uri mongodb://db1 --storage file:///b --ns admin.*", "admin"),
        ("backup --uri mongodb://db1 --storage file:///b --name .hidden", "--name"),
        ("backup --uri mongodb://db1 --storage file:///b --parallel 0", "--parallel"),
        ("backup --uri mongodb://db1 --storage file:///b --users-and-roles", "--ns"),
        ("slice --uri mongodb://db1 --storage file:///b --span 10", "--span"),
        ("slice --uri mongodb://db1 --storage file:///b --until yesterday", "--until"),
        ("restore --uri mongodb://db1 --storage file:///b", "--time"),
        ("restore --uri mongodb://db1 --storage file:///b --latest --time 100,1", "--time"),
        ("restore --uri mongodb://db1 --storage file:///b --time tomorrow", "--time"),
        ("restore --uri mongodb://db1 --storage file:///b --time 1795397942", "--time"),
        ("restore --uri mongodb://db1 --storage file:///b --latest --rename a.b", "--rename"),
        ("restore --uri mongodb://db1 --storage file:///b --latest --rename a.*=b.c", "--rename"),
        ("restore --uri mongodb://db1 --storage file:///b --latest --replset-remapping rs0", "--replset-remapping"),
        ("delete --storage file:///b", "NAME"),
        ("prune --storage file:///b --dry-run", "--keep-count"),
        ("prune --storage file:///b --keep-count 0", "--keep-count"),
        ("prune --storage file:///b --keep-window 7", "--keep-window"),
        ("verify", "--storage"),
        ("verify --storage file:///b --sample ten", "--sample"),
        ("verify --storage file:///b --sample 0%", "--sample"),
        ("verify --storage file:///b --backup a/b", "--backup"),
        ("verify --storage file:///b --encrypt", "--key-file"),
        ("verify --storage file:///b --passphrase short", "--passphrase"),
        ("copy --from file:///a --to file:///b", "--all"),
        ("copy --from file:///a --all", "--to"),
        ("copy --from nonsense --to file:///b --all", "--from"),
        ("copy --from file:///a --to file:///b --to-folder ../x --all", "--to-folder"),
        ("copy --from file:///a --to file:///b --all --to-options /there/is/no/such.yaml", "such.yaml"),
        ("doctor", "--uri"),
        ("agent --server https://h", "--uri"),
        ("agent --uri mongodb://db1", "--server"),
        ("agent --uri mongodb://db1,db2 --server https://h", "--uri"),
        ("agent --uri mongodb://db1 --server h:1", "--server"),
        ("agent --uri mongodb://db1 --server https://h --server-fingerprint ab", "--server-fingerprint"),
        ("admin add", "mongodb"),
        ("admin add mongodb --uri mongodb://db1 --server https://h", "--api-token"),
        ("admin list --server ftp://h --api-token t", "--server"),
        ("server --listen here", "--listen"),
        ("server --tls-cert a.pem", "--tls-key"),
        ("server --tls-self-signed --insecure-http", "--insecure-http"),
        ("server --public-url backup.example.com", "--public-url"),
        ("server --refresh 10", "--refresh"),
        ("admin reset-password", "NAME"),
        ("completions cmd", "cmd"),
        ("man unheard-of", "commands are"),
    ];
    let empty = tempfile::tempdir().expect("a folder");
    for (line, expected) in TABLE {
        let words: Vec<&str> = line.split_whitespace().collect();
        let told = oplogue_in(empty.path(), &words).await;
        assert_eq!(told.code, 2, "`oplogue {line}`: {told:?}");
        assert!(told.stdout.is_empty(), "`oplogue {line}` printed data: {told:?}");
        assert!(told.stderr.contains(expected), "`oplogue {line}` does not name `{expected}`: {told:?}");
    }
}

#[tokio::test]
async fn help_is_there_for_every_command_and_goes_to_standard_output() {
    for verb in VERBS {
        let told = oplogue(&["help", verb]).await.done();
        assert!(told.stdout.contains("Usage: oplogue ") && told.stdout.contains("Examples:"), "{told:?}");
    }
    let told = oplogue(&["--help"]).await.done();
    for verb in VERBS {
        assert!(told.stdout.contains(verb), "{verb} is not in the list of commands");
    }
    assert!(oplogue(&["--version"]).await.done().stdout.starts_with("oplogue "));
}

#[tokio::test]
async fn help_never_shows_what_is_in_the_environment() {
    let mut command = command(&["help", "backup"]);
    command.env("OPLOGUE_S3_SECRET_KEY", "hunter2").env("OPLOGUE_URI", "mongodb://u:hunter2@db1");
    let told = finish(command).await.done();
    assert!(told.stdout.contains("OPLOGUE_S3_SECRET_KEY") && !told.stdout.contains("hunter2"), "{told:?}");
}

#[tokio::test]
async fn secrets_do_not_appear_in_errors() {
    for words in [
        &["list", "--storage", "s3://b", "--s3-sse-customer-key", "hunter2"][..],
        &["list", "--storage", "s3://hunter2:hunter2@b"],
        &["backup", "--uri", "mongodb://u:hunter2@", "--storage", "file:///b"],
        &["backup", "--uri", "mongodb://u:hunter2@db1/?unheardOf=1", "--storage", "file:///b"],
        &["agent", "--uri", "mongodb://u:hunter2@a,b", "--server", "https://h"],
        &["agent", "--uri", "mongodb://a", "--server", "https://u:hunter2@h"],
        &["backup", "--uri", "http://u:hunter2@db1", "--storage", "file:///b"],
    ] {
        let told = oplogue(words).await;
        assert_eq!(told.code, 2, "{told:?}");
        assert!(!told.stderr.contains("hunter2"), "{told:?}");
    }
}

#[tokio::test]
async fn options_come_from_a_file_then_the_environment_then_the_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let places: Vec<String> =
        ["file", "environment", "typed"].iter().map(|name| format!("file://{}/{name}", folder.path().display())).collect();
    std::fs::write(folder.path().join("oplogue.yaml"), format!("storage: {}\n", places[0])).expect("written");

    let told = oplogue_in(folder.path(), &["list"]).await.done();
    assert!(told.stdout.contains("/file"), "{told:?}");

    let mut command = command(&["list"]);
    command.current_dir(folder.path()).env("OPLOGUE_STORAGE", &places[1]);
    let told = finish(command).await.done();
    assert!(told.stdout.contains("/environment"), "{told:?}");

    let mut command = crate::program::command(&["list", "--storage", &places[2]]);
    command.current_dir(folder.path()).env("OPLOGUE_STORAGE", &places[1]);
    let told = finish(command).await.done();
    assert!(told.stdout.contains("/typed"), "{told:?}");
}

#[tokio::test]
async fn a_variable_set_to_nothing_counts_as_not_set() {
    let mut command = command(&["list", "--storage", "file:///there/is/nothing/here"]);
    command.env("OPLOGUE_S3_SSE", "").env("OPLOGUE_FOLDER", "").env("OPLOGUE_JSON", "");
    finish(command).await.done();
}

#[tokio::test]
async fn a_pbm_configuration_names_the_storage() {
    let folder = tempfile::tempdir().expect("a folder");
    let config =
        format!("storage:\n  type: filesystem\n  filesystem:\n    path: {}/from pbm\npitr:\n  enabled: true\n", folder.path().display());
    let path = folder.path().join("pbm.yaml");
    std::fs::write(&path, config).expect("written");
    let told = oplogue(&["list", "--pbm-config", &path.to_string_lossy()]).await.done();
    assert!(told.stdout.contains("from pbm") || told.stdout.contains("from%20pbm"), "{told:?}");
}

#[tokio::test]
async fn an_empty_storage_is_not_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = format!("file://{}", folder.path().display());
    assert!(oplogue(&["list", "--storage", &storage]).await.done().stdout.contains("no backup"));
    assert!(oplogue(&["timeline", "--storage", &storage]).await.done().stdout.contains("no backup"));
    let json = oplogue(&["list", "--storage", &storage, "--json"]).await.done().json();
    assert_eq!(json["backups"], serde_json::json!([]));
    oplogue(&["describe", "b", "--storage", &storage]).await.ended(3, &["no backup `b`", "hint: "]);
}

#[tokio::test]
async fn completions_are_there_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let told = oplogue(&["completions", shell]).await.done();
        assert!(told.stdout.contains("restore") && told.stdout.contains("storage"), "{shell}");
    }
}

#[tokio::test]
async fn man_pages_are_written_for_the_program_and_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man1");
    oplogue(&["man", "--output", &pages.to_string_lossy()]).await.done();
    for name in VERBS.iter().map(|verb| format!("oplogue-{verb}.1")).chain(["oplogue.1".to_owned()]) {
        let page = std::fs::read_to_string(pages.join(&name)).expect(&name);
        assert!(page.contains(".SH NAME") && page.contains("Examples:"), "{name}");
    }
    let printed = oplogue(&["man", "restore"]).await.done().stdout;
    assert_eq!(printed, std::fs::read_to_string(pages.join("oplogue-restore.1")).expect("the page"));
}
