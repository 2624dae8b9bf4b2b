//! The server as a process that can be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

const DATA_DIR: &str = "OPLOGUE_TEST_SERVE";
/// The program `oplogue`, to be killed instead of this one.
const PROGRAM: &str = "OPLOGUE_TEST_PROGRAM";
const READY: &str = "ready at ";

pub struct Process {
    child: Child,
    pub url: String,
}

/// Serves until it is killed, when this process was started by [`Process::start`].
pub async fn serve_if_asked() {
    let Some(data_dir) = std::env::var_os(DATA_DIR) else { return };
    let on_ready = |ready: oplogue_server::Ready| {
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("\n{READY}{}\n", ready.url));
        let _ = std::io::Write::flush(&mut std::io::stdout());
    };
    oplogue_server::run(super::config(Path::new(&data_dir)), on_ready, CancellationToken::new()).await.expect("it serves");
}

impl Process {
    pub async fn start(data_dir: &Path) -> Self {
        let mut command = match std::env::var_os(PROGRAM) {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(["server", "--json", "--listen", "127.0.0.1:0", "--clock-rate", &super::RATE.to_string()]);
                command.arg("--data-dir").arg(data_dir);
                command
            }
            None => {
                let mut command = Command::new(std::env::current_exe().expect("this program"));
                command.args(["--exact", "killed::serve", "--nocapture", "--test-threads", "1"]).env(DATA_DIR, data_dir);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the server starts");
        let stdout = child.stdout.take().expect("piped");
        let ready = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.find_map(|line| {
                let told = serde_json::from_str::<serde_json::Value>(&line).ok().and_then(|told| told["url"].as_str().map(str::to_owned));
                told.or_else(|| line.strip_prefix(READY).map(str::to_owned))
            })
        });
        let ready = tokio::time::timeout(Duration::from_secs(60), ready).await;
        match ready {
            Ok(Ok(Some(url))) => Self { child, url },
            other => {
                let _ = child.kill();
                panic!("the server does not start: {other:?}");
            }
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs until now");
        self.child.wait().expect("it has ended");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
