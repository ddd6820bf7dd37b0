//! The role of the sink, to which attackers write while the honest peer is undisturbed.

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::NODE;
use crate::pin::pin;
use crate::worker::{commands, tell};

pub(crate) fn run() {
    pin(NODE);
    discard();
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn discard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    tell(&listener.local_addr().expect("bound").to_string());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("the listener lives");
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(1..) = stream.read(&mut buffer).await {}
            });
        }
    });
    // Wait until the parent ends.
    for _ in commands() {
        tell("0");
    }
}
