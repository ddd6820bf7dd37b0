//! Connects to a go-ethereum node with the custom protocol `echo/1`.
//!
//! The node is tests/interop/geth, which implements the protocol on go-ethereum's `p2p` package.
//!
//! `cargo run --example geth_peer`; it needs Go, and reports if Go is missing. With
//! `PEERMUX_INTEROP=required` in the environment, it then fails.

use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use peermux::{Bytes, Protocol, ProtocolError, SecretKey, Server, messages};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Whether the node must run, as for the interop tests.
fn is_required() -> bool {
    std::env::var_os("PEERMUX_INTEROP").is_some_and(|value| value == "required")
}

messages! {
    /// `echo/1`
    #[derive(Debug, PartialEq)]
    pub enum Echo, length = 2 {
        /// A request, answered with the same bytes.
        0x00 => Request(Bytes),
        /// The bytes of the request.
        0x01 => Response(Bytes),
    }
}

/// Sends three requests, then disconnects.
fn echo() -> Protocol {
    Protocol::typed::<Echo>("echo", 1).run(|peer, mut conn| async move {
        for size in [1, 1000, 60_000] {
            let bytes = Bytes::from(vec![7; size]);
            conn.send(&Echo::Request(bytes.clone())).await?;
            let answer = conn.recv().await?;
            let answer = answer.ok_or_else(|| ProtocolError::other("the peer has left"))?;
            if *answer != Echo::Response(bytes) {
                return Err(ProtocolError::other("the answer differs"));
            }
            println!("{} echoed {size} bytes", peer.name());
        }
        Ok(())
    })
}

/// Builds and starts the node.
async fn start_geth() -> Result<(Child, String), Box<dyn Error>> {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/geth");
    let (folder, id) = (std::env::temp_dir(), std::process::id());
    let program = &format!("{}/geth-peer-{id}", folder.display());
    let mut build = Command::new("go");
    let build = build.args(["build", "-C", sources, "-o", program, "."]);
    // Only the first build takes long; later ones use Go's cache.
    let limit = Duration::from_secs(if is_required() { 240 } else { 45 });
    let built = timeout(limit, build.kill_on_drop(true).status()).await;
    if !built.map_err(|_| "building it takes too long")??.success() {
        return Err("it does not build".into());
    }
    let mut serve = Command::new(program);
    let serve = serve.args(["serve", "--caps", "echo/1"]).kill_on_drop(true);
    // The standard input is a pipe, because the node ends when it closes.
    let serve = serve.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = serve.stderr(Stdio::null()).spawn()?;
    let output = node.stdout.take().ok_or("it has no output")?;
    let mut lines = BufReader::new(output).lines();
    let line = lines.next_line().await?.ok_or("it has ended")?;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    std::fs::remove_file(program)?;
    let listening: serde_json::Value = serde_json::from_str(&line)?;
    let enode = listening["enode"].as_str().ok_or("it does not listen")?;
    Ok((node, enode.to_owned()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut geth, enode) = match start_geth().await {
        Err(error) if !is_required() => {
            eprintln!("skipped: no go-ethereum node: {error}");
            return Ok(());
        }
        started => started?,
    };
    for _ in 0..2 {
        let server = Server::builder(SecretKey::generate()).protocol(echo());
        let server = server.start().await?;
        let peer = server.dial(&enode.parse()?).await?;
        println!("connected to {}", peer.full_name());
        let outcome = peer.ended().await.ok_or("the server has stopped")?;
        println!("ended: {outcome}");
    }
    drop(geth.stdin.take());
    println!("go-ethereum's node exited with {}", geth.wait().await?);
    Ok(())
}
