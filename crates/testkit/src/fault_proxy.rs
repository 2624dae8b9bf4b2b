//! A TCP proxy that breaks connections on purpose.
//!
//! Stands between a client and a server and does what networks do: cuts a connection in the middle of an answer, swallows
//! everything, holds it back, or refuses. What a fault does is switched at run time and holds for connections made from then on; a refusal also
//! ends what is open, a black hole and a stall freeze it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Passes everything on.
    None,
    /// Closes each new connection after so many bytes of answers.
    CutAfter(u64),
    /// Closes new and open connections at once.
    Refuse,
    /// Accepts, reads, and never answers; open connections freeze, and what is sent meanwhile is lost.
    BlackHole,
    /// Accepts, and passes nothing on as long as it lasts; then everything, as a network does that was away for a while.
    Stall,
}

/// A running proxy; dropping it closes all its connections.
#[derive(Debug)]
pub struct FaultProxy {
    address: String,
    fault: watch::Sender<Fault>,
    accepted: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a free loopback port and passes on to `target` (`address:port`).
    pub async fn start(target: impl Into<String>) -> anyhow::Result<FaultProxy> {
        let target: Arc<str> = target.into().into();
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listening for a proxy")?;
        let address = listener.local_addr()?.to_string();
        let (fault, faults) = watch::channel(Fault::None);
        let accepted = Arc::new(AtomicU64::new(0));
        let counter = accepted.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let (target, faults) = (target.clone(), faults.clone());
                connections.spawn(async move { serve(client, &target, faults).await.ok() });
            }
        });
        Ok(FaultProxy { address, fault, accepted, task })
    }

    /// `127.0.0.1:<port>`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Switches to another fault.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many connections came in so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // Its JoinSet, and with it every connection, goes too.
        self.task.abort();
    }
}

/// Serves one connection until an end closes it or the fault does.
async fn serve(mut client: TcpStream, target: &str, mut faults: watch::Receiver<Fault>) -> anyhow::Result<()> {
    let first = *faults.borrow_and_update();
    if first == Fault::Refuse {
        return Ok(());
    }
    let mut left = if let Fault::CutAfter(bytes) = first { bytes } else { u64::MAX };
    let mut server = TcpStream::connect(target).await.context("reaching the proxy's target")?;
    let (mut question, mut answer) = (vec![0u8; 64 * 1024], vec![0u8; 64 * 1024]);
    loop {
        let (frozen, stalled) = (*faults.borrow() == Fault::BlackHole, *faults.borrow() == Fault::Stall);
        tokio::select! {
            changed = faults.changed() => {
                changed.context("the proxy has ended")?;
                if *faults.borrow() == Fault::Refuse {
                    return Ok(());
                }
            }
            read = client.read(&mut question), if !stalled => {
                let bytes = read?;
                if bytes == 0 {
                    return Ok(());
                }
                if !frozen {
                    server.write_all(&question[..bytes]).await?;
                }
            }
            read = server.read(&mut answer), if !frozen && !stalled => {
                let bytes = read?;
                let passed = left.min(bytes as u64);
                client.write_all(&answer[..passed as usize]).await?;
                left -= passed;
                if bytes == 0 || left == 0 {
                    client.shutdown().await?;
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A server that answers each connection with 1,000 bytes, and a proxy before it.
    async fn proxied() -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                connection.write_all(&[7; 1000]).await.ok();
            }
        });
        FaultProxy::start(address).await.expect("starts")
    }

    async fn received(proxy: &FaultProxy) -> usize {
        let mut bytes = Vec::new();
        let mut connection = TcpStream::connect(proxy.address()).await.expect("connects");
        // A reset ends the bytes as well as an end does.
        connection.read_to_end(&mut bytes).await.ok();
        bytes.len()
    }

    #[tokio::test]
    async fn each_fault_does_what_it_says_and_heals() {
        let proxy = proxied().await;
        for (fault, bytes) in [(Fault::None, 1000), (Fault::CutAfter(300), 300), (Fault::Refuse, 0), (Fault::None, 1000)] {
            proxy.set(fault);
            assert_eq!(received(&proxy).await, bytes, "{fault:?}");
        }
        assert_eq!(proxy.accepted(), 4);
    }

    #[tokio::test]
    async fn a_black_hole_answers_nothing_and_keeps_the_connection() {
        let proxy = proxied().await;
        proxy.set(Fault::BlackHole);
        let silence = tokio::time::timeout(Duration::from_millis(100), received(&proxy)).await;
        assert!(silence.is_err(), "{silence:?}");
    }

    #[tokio::test]
    async fn after_a_stall_everything_arrives() {
        let proxy = proxied().await;
        proxy.set(Fault::Stall);
        let receiving = received(&proxy);
        tokio::pin!(receiving);
        let silence = tokio::time::timeout(Duration::from_millis(100), &mut receiving).await;
        assert!(silence.is_err(), "{silence:?}");
        proxy.set(Fault::None);
        assert_eq!(receiving.await, 1000);
    }
}
