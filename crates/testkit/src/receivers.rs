//! An HTTP receiver and a mail server for notifications, small and real: they speak the protocols over TCP and keep what they get.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request: path, headers, body.
#[derive(Debug, Clone)]
pub struct Got {
    pub path: String,
    pub headers: String,
    pub body: String,
}

/// Runs until the runtime ends.
#[derive(Debug, Clone)]
pub struct HttpReceiver {
    /// `host:port`
    pub address: String,
    got: Arc<Mutex<Vec<Got>>>,
}

impl HttpReceiver {
    /// Answers each request with `answer`, e.g. `200 OK` and a body.
    pub async fn start(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = got.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                tokio::spawn(async move {
                    if let Some(request) = answer(stream, status, body).await {
                        kept.lock().expect("not poisoned").push(request);
                    }
                });
            }
        });
        Self { address, got }
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().expect("not poisoned").clone()
    }
}

async fn answer(stream: TcpStream, status: &str, body: &str) -> Option<Got> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first).await.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
        headers.push_str(&line);
    }
    let mut received = vec![0; length];
    stream.read_exact(&mut received).await.ok()?;
    let reply = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.get_mut().write_all(reply.as_bytes()).await.ok()?;
    Some(Got { path, headers, body: String::from_utf8(received).ok()? })
}

/// A message as it came: envelope and text.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
    pub login: Option<String>,
}

/// Runs until the runtime ends.
#[derive(Debug, Clone)]
pub struct MailReceiver {
    /// `host:port`
    pub address: String,
    got: Arc<Mutex<Vec<Mail>>>,
}

impl MailReceiver {
    /// `refusal`: what it answers to a recipient instead of taking it, e.g. `550 no such user`.
    pub async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = got.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, kept.clone(), refusal));
            }
        });
        Self { address, got }
    }

    pub fn got(&self) -> Vec<Mail> {
        self.got.lock().expect("not poisoned").clone()
    }
}

async fn converse(stream: TcpStream, kept: Arc<Mutex<Vec<Mail>>>, refusal: Option<&'static str>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut mail = Mail::default();
    say(&mut stream, "220 mail.test ready").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        match verb.as_str() {
            "EHLO" => say(&mut stream, "250-mail.test\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME").await?,
            "AUTH" => {
                mail.login = Some(line.to_owned());
                say(&mut stream, "235 welcome").await?;
            }
            "MAIL" => {
                mail.from = line.to_owned();
                say(&mut stream, "250 ok").await?;
            }
            "RCPT" => {
                mail.to.push(line.to_owned());
                say(&mut stream, refusal.unwrap_or("250 ok")).await?;
            }
            "DATA" => {
                say(&mut stream, "354 go on").await?;
                loop {
                    let mut part = String::new();
                    stream.read_line(&mut part).await.ok()?;
                    if part == ".\r\n" {
                        break;
                    }
                    mail.text.push_str(&part);
                }
                kept.lock().expect("not poisoned").push(std::mem::take(&mut mail));
                say(&mut stream, "250 taken").await?;
            }
            "QUIT" => {
                say(&mut stream, "221 bye").await?;
                return Some(());
            }
            _ => say(&mut stream, "250 ok").await?,
        }
    }
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) -> Option<()> {
    stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.ok()
}
