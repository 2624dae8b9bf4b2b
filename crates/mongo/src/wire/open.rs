//! Making a connection: address or socket file, TLS, greeting, login.

use std::sync::Arc;

use base64::Engine;
use bson::raw::cstr;
use bson::spec::BinarySubtype;
use bson::{Binary, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use mongodb::options::{AuthMechanism, ClientOptions, ServerAddress, Tls};
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};

use super::local::{SocketFile, SocketFiles};
use super::scram::{Challenge, Login, Mechanism};
use super::{Stream, Wire, WireError, is_ok, tls};

/// The port of a server whose address names none.
const PORT: u16 = 27017;

/// How the connections of one place are made.
pub(crate) struct Recipe {
    tls: Option<Arc<rustls::ClientConfig>>,
    login: Option<Credentials>,
    app_name: String,
    /// The last password that was salted: thousands of rounds for each connection would be felt.
    salted: std::sync::Mutex<Option<Salted>>,
    files: SocketFiles,
}

struct Credentials {
    user: String,
    password: String,
    database: String,
    /// `None`: what the server prefers.
    mechanism: Option<Mechanism>,
}

struct Salted {
    mechanism: Mechanism,
    salt: Vec<u8>,
    rounds: u32,
    key: Vec<u8>,
}

/// Why a connection was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOpened {
    /// It would fail in the same way again.
    #[error("{0}")]
    Never(String),
    #[error("{0}")]
    Now(#[from] WireError),
}

fn never(reason: impl Into<String>) -> NotOpened {
    NotOpened::Never(reason.into())
}

impl Recipe {
    /// From the driver's options; `Err` for what only the driver can do.
    pub(crate) fn new(options: &ClientOptions) -> Result<Self, String> {
        if options.load_balanced == Some(true) || options.server_api.is_some() {
            return Err("load balancers and API versions are left to the driver".to_owned());
        }
        let login = match &options.credential {
            None => None,
            Some(credential) => {
                let mechanism = match &credential.mechanism {
                    None => None,
                    Some(AuthMechanism::ScramSha1) => Some(Mechanism::Sha1),
                    Some(AuthMechanism::ScramSha256) => Some(Mechanism::Sha256),
                    Some(_) => return Err("the login is not by SCRAM".to_owned()),
                };
                let (Some(user), Some(password)) = (credential.username.clone(), credential.password.clone()) else {
                    return Err("the login has no name or no password".to_owned());
                };
                let database = credential.source.clone().or_else(|| options.default_database.clone());
                Some(Credentials { user, password, database: database.unwrap_or_else(|| "admin".to_owned()), mechanism })
            }
        };
        let tls = match &options.tls {
            Some(Tls::Enabled(options)) => Some(tls::config(options)?),
            _ => None,
        };
        Ok(Self {
            tls,
            login,
            app_name: options.app_name.clone().unwrap_or_default(),
            salted: std::sync::Mutex::new(None),
            files: SocketFiles::default(),
        })
    }

    /// A connection, logged in: over the server's socket file if it is on this machine and has one, otherwise by TCP.
    pub(crate) async fn open(&self, address: &ServerAddress) -> Result<Wire, NotOpened> {
        let (host, port) = match address {
            ServerAddress::Tcp { host, port } => (host, port.unwrap_or(PORT)),
            ServerAddress::Unix { path } => {
                let stream = UnixStream::connect(path).await.map_err(WireError::Io)?;
                return Ok(self.begin(Box::new(stream), None).await?.0);
            }
            _ => return Err(never("only the driver knows how the server is reached")),
        };
        let (known, _asking) = if self.tls.is_some() { (Some(None), None) } else { self.files.known(address).await };
        if let Some(Some(file)) = &known
            && let Some(wire) = self.open_file(file).await
        {
            return Ok(wire);
        }
        let (mut wire, greeting, here) = self.open_tcp(host, port).await?;
        if known == Some(None) {
            return Ok(wire);
        }
        if !here {
            self.files.set(address, None);
            return Ok(wire);
        }
        // It was never asked, or was started again since.
        let Ok(file) = SocketFile::find(&mut wire, &greeting, port).await else {
            // It does not take the question well.
            self.files.set(address, None);
            return Ok(self.open_tcp(host, port).await?.0);
        };
        let better = match &file {
            Some(file) => self.open_file(file).await,
            None => None,
        };
        self.files.set(address, file.filter(|_| better.is_some()));
        Ok(better.unwrap_or(wire))
    }

    /// `None`: there is no server there, or another one.
    async fn open_file(&self, file: &SocketFile) -> Option<Wire> {
        let opening = async {
            let stream = file.connect().await.map_err(WireError::Io)?;
            self.begin(Box::new(stream), Some(file)).await
        };
        match opening.await {
            Ok((wire, _)) => Some(wire),
            Err(error) => {
                tracing::debug!(path = %file.path.display(), %error, "not over the server's socket file");
                None
            }
        }
    }

    /// The connection, the greeting, and whether the server is on this machine.
    async fn open_tcp(&self, host: &str, port: u16) -> Result<(Wire, RawDocumentBuf, bool), NotOpened> {
        let stream = TcpStream::connect((host, port)).await.map_err(WireError::Io)?;
        stream.set_nodelay(true).map_err(WireError::Io)?;
        let here = stream.local_addr().and_then(|ours| Ok(ours.ip() == stream.peer_addr()?.ip())).unwrap_or(false);
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let name = ServerName::try_from(host.to_owned()).map_err(|error| never(error.to_string()))?;
                let connector = tokio_rustls::TlsConnector::from(config.clone());
                Box::new(connector.connect(name, stream).await.map_err(WireError::Io)?)
            }
        };
        let (wire, greeting) = self.begin(stream, None).await?;
        Ok((wire, greeting, here))
    }

    /// Greets and logs in; behind a socket file only to the server that it is known to be of.
    async fn begin(&self, stream: Box<dyn Stream>, file: Option<&SocketFile>) -> Result<(Wire, RawDocumentBuf), NotOpened> {
        let mut wire = Wire::new(stream);
        let greeting = self.greet(&mut wire).await?;
        if file.is_some_and(|file| !file.is_of(&greeting)) {
            return Err(never("another server listens there"));
        }
        if let Some(credentials) = &self.login {
            let mechanism = credentials.mechanism.or_else(|| preferred(&greeting));
            let mechanism = mechanism.ok_or_else(|| never("the server offers no login by SCRAM"))?;
            self.log_in(&mut wire, credentials, mechanism).await?;
        }
        Ok((wire, greeting))
    }

    async fn greet(&self, wire: &mut Wire) -> Result<RawDocumentBuf, NotOpened> {
        let client = rawdoc! {
            "application": { "name": self.app_name.as_str() },
            "driver": { "name": "oplogue", "version": env!("CARGO_PKG_VERSION") },
            "os": { "type": std::env::consts::OS },
        };
        // The old word, which every version takes as the first of a connection.
        let mut hello = rawdoc! { "isMaster": 1, "helloOk": true, "client": client };
        if let Some(login) = self.login.as_ref().filter(|login| login.mechanism.is_none()) {
            hello.append(cstr!("saslSupportedMechs"), format!("{}.{}", login.database, login.user));
        }
        hello.append(cstr!("$db"), "admin");
        let greeting = wire.run(&hello, None).await?;
        if is_ok(&greeting) { Ok(greeting) } else { Err(never(format!("the greeting was refused: {}", reason(&greeting)))) }
    }

    async fn log_in(&self, wire: &mut Wire, credentials: &Credentials, mechanism: Mechanism) -> Result<(), NotOpened> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| never(error.to_string()))?;
        let nonce = base64::engine::general_purpose::STANDARD.encode(random);
        let login = Login::new(mechanism, &credentials.user, nonce);
        let database = credentials.database.as_str();
        let start = rawdoc! {
            "saslStart": 1,
            "mechanism": mechanism.name(),
            "payload": payload(&login.first()),
            "options": { "skipEmptyExchange": true },
            "$db": database,
        };
        let (conversation, text, _) = exchange(wire, &start).await?;
        let challenge = login.challenge(&text).map_err(never)?;
        let salted = self.salted(credentials, mechanism, &challenge).await?;
        let proof = login.prove(&challenge, &salted).ok_or_else(|| never("the login's proof could not be made"))?;
        let go_on = |text: &str| {
            let mut command = rawdoc! { "saslContinue": 1 };
            command.append(cstr!("conversationId"), conversation.clone());
            command.append(cstr!("payload"), payload(text));
            command.append(cstr!("$db"), database);
            command
        };
        let (_, text, mut done) = exchange(wire, &go_on(&proof.message)).await?;
        if !proof.accepts(&text) {
            return Err(never("the server did not prove that it knows the password"));
        }
        if !done {
            // 4.2 does not know `skipEmptyExchange`.
            (_, _, done) = exchange(wire, &go_on("")).await?;
        }
        if done { Ok(()) } else { Err(never("the login did not come to an end")) }
    }

    async fn salted(&self, credentials: &Credentials, mechanism: Mechanism, challenge: &Challenge) -> Result<Vec<u8>, NotOpened> {
        let known = |salted: &&Salted| salted.mechanism == mechanism && salted.salt == challenge.salt && salted.rounds == challenge.rounds;
        if let Ok(salted) = self.salted.lock()
            && let Some(salted) = salted.as_ref().filter(known)
        {
            return Ok(salted.key.clone());
        }
        let (user, password, demanded) = (credentials.user.clone(), credentials.password.clone(), challenge.clone());
        let key = tokio::task::spawn_blocking(move || mechanism.salted(&user, &password, &demanded)).await;
        let key = key.ok().flatten().ok_or_else(|| never("the password cannot be used with this login"))?;
        if let Ok(mut salted) = self.salted.lock() {
            *salted = Some(Salted { mechanism, salt: challenge.salt.clone(), rounds: challenge.rounds, key: key.clone() });
        }
        Ok(key)
    }
}

fn payload(text: &str) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: text.as_bytes().to_vec() }
}

/// Conversation, text, and whether it is over.
async fn exchange(wire: &mut Wire, command: &RawDocument) -> Result<(bson::RawBson, String, bool), NotOpened> {
    let answer = wire.run(command, None).await?;
    if !is_ok(&answer) {
        return Err(never(format!("the login was refused: {}", reason(&answer))));
    }
    let nonsense = || never("the answer to a login could not be understood");
    let conversation = answer.get("conversationId").ok().flatten().ok_or_else(nonsense)?.into();
    let text = answer.get_binary("payload").map_err(|_| nonsense())?;
    let text = String::from_utf8(text.bytes.to_vec()).map_err(|_| nonsense())?;
    Ok((conversation, text, answer.get_bool("done").unwrap_or(false)))
}

/// The better one of the mechanisms that the server knows the user by. A server that says nothing of it knows the older.
fn preferred(greeting: &RawDocument) -> Option<Mechanism> {
    let Ok(offered) = greeting.get_array("saslSupportedMechs") else { return Some(Mechanism::Sha1) };
    let offers = |mechanism: &Mechanism| {
        offered.into_iter().flatten().any(|offer| matches!(offer, RawBsonRef::String(name) if name == mechanism.name()))
    };
    [Mechanism::Sha256, Mechanism::Sha1].into_iter().find(offers)
}

fn reason(answer: &RawDocument) -> &str {
    answer.get_str("errmsg").unwrap_or("without a reason")
}
