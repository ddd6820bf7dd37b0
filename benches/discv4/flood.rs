//! Floods over loopback sockets from one sending thread.
#![expect(clippy::disallowed_methods, reason = "the sender keeps to a rate")]

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use aes::Aes128;
use ctr::cipher::{KeyIvInit, StreamCipher};
use peermux::discv4::packet::{Datagram, Packet, PacketHash, Pong, WireEndpoint};
use peermux::discv4::{Discv4, Discv4Config};
use peermux::server::Discovery;
use peermux::{NodeId, SecretKey, Server};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

use super::{ALLOCATOR, RUNS, key, ping, record, spread};

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The duration of each flood.
const FLOOD: Duration = Duration::from_secs(1);

/// The time limit for the answer to a Ping.
const PATIENCE: Duration = Duration::from_millis(20);

/// Sends datagrams for `time`, at most `per_second`. Returns how many it sent.
fn send(to: SocketAddr, datagrams: &[Vec<u8>], per_second: Option<u32>, time: Duration) -> u64 {
    let socket = UdpSocket::bind(LOOPBACK).expect("a free port");
    let (begun, mut sent) = (Instant::now(), 0);
    for datagram in datagrams.iter().cycle() {
        let elapsed = begun.elapsed();
        if elapsed >= time {
            break;
        }
        if let Some(rate) = per_second
            && sent as f64 > elapsed.as_secs_f64() * f64::from(rate)
        {
            std::thread::sleep(Duration::from_micros(200));
            continue;
        }
        sent += u64::from(socket.send_to(datagram, to).is_ok());
    }
    sent
}

/// Returns the CPU time of this thread in seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = stat
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.expect("a number") / 1e9
}

/// Returns how many datagrams were dropped because a socket had no room for them.
fn lost(at: SocketAddr) -> u64 {
    let sockets = std::fs::read_to_string("/proc/net/udp").expect("Linux");
    let port = format!(":{:04X}", at.port());
    let mut lines = sockets.lines().map(|line| line.split_whitespace());
    let mut of_socket = lines.find_map(|mut fields| {
        let local = fields.nth(1)?;
        local.ends_with(&port).then_some(fields)
    });
    let drops = of_socket
        .as_mut()
        .and_then(|fields| fields.last()?.parse().ok());
    drops.expect("the socket is there")
}

/// Returns how many datagrams a thread receives per second of its CPU time. Also returns by how
/// many bytes the allocated memory of the process grew during the flood.
fn taken(serve: impl AsyncFnOnce(UdpSocket)) -> (f64, usize) {
    let socket = UdpSocket::bind(LOOPBACK).expect("a free port");
    let at = socket.local_addr().expect("bound");
    let live = || {
        let stats = ALLOCATOR.stats();
        stats.bytes_allocated - stats.bytes_deallocated
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        serve(socket).await;
        let flood = move || send(at, &[vec![0x5a; 200]], None, FLOOD);
        // A short flood comes first, so that the baseline includes the allocations of the first
        // packets.
        tokio::task::spawn_blocking(move || send(at, &[vec![0x5a; 200]], Some(1000), FLOOD / 10))
            .await
            .expect("no panic");
        let (memory, before, dropped) = (live(), cpu(), lost(at));
        let sent = tokio::task::spawn_blocking(flood).await.expect("no panic");
        // Wait for the datagrams that are still in the socket.
        sleep(FLOOD / 10).await;
        let taken = sent - (lost(at) - dropped);
        (
            taken as f64 / (cpu() - before),
            live().saturating_sub(memory),
        )
    })
}

/// Floods with packets that have a wrong hash. Compares discovery with a loop that only receives.
pub(crate) fn refused_from_a_socket() {
    let (mut ratios, mut rates, mut growth) = (Vec::new(), Vec::new(), 0);
    for _ in 0..RUNS {
        let (least, _) = taken(async |socket| {
            socket.set_nonblocking(true).expect("it can");
            let socket = tokio::net::UdpSocket::from_std(socket).expect("a runtime");
            tokio::spawn(async move {
                let mut buffer = [0; 1281];
                while socket.readable().await.is_ok() {
                    // The loop receives as many datagrams at a time as discovery does.
                    for _ in 0..32 {
                        if socket.try_recv_from(&mut buffer).is_err() {
                            break;
                        }
                    }
                }
            });
        });
        let mut running = None;
        let (ours, grown) = taken(async |socket| {
            let key = key(1);
            let node = Discv4::builder(key.clone(), record(&key, 1))
                .config(Discv4Config::default().with_private_networks(true))
                .on(socket);
            running = Some(node.expect("it starts"));
        });
        drop(running);
        growth = growth.max(grown);
        ratios.push(ours / least);
        rates.push(ours / 1e6);
    }
    println!(
        "a flood of 200 B with a wrong hash over a socket: {} million taken in a second of processor time, {} of what a loop \
         takes that only receives, at most {growth} B more allocated after it",
        spread(rates),
        spread(ratios)
    );
}

/// Returns an ordinary Discovery v5 message from an unknown node, which is answered with WHOAREYOU.
fn v5_message(to: NodeId, rng: &mut StdRng) -> Vec<u8> {
    let iv: [u8; 16] = rng.random();
    let mut header = b"discv5\x00\x01\x00".to_vec();
    header.extend(rng.random::<[u8; 12]>());
    header.extend([0, 32]);
    header.extend(rng.random::<[u8; 32]>());
    let mask = to.as_bytes().first_chunk::<16>().expect("32 bytes");
    let mut cipher = ctr::Ctr128BE::<Aes128>::new(mask.into(), &iv.into());
    cipher.apply_keystream(&mut header);
    let message: [u8; 44] = rng.random();
    [iv.to_vec(), header, message.to_vec()].concat()
}

/// A Discovery v4 node that pings another.
struct Pinger {
    socket: UdpSocket,
    key: SecretKey,
    to: SocketAddr,
    sent: u64,
}

impl Pinger {
    fn unix() -> u64 {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
        now.expect("after 1970").as_secs()
    }

    /// Returns whether a Ping is answered in time. Meanwhile, answers the Pings of the node under
    /// test.
    fn ping(&mut self) -> bool {
        self.sent += 1;
        let own = self.socket.local_addr().expect("bound");
        let ping = ping_at(&self.key, own, self.sent);
        self.socket.send_to(&ping.0, self.to).expect("it can send");
        let begun = Instant::now();
        let mut buffer = [0; 1281];
        while begun.elapsed() < PATIENCE {
            let Ok((length, from)) = self.socket.recv_from(&mut buffer) else {
                continue;
            };
            let datagram = Datagram::check(&buffer[..length]).expect("a packet");
            match datagram.packet() {
                Ok(Packet::Pong(pong)) if pong.ping_hash == Some(ping.1) => return true,
                Ok(Packet::Ping(_)) => {
                    let pong = Packet::Pong(Pong {
                        to: WireEndpoint::new(from, 0),
                        ping_hash: Some(datagram.hash()),
                        expiration: Self::unix() + 20,
                        enr_seq: None,
                    });
                    let pong = pong.seal(&self.key).expect("a short packet");
                    self.socket.send_to(&pong.bytes, from).expect("it can send");
                }
                _ => {}
            }
        }
        false
    }
}

fn ping_at(key: &SecretKey, from: SocketAddr, seq: u64) -> (Vec<u8>, PacketHash) {
    let ping = ping(key, from, seq, Pinger::unix());
    (ping.bytes.to_vec(), ping.hash)
}

/// Measures how many v4 Pings are answered during a flood at the same port.
pub(crate) fn beside_version_5() {
    const PINGS: usize = 100;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(async {
        let builder = Server::builder(SecretKey::generate()).listen(LOOPBACK);
        builder.discovery(Discovery::new()).start().await
    });
    let server = server.expect("free ports");
    let port = server.enode().endpoint().expect("it listens").udp;
    let to = SocketAddr::new(LOOPBACK.ip(), port);
    let socket = UdpSocket::bind(LOOPBACK).expect("a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("it can");
    let (key, sent) = (key(2), 0);
    let mut pinger = Pinger {
        socket,
        key,
        to,
        sent,
    };
    // The first Pings prove both endpoints.
    for _ in 0..3 {
        pinger.ping();
    }
    let mut rng = StdRng::seed_from_u64(3);
    let of_v5: Vec<_> = (0..1000)
        .map(|_| v5_message(server.id(), &mut rng))
        .collect();
    let of_none = vec![vec![0x5a; 200]];
    for (what, datagrams) in [
        ("messages of version 5", &of_v5),
        ("invalid packets", &of_none),
    ] {
        for rate in [Some(0), Some(1000), Some(10_000), None] {
            let (mut answered, mut rates) = (Vec::new(), Vec::new());
            for _ in 0..RUNS {
                let (share, sent) = std::thread::scope(|scope| {
                    let flood = scope.spawn(|| send(to, datagrams, rate, FLOOD));
                    let begun = Instant::now();
                    let (mut pings, mut pongs) = (0, 0);
                    while pings < PINGS && begun.elapsed() < FLOOD {
                        pings += 1;
                        pongs += usize::from(pinger.ping());
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    (pongs as f64 / pings as f64, flood.join().expect("no panic"))
                });
                answered.push(share);
                rates.push(sent as f64 / FLOOD.as_secs_f64() / 1000.0);
            }
            println!(
                "during a flood of {} thousand {what} per second, {} of the version 4 Pings are answered",
                spread(rates),
                spread(answered)
            );
        }
    }
}
