//! What a node counts, in the text format of Prometheus, over HTTP.
//!
//! `cargo run --example prometheus --features metrics`
//!
//! Any exporter of the crate `metrics` serves; this one is written out, over a recorder for tests.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use peermux::{Message, Protocol, SecretKey, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// The sums so far, by name and labels.
type Sums = BTreeMap<String, f64>;

/// Adds what has happened since the last call, which is what this recorder tells.
fn add(sums: &mut Sums, snapshotter: &Snapshotter) {
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let key = key.key();
        let label = |label: &metrics::Label| format!("{}={:?}", label.key(), label.value());
        let labels: Vec<_> = key.labels().map(label).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        let sum = sums.entry(name).or_default();
        match value {
            DebugValue::Counter(count) => *sum += count as f64,
            DebugValue::Gauge(level) => *sum += level.into_inner(),
            DebugValue::Histogram(_) => {}
        }
    }
}

/// Answers every HTTP request with the metrics.
async fn serve(listener: TcpListener, snapshotter: Snapshotter) -> std::io::Result<()> {
    let mut sums = Sums::new();
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut request = [0; 1024];
        // What it asks for does not matter, but it has to ask within a second.
        let asked = timeout(Duration::from_secs(1), stream.read(&mut request));
        if let Ok(Ok(1..)) = asked.await {
            add(&mut sums, &snapshotter);
            let lines = sums.iter().map(|(name, sum)| format!("{name} {sum}\n"));
            let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n";
            let answer = head.to_owned() + &lines.collect::<String>();
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}

/// Sends everything back.
fn mirror() -> Protocol {
    Protocol::builder("mirror", 1, 1).run(|_peer, mut conn| async move {
        while let Some(message) = conn.recv().await? {
            conn.send(&message).await?;
        }
        Ok(())
    })
}

/// Sends ten messages, takes them back, and leaves.
fn ten() -> Protocol {
    Protocol::builder("mirror", 1, 1).run(|_peer, mut conn| async move {
        for _ in 0..10 {
            conn.send(&Message::new(0, vec![7; 1000])).await?;
            conn.recv().await?;
        }
        Ok(())
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("# curl http://{address}/metrics");
    tokio::spawn(serve(listener, snapshotter));

    let node = Server::builder(SecretKey::generate()).protocol(mirror());
    let node = node.listen("127.0.0.1:0".parse()?).start().await?;
    for _ in 0..3 {
        let client = Server::builder(SecretKey::generate()).protocol(ten());
        let client = client.start().await?;
        client.dial(&node.enode()).await?.ended().await;
    }

    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    print!("{answer}");
    Ok(())
}
