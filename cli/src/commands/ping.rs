//! `peermux ping`: what a node says of itself, and how long it takes to answer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use peermux::p2p::{self, decode_disconnect, ids};
use peermux::rlpx::{RawMessage, RlpxCodec};
use peermux::setup::Joined;
use peermux::{DisconnectReason, Enode, Hello, SecretKey};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::codec::Framed;

use crate::explain;
use crate::failure::Failure;
use crate::node;
use crate::output::{CapabilityReport, Output, list};
use crate::signals::interrupted;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The node, as an enode URL
    enode: Enode,
    /// How many pings to send
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u32,
    /// From one ping to the next, in seconds; nodes may drop those who ping more than once a second
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// How long to wait for each step, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    timeout: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// What a node says of itself.
#[derive(Debug, Serialize)]
struct Greeting {
    client: String,
    p2p_version: u64,
    listen_port: u64,
    capabilities: Vec<CapabilityReport>,
    handshake_us: f64,
}

impl Greeting {
    fn new(hello: &Hello, handshake: Duration) -> Self {
        Self {
            client: hello.client_text(),
            p2p_version: hello.version,
            listen_port: hello.listen_port,
            capabilities: hello.capabilities.iter().map(Into::into).collect(),
            handshake_us: micros(handshake),
        }
    }
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "client       {}", self.client)?;
        writeln!(f, "p2p version  {}", self.p2p_version)?;
        writeln!(f, "listen port  {}", self.listen_port)?;
        writeln!(f, "capabilities {}", list(&self.capabilities))?;
        write!(f, "handshake    {:.3} ms", self.handshake_us / 1e3)
    }
}

/// Everything, for programs.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    greeting: Greeting,
    rtt_us: Vec<f64>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.rtt_us.iter().copied().reduce(f64::min).unwrap_or(0.0);
        write!(
            f,
            "{} pings, the fastest {:.3} ms",
            self.rtt_us.len(),
            least / 1e3
        )
    }
}

/// Microseconds, to a tenth.
fn micros(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

pub(crate) async fn run(args: Args, key: SecretKey, out: Output) -> Result<(), Failure> {
    let addr = node::address_of(&args.enode).await?;
    let addr_text = addr.to_string();
    let setting_up = async {
        let stream = node::connect(addr, args.timeout).await?;
        let started = Instant::now();
        let established = node::set_up(stream, &key, args.enode.public_key(), args.timeout).await;
        let explained = |error| Failure::because(explain::setup_error(&addr_text, &error));
        Ok((established.map_err(explained)?, started.elapsed()))
    };
    let (established, handshake) = tokio::select! {
        result = setting_up => result?,
        signal = interrupted() => return signal.map_err(Failure::because),
    };
    let greeting = Greeting::new(established.hello(), handshake);
    let mut pinger = Pinger {
        framed: established.into_framed(),
        addr: addr_text,
        limit: args.timeout,
        rtt_us: Vec::new(),
    };
    let pinging = async {
        out.remark(&greeting.to_string())?;
        pinger.ping(args.count, args.interval, out).await
    };
    let result = tokio::select! {
        result = pinging => result,
        signal = interrupted() => signal.map_err(Failure::because),
    };
    let rtt_us = pinger.close().await;
    result?;
    out.tell(&Report { greeting, rtt_us })
}

/// A connection without a runner.
struct Pinger {
    framed: Framed<Joined<TcpStream>, RlpxCodec>,
    addr: String,
    limit: Duration,
    rtt_us: Vec<f64>,
}

impl Pinger {
    async fn ping(&mut self, count: u32, interval: Duration, out: Output) -> Result<(), Failure> {
        let mut next = Instant::now();
        for number in 1..=count {
            self.idle_until(next).await?;
            next = Instant::now() + interval;
            let took = self.round_trip().await?;
            self.rtt_us.push(micros(took));
            out.remark(&format!("ping {number}: {:.3} ms", micros(took) / 1e3))?;
        }
        Ok(())
    }

    async fn round_trip(&mut self) -> Result<Duration, Failure> {
        let (started, limit) = (Instant::now(), self.limit);
        let answered = async {
            self.send(ids::PING, &p2p::EMPTY_LIST).await?;
            while self.receive().await? != ids::PONG {}
            Ok(started.elapsed())
        };
        match timeout(limit, answered).await {
            Ok(took) => took,
            Err(_) => Err(self.failed(&format!("no pong within {limit:?}"))),
        }
    }

    /// Waits, and handles what arrives meanwhile.
    async fn idle_until(&mut self, at: Instant) -> Result<(), Failure> {
        loop {
            tokio::select! {
                biased;
                () = sleep_until(at) => return Ok(()),
                received = self.receive() => received?,
            };
        }
    }

    /// Handles one message and returns its id. What subprotocols say is not for us.
    async fn receive(&mut self) -> Result<u64, Failure> {
        let RawMessage { id, payload } = match self.framed.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(self.failed(&error)),
            None => return Err(self.failed(&"closed the connection")),
        };
        match id {
            ids::PING => self.send(ids::PONG, &p2p::EMPTY_LIST).await?,
            ids::DISCONNECT => {
                let reason = decode_disconnect(&payload, false);
                return Err(Failure::because(explain::refused(&self.addr, reason)));
            }
            _ => {}
        }
        Ok(id)
    }

    async fn send(&mut self, id: u64, payload: &[u8]) -> Result<(), Failure> {
        let payload = Bytes::copy_from_slice(payload);
        let sent = self.framed.send(RawMessage { id, payload }).await;
        sent.map_err(|error| self.failed(&error))
    }

    fn failed(&self, what: &dyn fmt::Display) -> Failure {
        Failure::because(format!("{}: {what}", self.addr))
    }

    /// Takes leave in an orderly way, within the time limit.
    async fn close(mut self) -> Vec<f64> {
        let deadline = Instant::now() + self.limit;
        let leave = async {
            let reason = DisconnectReason::CLIENT_QUITTING.encode();
            self.send(ids::DISCONNECT, &reason).await.ok()?;
            self.framed.close().await.ok()?;
            // The remote closes its side when it has read that.
            while let Some(Ok(_)) = self.framed.next().await {}
            Some(())
        };
        // Whether the remote listened to the end or not, we are done.
        let _ = timeout_at(deadline, leave).await;
        self.rtt_us
    }
}
