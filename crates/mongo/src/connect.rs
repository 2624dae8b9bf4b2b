//! Connections: to a whole replica set, or to one member of it.
//!
//! [`Connection::open`] finds out what it was pointed at before anything else happens, so that a standalone mongod, a mongos, a
//! member that was never initiated, a wrong password and a TLS mismatch are told apart by name instead of by a timeout.

use std::sync::Arc;
use std::time::Duration;

use bson::{Document, doc};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use mongodb::Client;
use mongodb::options::{ClientOptions, ServerAddress};
use oplogue_domain::ReplicaSetName;

use crate::error::{ErrorContext, MongoError};
use crate::uri;
use crate::wire::Pool;

/// How patient a connection is.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// For finding a server that answers, at opening and for every later command. Default 10 s.
    pub connect_timeout: Duration,
    /// For one short command. Default 60 s.
    pub command_timeout: Duration,
    /// For one batch of documents, read or written, and for DDL. Index builds have no limit. Default 300 s.
    pub batch_timeout: Duration,
    /// As it appears in the server's log and `currentOp`. Default `oplogue`.
    pub app_name: String,
    /// Documents, too, are moved by the driver, never by connections of our own (see `wire`). Slower; for finding out whether those are
    /// what is wrong. Default false.
    pub driver_only: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            command_timeout: Duration::from_secs(60),
            batch_timeout: Duration::from_secs(300),
            app_name: "oplogue".to_owned(),
            driver_only: false,
        }
    }
}

/// A connection to a replica set or to one member. Cheap to clone; clones share one pool.
#[derive(Clone)]
pub struct Connection {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) options: ConnectOptions,
    pub(crate) context: ErrorContext,
    pub(crate) base: ClientOptions,
    pub(crate) pool: Pool,
    redacted_uri: String,
    replica_set: ReplicaSetName,
    /// `Some` on a connection to one member: that member's address.
    member: Option<String>,
    /// On a member's connection: the one to the whole set.
    whole: Option<Connection>,
    /// True when the URI itself asked for `directConnection`: then other members are never contacted unless named.
    pinned: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("uri", &self.inner.redacted_uri).field("member", &self.inner.member).finish_non_exhaustive()
    }
}

/// What a server says it is.
enum Greeting {
    Member { set_name: String, hosts: Vec<String> },
    Refused(MongoError),
}

impl Connection {
    /// Connects to the replica set of `uri`. One reachable member is enough: the others are learned from it, unless the URI says
    /// `directConnection=true`.
    ///
    /// # Errors
    /// [`MongoError::BadUri`], `Unreachable`, `AuthFailed`, `TlsFailed`, `Standalone`, `Mongos`, `NotInitiated`,
    /// `OtherReplicaSet`, `Unsupported`: the most telling one of the hosts named.
    pub async fn open(uri: &str, options: &ConnectOptions) -> Result<Self, MongoError> {
        let mut secrets = uri::secrets(uri);
        let parsed = tokio::time::timeout(options.connect_timeout, ClientOptions::parse(uri)).await;
        let Ok(parsed) = parsed else {
            return Err(MongoError::Unreachable {
                hosts: vec![uri::redacted(uri)],
                reason: format!("its DNS records could not be read within {} s", options.connect_timeout.as_secs_f32()),
            });
        };
        let mut base = parsed.map_err(|error| bad_uri(&error, &secrets))?;
        if let Some(password) = base.credential.as_ref().and_then(|credential| credential.password.clone()) {
            secrets.push(password);
        }
        // A short word could be part of any message, and a server never repeats a password.
        secrets.retain(|secret| secret.len() >= 4);
        let context = ErrorContext {
            hosts: base.hosts.iter().map(ToString::to_string).collect(),
            user: base.credential.as_ref().and_then(|credential| {
                let database = credential.source.clone().or_else(|| base.default_database.clone()).unwrap_or_else(|| "admin".to_owned());
                Some(format!("{}@{database}", credential.username.as_ref()?))
            }),
            secrets,
        };
        base.app_name = Some(options.app_name.clone());
        base.connect_timeout = Some(base.connect_timeout.unwrap_or(options.connect_timeout).min(options.connect_timeout));
        base.server_selection_timeout = Some(options.connect_timeout);
        base.selection_criteria = None;
        let pinned = base.direct_connection == Some(true);

        let (set_name, hosts) = greet_any(&base, options, &context).await?;
        if let Some(wanted) = base.repl_set_name.as_ref().filter(|wanted| **wanted != set_name) {
            return Err(MongoError::OtherReplicaSet { reason: format!("the URI says replicaSet={wanted}, the servers say {set_name}") });
        }
        let replica_set = set_name.parse().map_err(|error| MongoError::answer("greet the server", error))?;
        base.repl_set_name = Some(set_name);
        if !pinned {
            base.direct_connection = Some(false);
            let known: Vec<ServerAddress> = hosts.iter().filter_map(|host| ServerAddress::parse(host).ok()).collect();
            base.hosts.extend(known.into_iter().filter(|host| !context.hosts.contains(&host.to_string())));
        }
        let client = Client::with_options(base.clone()).map_err(|error| bad_uri(&error, &context.secrets))?;
        Ok(Self {
            inner: Arc::new(Inner {
                client,
                options: options.clone(),
                context,
                redacted_uri: uri::redacted(uri),
                replica_set,
                member: pinned.then(|| base.hosts.first().map(ToString::to_string).unwrap_or_default()),
                base,
                pool: pool(options),
                whole: None,
                pinned,
            }),
        })
    }

    /// The connection to the whole set, whose commands go to its primary. The same as `self` unless `self` is a member's.
    /// With `directConnection=true` in the URI it stays with that one server, primary or not.
    #[must_use]
    pub fn primary(&self) -> Self {
        self.inner.whole.clone().unwrap_or_else(|| self.clone())
    }

    /// A connection to one member, with the same credentials and TLS. `host` is `name:port`, as in the replica set's configuration.
    ///
    /// # Errors
    /// As [`Connection::open`], about that host.
    pub async fn member(&self, host: &str) -> Result<Self, MongoError> {
        let address = ServerAddress::parse(host).map_err(|error| bad_uri(&error, &[]))?;
        let mut base = self.inner.base.clone();
        base.hosts = vec![address];
        base.direct_connection = Some(true);
        base.repl_set_name = None;
        let context = ErrorContext { hosts: vec![host.to_owned()], ..self.inner.context.clone() };
        let (set_name, _) = greet_any(&base, &self.inner.options, &context).await?;
        if set_name != self.replica_set_name().as_str() {
            return Err(MongoError::OtherReplicaSet {
                reason: format!("{host} belongs to {set_name}, not to {}", self.replica_set_name()),
            });
        }
        let client = Client::with_options(base.clone()).map_err(|error| bad_uri(&error, &context.secrets))?;
        Ok(Self {
            inner: Arc::new(Inner {
                client,
                options: self.inner.options.clone(),
                context,
                base,
                pool: pool(&self.inner.options),
                redacted_uri: self.inner.redacted_uri.clone(),
                replica_set: self.inner.replica_set.clone(),
                member: Some(host.to_owned()),
                whole: Some(self.primary()),
                pinned: true,
            }),
        })
    }

    /// The URI this came from, with `****` for the password.
    pub fn redacted_uri(&self) -> &str {
        &self.inner.redacted_uri
    }

    pub fn replica_set_name(&self) -> &ReplicaSetName {
        &self.inner.replica_set
    }

    /// `name@database` of the user in the URI; `None` without credentials.
    pub fn user(&self) -> Option<&str> {
        self.inner.context.user.as_deref()
    }

    /// The member's `host:port` on a connection to one member.
    pub fn member_host(&self) -> Option<&str> {
        self.inner.member.as_deref()
    }

    /// True when only one server is ever contacted: a member's connection, or `directConnection=true` in the URI.
    pub fn is_direct(&self) -> bool {
        self.inner.pinned
    }
}

fn pool(options: &ConnectOptions) -> Pool {
    if options.driver_only { Pool::closed() } else { Pool::default() }
}

fn bad_uri(error: &mongodb::error::Error, secrets: &[String]) -> MongoError {
    use mongodb::error::ErrorKind;
    let reason = match error.kind.as_ref() {
        ErrorKind::InvalidArgument { message, .. } => message.clone(),
        ErrorKind::InvalidTlsConfig { message, .. } => {
            return MongoError::TlsFailed { hosts: vec!["the server".to_owned()], reason: message.clone() };
        }
        ErrorKind::DnsResolve { message, .. } => {
            return MongoError::Unreachable { hosts: vec!["the DNS name of the URI".to_owned()], reason: message.clone() };
        }
        other => other.to_string(),
    };
    let context = ErrorContext { secrets: secrets.to_vec(), ..ErrorContext::default() };
    MongoError::BadUri { reason: context.scrub(&reason).trim_end_matches('.').to_owned() }
}

/// Greets all hosts at once and takes the first that is a member of a replica set; otherwise the most telling refusal.
async fn greet_any(base: &ClientOptions, options: &ConnectOptions, context: &ErrorContext) -> Result<(String, Vec<String>), MongoError> {
    let mut greetings: FuturesUnordered<_> = base.hosts.iter().map(|host| greet(base, host, options, context)).collect();
    let mut refusals = Vec::new();
    while let Some(greeting) = greetings.next().await {
        match greeting {
            Greeting::Member { set_name, hosts } => return Ok((set_name, hosts)),
            Greeting::Refused(error) => refusals.push(error),
        }
    }
    let weight = |error: &MongoError| match error {
        MongoError::Unreachable { .. } | MongoError::TimedOut { .. } => 2,
        MongoError::TlsFailed { .. } => 1,
        _ => 0,
    };
    refusals.sort_by_key(weight);
    Err(refusals.into_iter().next().unwrap_or_else(|| MongoError::BadUri { reason: "it names no host".to_owned() })).map_err(|error| {
        match error {
            MongoError::Unreachable { reason, .. } => MongoError::Unreachable { hosts: context.hosts.clone(), reason },
            error => error,
        }
    })
}

async fn greet(base: &ClientOptions, host: &ServerAddress, options: &ConnectOptions, context: &ErrorContext) -> Greeting {
    let mut direct = base.clone();
    direct.hosts = vec![host.clone()];
    direct.direct_connection = Some(true);
    // A wrong name would only show as a timeout; it is compared after the greeting.
    direct.repl_set_name = None;
    direct.srv_max_hosts = None;
    let name = host.to_string();
    let context = ErrorContext { hosts: vec![name.clone()], ..context.clone() };
    match tokio::time::timeout(options.connect_timeout * 2, hello(direct, &context)).await {
        Err(_) => Greeting::Refused(MongoError::Unreachable {
            hosts: vec![name],
            reason: format!("no answer within {} s", (options.connect_timeout * 2).as_secs_f32()),
        }),
        Ok(Err(error)) => Greeting::Refused(error),
        Ok(Ok(reply)) => read_greeting(&name, &reply),
    }
}

async fn hello(options: ClientOptions, context: &ErrorContext) -> Result<Document, MongoError> {
    const WHAT: &str = "greet the server";
    let client = Client::with_options(options).map_err(|error| bad_uri(&error, &context.secrets))?;
    let admin = client.database("admin");
    let reply = match admin.run_command(doc! { "hello": 1 }).await {
        // 4.2 and the first 4.4s know only the old word.
        Err(error) if matches!(error.kind.as_ref(), mongodb::error::ErrorKind::Command(command) if command.code == 59) => {
            admin.run_command(doc! { "isMaster": 1 }).await
        }
        reply => reply,
    };
    let reply = reply.map_err(|error| context.sort(WHAT, &error));
    client.shutdown().immediate(true).await;
    reply
}

fn read_greeting(host: &str, reply: &Document) -> Greeting {
    let host = host.to_owned();
    if reply.get_str("msg").is_ok_and(|value| value == "isdbgrid") {
        return Greeting::Refused(MongoError::Mongos { host });
    }
    if let Ok(set_name) = reply.get_str("setName") {
        let names = |key: &str| {
            let hosts =
                reply.get_array(key).map(|hosts| hosts.iter().filter_map(|host| host.as_str().map(str::to_owned)).collect::<Vec<_>>());
            hosts.unwrap_or_default()
        };
        let mut hosts = names("hosts");
        hosts.extend(names("passives"));
        return Greeting::Member { set_name: set_name.to_owned(), hosts };
    }
    Greeting::Refused(if reply.get_bool("isreplicaset").unwrap_or(false) {
        MongoError::NotInitiated { host }
    } else {
        MongoError::Standalone { host }
    })
}
