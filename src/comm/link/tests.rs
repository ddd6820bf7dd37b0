use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Draft, Link, Outgoing, Part};
use crate::comm::{Config, Delivery};
use crate::protocol::{Message, ProtocolConn, ProtocolLimits};

fn message(n: u8) -> (Outgoing, oneshot::Receiver<Delivery>) {
    let (done, receipt) = oneshot::channel();
    let draft = Draft {
        code: 1,
        payload: Bytes::from(vec![n]),
        ack: None,
        done: Some(done),
    };
    (Outgoing::new(draft, None, Instant::now()), receipt)
}

#[tokio::test]
async fn what_finds_no_room_is_handed_over_later_in_order() {
    let limits = ProtocolLimits::default().with_queue_messages(2);
    let (near, mut far) = ProtocolConn::<Message>::pair_with(limits);
    let (sender, _receiver) = near.split();
    let outlet = sender.into_outlet();
    let link = Link::new(&Config::default(), &Arc::default());
    let mut receipts = Vec::new();
    for n in 0..5 {
        let (message, receipt) = message(n);
        link.try_push(Part::Messages, message).expect("room");
        receipts.push(receipt);
    }
    let opening = link.open(outlet.clone(), Arc::default());
    assert_eq!(link.len(), 3);
    let receive = async {
        for n in 0..5 {
            let received = far.recv().await.expect("raw").expect("open");
            assert_eq!(received.payload[..], [n]);
        }
    };
    tokio::select! {
        () = opening.run(&outlet) => panic!("the transport takes more"),
        () = receive => {}
    }
    for receipt in receipts {
        assert!(receipt.await.expect("told").is_sent());
    }
}

#[tokio::test]
async fn a_dropped_queue_tells_its_senders() {
    let stats = Arc::default();
    let link = Link::new(&Config::default(), &stats);
    let (message, receipt) = message(0);
    link.try_push(Part::Messages, message).expect("room");
    drop(link);
    assert!(matches!(receipt.await, Ok(Delivery::Failed(_))));
    assert_eq!(stats.snapshot().failed_closed, 1);
}
