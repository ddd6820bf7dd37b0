//! Filters, sources and listeners that panic do not end the manager.

use std::io;

use peermux::connmgr::{AddressSource, DialFilter, Filter, Listener, ManagerError, Refusal};
use peermux::testing::memory_listener;

use super::*;

/// A filter that panics at one number.
struct Superstitious(u32);

impl Filter<u32> for Superstitious {
    fn accept(&self, addr: &u32) -> Result<(), Refusal> {
        self.dial(&Candidate::new(*addr))
    }

    fn dial(&self, candidate: &Candidate<u32>) -> Result<(), Refusal> {
        assert_ne!(*candidate.addr(), self.0);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_panics_refuses() {
    let (listener, caller) = memory_listener();
    let builder = ConnManager::builder(open_dialer())
        .config(explicit_only())
        .filter(Superstitious(13));
    let (handle, mut events) = start(builder.listener(listener));
    let mut call = caller.call(13).await;
    let refusal = Refusal::Other("the filter panicked");
    match next(&mut events).await {
        ConnEvent::InboundRejected { addr: 13, cause } => assert_eq!(cause, refusal),
        other => panic!("{other:?}"),
    }
    assert!(at_end(&mut call).await);
    let refused = handle.connect(13).await.map(drop);
    assert_eq!(refused, Err(ManagerError::Refused(refusal)));
    handle.connect(14).await.expect("the manager runs");
    assert_eq!(*opened(&mut events).await.addr(), 14);
}

/// A source that panics at every other call.
struct Moody<T>(bool, T);

impl<T> Moody<T> {
    fn turn(&mut self) {
        self.0 = !self.0;
        assert!(!self.0, "a panic in a test");
    }
}

impl AddressSource<Candidate<u32>> for Moody<VecDeque<Candidate<u32>>> {
    async fn next(&mut self, filter: &DialFilter<Candidate<u32>>) -> Option<Candidate<u32>> {
        self.turn();
        self.1.next(filter).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_asked_again() {
    let config = ConnConfig::default().with_target(3);
    let builder = ConnManager::builder(open_dialer()).config(config);
    let (_handle, mut events) = start(builder.source(Moody(false, numbers(0..3))));
    let mut conns = Vec::new();
    for _ in 0..3 {
        conns.push(opened(&mut events).await);
    }
}

impl<L: Listener> Listener for Moody<L> {
    type Addr = L::Addr;
    type Io = L::Io;

    async fn accept(&mut self) -> io::Result<(L::Io, L::Addr)> {
        self.turn();
        self.1.accept().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_is_tried_again() {
    let (listener, caller) = memory_listener();
    let builder = ConnManager::builder(open_dialer()).config(explicit_only());
    let (_handle, mut events) = start(builder.listener(Moody(false, listener)));
    let mut conns = Vec::new();
    for number in 1..4 {
        let _far = caller.call(number).await;
        conns.push(opened(&mut events).await);
    }
}
