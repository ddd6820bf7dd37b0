//! Plain TCP with the system's buffers, as two roles of this binary.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

pub(crate) const LISTEN: &str = "listen";
pub(crate) const SEND: &str = "send";

/// The number of bytes per system call.
const PIECE: usize = 64 << 10;

/// How much to send.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Amount {
    Bytes(u64),
    /// As much data as possible in this time.
    Time(Duration),
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}B"),
            Self::Time(time) => write!(f, "{}ms", time.as_millis()),
        }
    }
}

impl std::str::FromStr for Amount {
    type Err = std::num::ParseIntError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.strip_suffix("ms") {
            Some(ms) => Ok(Self::Time(Duration::from_millis(ms.parse()?))),
            None => Ok(Self::Bytes(word.trim_end_matches('B').parse()?)),
        }
    }
}

/// Reads each connection to its end and confirms it with one byte.
pub(crate) fn listen(addr: &str) {
    let listener = TcpListener::bind(addr).expect("the namespace's address");
    let addr = listener.local_addr().expect("bound").to_string();
    println!("{}", json!({ "event": "listening", "addr": addr }));
    let mut buffer = vec![0; PIECE];
    loop {
        let (mut stream, _) = listener.accept().expect("a connection");
        let end = loop {
            match stream.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = end.and_then(|()| stream.write_all(&[1])) {
            eprintln!("a sender disconnected: {error}");
        }
    }
}

/// Sends data and waits for the confirmation.
pub(crate) fn send(addr: &str, amount: Amount) {
    let connecting = Instant::now();
    let mut stream = TcpStream::connect(addr).expect("the other end");
    let started = Instant::now();
    let data = vec![0x5a; PIECE];
    let mut sent = 0;
    loop {
        let left = match amount {
            Amount::Bytes(bytes) => bytes - sent,
            Amount::Time(time) if started.elapsed() < time => PIECE as u64,
            Amount::Time(_) => 0,
        };
        if left == 0 {
            break;
        }
        let piece = PIECE.min(usize::try_from(left).unwrap_or(PIECE));
        stream
            .write_all(&data[..piece])
            .expect("the other end reads");
        sent += piece as u64;
    }
    stream.shutdown(Shutdown::Write).expect("connected");
    stream.read_exact(&mut [0]).expect("the other end confirms");
    let seconds = started.elapsed().as_secs_f64();
    let connect_ms = (started - connecting).as_secs_f64() * 1e3;
    println!(
        "{}",
        json!({ "ok": true, "bytes": sent, "seconds": seconds, "connect_ms": connect_ms })
    );
}
