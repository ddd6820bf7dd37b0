//! `peermux ping`: shows the Hello of a node and measures its round trips.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use peermux::p2p::{self, decode_disconnect, ids};
use peermux::p2p::{RawMessage, RlpxCodec};
use peermux::setup::Joined;
use peermux::transport::TcpTransport;
use peermux::{DisconnectReason, Enode, Hello, SecretKey};
use peermux_protocols::eth;
use serde::Serialize;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;

use crate::duration;
use crate::explain::Trouble;
use crate::failure::Failure;
use crate::human;
use crate::node;
use crate::output::{CapabilityReport, Output, list, micros};

/// The maximum of each time option.
const DAY: Duration = Duration::from_secs(86_400);

const EXAMPLES: &str = "\
Examples:
  peermux ping enode://…@127.0.0.1:30303 --count 3
  peermux ping enode://…@127.0.0.1:30303 --json

Prints the node's client name, p2p version, listen port and capabilities, the time of the
handshake (encryption and Hello, without the TCP connection), and each ping's round trip.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The node, as enode://KEY@HOST:PORT
    #[arg(value_parser = node::dialable)]
    enode: Enode,
    /// The number of pings to send; 0 makes only the handshake
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u32,
    /// The time between two pings; below a second, nodes may drop the peer
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::within(Duration::ZERO..=DAY))]
    interval: Duration,
    /// The time limit for each step: connection, handshake, pong
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::within(duration::SHORTEST..=DAY))]
    timeout: Duration,
}

/// The Hello of a node.
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

/// The whole report, as programs get it.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "pong")]
struct Report {
    #[serde(flatten)]
    greeting: Greeting,
    rtt_us: Vec<f64>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = || self.rtt_us.iter().map(|micros| micros / 1e3);
        let (Some(least), Some(most)) = (times().reduce(f64::min), times().reduce(f64::max)) else {
            return f.write_str("no pings");
        };
        let count = self.rtt_us.len();
        let mean = times().sum::<f64>() / count as f64;
        let pings = human::count(count, "ping");
        write!(f, "{pings}, min/avg/max {least:.3}/{mean:.3}/{most:.3} ms")
    }
}

pub(crate) async fn run(
    args: Args,
    key: SecretKey,
    out: &Output,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    let setting_up = set_up(&args, &key);
    let (greeting, mut pinger) = tokio::select! {
        // Check the result first: a failure is returned despite an interrupt.
        biased;
        result = setting_up => result?,
        () = interrupted.cancelled() => return Ok(()),
    };
    let pinging = async {
        out.remark(&greeting.to_string());
        pinger.ping(args.count, args.interval, out).await
    };
    let result = tokio::select! {
        // Check the result first: if it is ready, an interrupt no longer matters.
        biased;
        result = pinging => result,
        () = interrupted.cancelled() => Ok(()),
    };
    let rtt_us = pinger.close().await;
    result?;
    out.tell(&Report { greeting, rtt_us })
}

async fn set_up(args: &Args, key: &SecretKey) -> Result<(Greeting, Pinger), Failure> {
    let (stream, addr) = node::connect(&args.enode, args.timeout).await?;
    let started = Instant::now();
    let established = node::set_up(stream, key, args.enode.public_key(), args.timeout).await;
    let established = established.map_err(|error| Trouble::setting_up(addr, &error))?;
    let greeting = Greeting::new(established.hello(), started.elapsed());
    let mut spoken = established.hello().capabilities.iter();
    let speaks_eth = spoken.any(|capability| capability.name() == eth::NAME);
    let pinger = Pinger {
        framed: established.into_framed(),
        addr,
        speaks_eth,
        limit: args.timeout,
        rtt_us: Vec::new(),
    };
    Ok((greeting, pinger))
}

/// A connection that the command reads and writes itself.
struct Pinger {
    framed: Framed<Joined<TcpTransport>, RlpxCodec>,
    addr: SocketAddr,
    /// Whether the remote announces `eth`.
    speaks_eth: bool,
    limit: Duration,
    rtt_us: Vec<f64>,
}

impl Pinger {
    async fn ping(&mut self, count: u32, interval: Duration, out: &Output) -> Result<(), Failure> {
        let mut next = Instant::now();
        for number in 1..=count {
            self.idle_until(next).await?;
            next = Instant::now() + interval;
            let took = self.round_trip().await?;
            self.rtt_us.push(micros(took));
            out.remark(&format!("ping {number}: {:.3} ms", micros(took) / 1e3));
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
            Err(_) => Err(Trouble::no_pong(self.addr, limit, self.speaks_eth).into()),
        }
    }

    /// Waits until `at`, and handles messages meanwhile.
    async fn idle_until(&mut self, at: Instant) -> Result<(), Failure> {
        loop {
            tokio::select! {
                // Check the time first, because messages may arrive without a pause.
                biased;
                () = sleep_until(at) => return Ok(()),
                received = self.receive() => received?,
            };
        }
    }

    /// Handles one message and returns its id. Ignores messages of subprotocols.
    async fn receive(&mut self) -> Result<u64, Failure> {
        let RawMessage { id, payload } = match self.framed.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(Trouble::broken(self.addr, &error).into()),
            None => return Err(Trouble::closed(self.addr).into()),
        };
        match id {
            ids::PING => self.send(ids::PONG, &p2p::EMPTY_LIST).await?,
            ids::DISCONNECT => {
                let reason = decode_disconnect(&payload, false);
                return Err(Trouble::disconnected(self.addr, reason).into());
            }
            _ => {}
        }
        Ok(id)
    }

    async fn send(&mut self, id: u64, payload: &[u8]) -> Result<(), Failure> {
        let payload = Bytes::copy_from_slice(payload);
        let sent = self.framed.send(RawMessage { id, payload }).await;
        sent.map_err(|error| Trouble::broken(self.addr, &error).into())
    }

    /// Sends a Disconnect and waits until the remote closes, within the time limit. Returns the round
    /// trips.
    async fn close(mut self) -> Vec<f64> {
        let deadline = Instant::now() + self.limit;
        let leave = async {
            let reason = DisconnectReason::CLIENT_QUITTING.encode();
            self.send(ids::DISCONNECT, &reason).await.ok()?;
            self.framed.close().await.ok()?;
            // Read until the remote closes its side, which it does after it has read the Disconnect.
            while let Some(Ok(_)) = self.framed.next().await {}
            Some(())
        };
        // It makes no difference if the remote does not close in time.
        let _ = timeout_at(deadline, leave).await;
        self.rtt_us
    }
}
