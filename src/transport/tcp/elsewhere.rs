//! Stubs for systems without path measurement: the kernel decides all bounds.

use std::time::Duration;

use tokio::net::TcpStream;

use super::Sent;

pub(super) fn measures_rtt() -> bool {
    false
}

pub(super) fn min_rtt(_: &TcpStream) -> Option<Duration> {
    None
}

pub(super) fn sent(_: &TcpStream) -> Option<Sent> {
    None
}

pub(super) fn set_window(_: &TcpStream, _: u32) {}

pub(super) fn set_unsent(_: &TcpStream, _: u32) {}

pub(super) fn unsent(_: &TcpStream) -> Option<u32> {
    None
}

pub(super) fn send_buffer(_: &TcpStream) -> Option<u64> {
    None
}
