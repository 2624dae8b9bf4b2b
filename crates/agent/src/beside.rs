//! The member beside the agent, and the replica set behind it.
//!
//! Two connections come from one URI: one to just that member, whatever it is at the moment, to tell how it is; and one to the whole
//! replica set, to work on it. Both are opened when first needed and kept: the driver finds its servers again by itself.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oplogue_engine::failure::Refused;
use oplogue_mongo::{ConnectOptions, Connection, MongoError};

pub struct Beside {
    address: String,
    direct_uri: String,
    whole_uri: String,
    direct: Mutex<Option<Connection>>,
    whole: Mutex<Option<Connection>>,
}

impl Beside {
    /// # Errors
    /// When the URI does not name exactly one member. Never says what is in it.
    pub fn new(uri: &str) -> Result<Self, Refused> {
        let parts = split(uri)?;
        Ok(Self {
            direct_uri: parts.uri(Some("directConnection=true")),
            whole_uri: parts.uri(None),
            address: if parts.host.contains(':') { parts.host } else { format!("{}:27017", parts.host) },
            direct: Mutex::default(),
            whole: Mutex::default(),
        })
    }

    /// `host:port` as in the URI.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Just that member, impatiently: a server that is down must not hold up telling so.
    pub async fn direct(&self) -> Result<Connection, MongoError> {
        let options = ConnectOptions {
            connect_timeout: Duration::from_secs(5),
            command_timeout: Duration::from_secs(10),
            app_name: "oplogue agent".to_owned(),
            ..ConnectOptions::default()
        };
        opened(&self.direct, &self.direct_uri, &options).await
    }

    /// The whole replica set.
    pub async fn whole(&self) -> Result<Connection, MongoError> {
        opened(&self.whole, &self.whole_uri, &ConnectOptions { app_name: "oplogue agent".to_owned(), ..ConnectOptions::default() }).await
    }

    /// Greets the member anew the next time: it may have become something else.
    pub fn forget_direct(&self) {
        *self.direct.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether a URI names exactly one member.
///
/// # Errors
/// Says what is wrong with it, never what is in it.
pub fn check_uri(uri: &str) -> Result<(), Refused> {
    split(uri).map(drop)
}

/// Two that open at the same time both do; one connection too many is dropped.
async fn opened(place: &Mutex<Option<Connection>>, uri: &str, options: &ConnectOptions) -> Result<Connection, MongoError> {
    if let Some(connection) = place.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        return Ok(connection);
    }
    let connection = Connection::open(uri, options).await?;
    Ok(place.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(connection).clone())
}

/// `mongodb://` + `before` (credentials with their `@`) + host + `/` + database + `?` + options.
struct Parts {
    before: String,
    host: String,
    database: String,
    options: Vec<String>,
}

impl Parts {
    fn uri(&self, more: Option<&str>) -> String {
        let options: Vec<&str> = self.options.iter().map(String::as_str).chain(more).collect();
        let query = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
        format!("mongodb://{}{}/{}{query}", self.before, self.host, self.database)
    }
}

fn split(uri: &str) -> Result<Parts, Refused> {
    let wrong = |why: &str| {
        Refused::new(format!("--uri does not name the member beside this agent: {why}"))
            .advise("write mongodb://user:password@localhost:27017/?authSource=admin; the other members are found from it")
    };
    let rest = uri.trim().strip_prefix("mongodb://").ok_or_else(|| {
        wrong(if uri.trim().starts_with("mongodb+srv://") {
            "a mongodb+srv name stands for a whole replica set"
        } else {
            "it does not begin with mongodb://"
        })
    })?;
    let (main, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (credentials, after) = main.rsplit_once('@').map_or((None, main), |(credentials, after)| (Some(credentials), after));
    let (hosts, database) = after.split_once('/').unwrap_or((after, ""));
    if hosts.is_empty() {
        return Err(wrong("it names no host"));
    }
    if hosts.contains(',') {
        return Err(wrong("it names several, and which of them is the one beside?"));
    }
    let asks_for_one = |option: &&str| option.split('=').next().is_some_and(|key| key.eq_ignore_ascii_case("directConnection"));
    Ok(Parts {
        before: credentials.map(|credentials| format!("{credentials}@")).unwrap_or_default(),
        host: hosts.to_owned(),
        database: database.to_owned(),
        options: query.split('&').filter(|option| !option.is_empty() && !asks_for_one(option)).map(ToOwned::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_uri_becomes_two() {
        for (uri, direct, whole, address) in [
            ("mongodb://h", "mongodb://h/?directConnection=true", "mongodb://h/", "h:27017"),
            ("mongodb://h:1/?directconnection=true&a=b", "mongodb://h:1/?a=b&directConnection=true", "mongodb://h:1/?a=b", "h:1"),
            (
                "mongodb://u:p%40/x@h:1/db?replicaSet=rs0",
                "mongodb://u:p%40/x@h:1/db?replicaSet=rs0&directConnection=true",
                "mongodb://u:p%40/x@h:1/db?replicaSet=rs0",
                "h:1",
            ),
        ] {
            let beside = Beside::new(uri).expect(uri);
            assert_eq!((beside.direct_uri.as_str(), beside.whole_uri.as_str(), beside.address()), (direct, whole, address));
        }
    }

    #[test]
    fn a_uri_that_does_not_name_one_member_is_refused_without_its_secrets() {
        for uri in
            ["", "mongodb+srv://u:hunter2@h", "mongodb://u:hunter2@a,b/?replicaSet=rs0", "mongodb://u:hunter2@/", "http://u:hunter2@h"]
        {
            let refused = Beside::new(uri).err().expect(uri);
            assert!(!refused.to_string().contains("hunter2") && refused.advice.is_some(), "{refused}");
        }
    }
}
