//! Two versions of a protocol at once, for upgrading a network node by node.
//!
//! Two nodes use the highest version that both support.
//!
//! `cargo run --example two_versions`

use std::error::Error;

use peermux::{Protocol, SecretKey, Server, messages};
use tokio::sync::mpsc;

messages! {
    /// `height/1`
    enum HeightV1, length = 1 {
        0x00 => Status { height: u64 },
    }
}

messages! {
    /// `height/2` also contains the head.
    enum HeightV2, length = 2 {
        0x00 => Status { height: u64, head: [u8; 4] },
        0x01 => Head { head: [u8; 4] },
    }
}

/// Sends a node's name and a sentence that it learned.
type Learned = mpsc::Sender<(&'static str, String)>;

fn version_1(name: &'static str, learned: Learned) -> Protocol {
    Protocol::typed::<HeightV1>("height", 1).run(move |peer, mut conn| {
        let learned = learned.clone();
        async move {
            conn.send(&HeightV1::Status { height: 7 }).await?;
            if let Some(message) = conn.recv().await? {
                let HeightV1::Status { height } = *message;
                let text = format!("height/1: {} is at {height}", peer.name());
                learned.send((name, text)).await.ok();
            }
            peer.ending().await;
            Ok(())
        }
    })
}

fn version_2(name: &'static str, learned: Learned) -> Protocol {
    Protocol::typed::<HeightV2>("height", 2).run(move |peer, mut conn| {
        let learned = learned.clone();
        async move {
            conn.send(&HeightV2::Status {
                height: 9,
                head: *b"\x01\x02\x03\x04",
            })
            .await?;
            if let Some(message) = conn.recv().await?
                && let HeightV2::Status { height, head } = *message
            {
                let text = format!("height/2: {} is at {height}, {head:02x?}", peer.name());
                learned.send((name, text)).await.ok();
            }
            peer.ending().await;
            Ok(())
        }
    })
}

async fn node(name: &'static str, protocols: Vec<Protocol>) -> Result<Server, Box<dyn Error>> {
    let builder = Server::builder(SecretKey::generate());
    let builder = builder.configure(|config| config.with_name(name));
    let builder = builder.protocols(protocols);
    Ok(builder.listen("127.0.0.1:0".parse()?).start().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (learned, mut texts) = mpsc::channel(16);
    let both = |name| {
        vec![
            version_1(name, learned.clone()),
            version_2(name, learned.clone()),
        ]
    };
    let old = node("old", vec![version_1("old", learned.clone())]).await?;
    let new = node("new", both("new")).await?;
    let newer = node("newer", both("newer")).await?;
    for (from, to) in [(&old, &new), (&new, &newer), (&newer, &old)] {
        let peer = from.dial(&to.enode()).await?;
        // Of all versions of a protocol, a connection runs one.
        assert_eq!(peer.shared_capabilities().len(), 1);
        for _ in 0..2 {
            let (name, text) = texts.recv().await.ok_or("no text arrived")?;
            println!("{name:5} {text}");
        }
    }
    Ok(())
}
