//! Three nodes on this machine: one broadcasts, and the two others acknowledge.
//!
//! Then one of the two others is killed, and the broadcast is repeated.
//!
//! `cargo run --example comm_ack --features comm,serde`

use std::error::Error;
use std::time::Duration;

use futures::StreamExt;
use peermux::comm::{AckPolicy, Comm, Config, Envelope, RemotePeer, Secp256k1Identity};
use peermux::{SecretKey, Server};

const NEWS: u64 = 1;

struct Node {
    server: Server,
    comm: Comm,
}

impl Node {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let key = SecretKey::random(&mut rand::rng());
        let identity = Secp256k1Identity::new(SecretKey::random(&mut rand::rng()));
        let server = Server::builder(key).listen("127.0.0.1:0".parse()?);
        let (server, comm) = Comm::start(Config::default(), identity, server).await?;
        let mut inbox = comm.accept(|message| message.envelope().tag == NEWS);
        tokio::spawn(async move {
            while let Some(message) = inbox.next().await {
                if let Err(error) = message.ack(Ok(())).await {
                    eprintln!("not acknowledged: {error}");
                }
            }
        });
        Ok(Self { server, comm })
    }

    fn peer(&self) -> RemotePeer {
        RemotePeer::new(self.server.enode(), self.comm.id())
    }

    async fn kill(&self) -> Result<(), Box<dyn Error>> {
        self.comm.stop().await;
        Ok(self.server.shutdown(Duration::from_secs(5)).await?)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sender = Node::start().await?;
    let receivers = [Node::start().await?, Node::start().await?];
    let peers = receivers.each_ref().map(Node::peer);
    let news = Envelope::new(NEWS, "the king is dead");
    let policy = AckPolicy::new(2, Duration::from_secs(2));
    let all = sender.comm.send_with_ack(&news, policy, &peers).await?;
    println!("both alive: {}", all.to_json());

    let mut dead = sender.comm.presumed_dead();
    receivers[1].kill().await?;
    println!("killed:     {}", receivers[1].comm.id());
    if let Some(id) = dead.next().await {
        println!("reported:   {}", id?);
    }
    let rest = sender.comm.send_with_ack(&news, policy, &peers).await?;
    println!("one killed: {}", rest.to_json());
    Ok(())
}
