use peermux::comm::CommError;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_finds_its_peer_and_is_acknowledged() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut inbox = everything(&b.comm);
    let receipts = a.comm.send(&text("hello"), &[b.peer()]);
    let message = next(&mut inbox).await;
    assert_eq!(content(&message), "hello");
    assert_eq!(message.sender().id, a.comm.id());
    for receipt in receipts {
        assert!(receipt.await.is_sent());
    }
    acknowledge_all(&b);
    let result = a
        .comm
        .send_with_ack(&text("please"), policy(1, 1000), &[b.peer()])
        .await
        .unwrap();
    assert_eq!((result.ack_count(), result.nack_count()), (1, 0));
    assert_eq!(net.dial_count(), 1);
    assert_eq!(
        (a.comm.connection_count(), b.comm.connection_count()),
        (1, 1)
    );
    assert!(a.comm.stop().await);
    assert!(b.comm.stop().await);
    let stopped = a.comm.probe(&b.peer()).await;
    assert!(matches!(stopped, Err(CommError::Stopped)), "{stopped:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_and_a_handshake_leave_no_connection_behind() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    a.comm.probe(&b.peer()).await.expect("answers");
    assert_eq!(b.comm.stats().refused, 0);
    let info = a.comm.handshake(&b.anybody()).await.expect("answers");
    assert_eq!(info.id, b.comm.id());
    assert_eq!(
        (a.comm.connection_count(), b.comm.connection_count()),
        (0, 0)
    );
    let wrong = a.comm.handshake(&b.under(a.comm.id())).await;
    assert!(
        matches!(wrong, Err(CommError::IdMismatch { .. })),
        "{wrong:?}"
    );
    tokio::time::sleep(SOON).await;
    assert!(net.peers(&b.id).is_empty());
}

#[test]
fn a_message_can_be_sent_from_outside_the_runtime() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    let net = Net::default();
    let (a, b) = runtime.block_on(async { (net.node(), net.node()) });
    let receipt = a.comm.send(&text("x"), &[b.peer()]).remove(0);
    assert!(runtime.block_on(receipt).is_sent());
}
