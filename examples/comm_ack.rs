//! Three nodes in three processes: one broadcasts, and the two others acknowledge.
//!
//! Then one of the two others is killed, and the broadcast is repeated.
//!
//! `cargo run --example comm_ack --features comm,serde`

use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use futures::StreamExt;
use peermux::comm::{AckPolicy, Comm, Config, Envelope, RemotePeer, Secp256k1Identity};
use peermux::{SecretKey, Server};
use tokio::io::{self, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

const NEWS: u64 = 1;
/// The argument of the processes that this program starts.
const RECEIVER: &str = "receiver";

async fn start() -> Result<(Server, Comm), Box<dyn Error>> {
    let identity = Secp256k1Identity::new(SecretKey::generate());
    let server = Server::builder(SecretKey::generate()).listen("127.0.0.1:0".parse()?);
    Ok(Comm::start(Config::default(), identity, server).await?)
}

/// Acknowledges the news until the standard input ends, as it does when the parent ends.
async fn receive() -> Result<(), Box<dyn Error>> {
    let (server, comm) = start().await?;
    let mut inbox = comm.accept(|message| message.envelope().tag == NEWS);
    tokio::spawn(async move {
        while let Some(message) = inbox.next().await {
            if let Err(error) = message.ack(Ok(())).await {
                eprintln!("not acknowledged: {error}");
            }
        }
    });
    println!("{}", server.enode());
    io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Starts this program once more, as a receiver, and asks for the receiver's identity.
async fn start_receiver(comm: &Comm) -> Result<(Child, RemotePeer), Box<dyn Error>> {
    let mut receiver = Command::new(std::env::current_exe()?);
    let receiver = receiver.arg(RECEIVER).kill_on_drop(true);
    let mut receiver = receiver
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = receiver.stdout.take().ok_or("no output")?;
    let line = BufReader::new(output).lines().next_line().await?;
    let peer = RemotePeer::at(line.ok_or("the receiver has ended")?.parse()?);
    let identity = comm.handshake(&peer).await?;
    Ok((receiver, peer.with_id(identity.id)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some(RECEIVER) {
        return receive().await;
    }
    let (_server, comm) = start().await?;
    let (_first, first_peer) = start_receiver(&comm).await?;
    let (mut second, second_peer) = start_receiver(&comm).await?;
    let peers = [first_peer, second_peer];
    let news = Envelope::new(NEWS, "the king is dead");
    let policy = AckPolicy::new(2, Duration::from_secs(2));
    let all = comm.send_with_ack(&news, policy, &peers).await?;
    println!("both alive: {}", all.to_json());

    let mut dead = comm.presumed_dead();
    second.kill().await?;
    println!("killed:     the second receiver");
    if let Some(id) = dead.next().await {
        println!("reported:   {}", id?);
    }
    let rest = comm.send_with_ack(&news, policy, &peers).await?;
    println!("one killed: {}", rest.to_json());
    Ok(())
}
