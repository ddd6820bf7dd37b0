//! Serves a node's metrics over HTTP, in the text format of Prometheus.
//!
//! `cargo run --example prometheus --features metrics`
//!
//! Any recorder for the crate `metrics` works. The one used here is `metrics-exporter-prometheus`,
//! without its HTTP server. docs/metrics.md lists the metrics.

use std::error::Error;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use peermux::{Message, Protocol, SecretKey, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Answers every HTTP request with the metrics.
async fn serve(listener: TcpListener, counted: PrometheusHandle) -> std::io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut request = [0; 1024];
        // Every request gets the same answer. A request must arrive within a second.
        let asked = timeout(Duration::from_secs(1), stream.read(&mut request));
        if let Ok(Ok(1..)) = asked.await {
            let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n";
            let answer = head.to_owned() + &counted.render();
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}

/// Sends every message back.
fn mirror() -> Protocol {
    Protocol::builder("mirror", 1, 1).run(|_peer, mut conn| async move {
        while let Some(message) = conn.recv().await? {
            conn.send(&message).await?;
        }
        Ok(())
    })
}

/// Sends ten messages, receives them back, and disconnects.
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
    // Install the recorder before the first server. The numbers are the bucket bounds of the
    // histograms of times.
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let classes = [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0];
    let recorder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &classes)?;
    let counted = recorder.install_recorder()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("# curl http://{address}/metrics");
    tokio::spawn(serve(listener, counted));

    // The clients run in this process too. The label distinguishes the node's metrics from theirs.
    let node = Server::builder(SecretKey::generate()).protocol(mirror());
    let node = node.listen("127.0.0.1:0".parse()?).metrics_label("node");
    let node = node.start().await?;
    for _ in 0..3 {
        let client = Server::builder(SecretKey::generate()).protocol(ten());
        let client = client.metrics_label("clients").start().await?;
        client.dial(&node.enode()).await?.ended().await;
    }

    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    print!("{answer}");
    Ok(())
}
