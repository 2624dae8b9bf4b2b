//! What an administrator does on the server's own machine when nobody can sign in.

use std::path::Path;

use anyhow::Context;

use crate::app::links;
use crate::clock::Clock;
use crate::data_dir;
use crate::db::Db;

/// A link with which `name` gives themselves a new password. Works while the server runs, and while it does not.
///
/// `url`: of the server; `None`: as it noted it when it started.
pub fn reset_password_link(data_dir: &Path, name: &str, url: Option<&str>) -> anyhow::Result<String> {
    let file = data_dir.join("oplogue.db");
    anyhow::ensure!(file.exists(), "there is no server's database in {}", data_dir.display());
    let db = Db::open(&file)?;
    let code = db.write(|tx| links::reset_code(tx, name, Clock::system().now())).map_err(|error| match (error.cause, error.hint) {
        (Some(cause), _) => cause,
        (None, Some(hint)) => anyhow::anyhow!("{}: {hint}", error.message),
        (None, None) => anyhow::anyhow!(error.message),
    })?;
    let noted = || data_dir::noted_url(data_dir);
    let url = url.map(ToOwned::to_owned).or_else(noted).context("where is the server reached? Give --public-url")?;
    Ok(format!("{}/first?code={code}", url.trim_end_matches('/')))
}
