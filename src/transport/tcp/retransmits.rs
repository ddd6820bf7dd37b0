use crate::metrics::table::TCP_RETRANSMITS;
use crate::metrics::{Counter, NodeLabel};

/// The kernel's counters for the bytes that a connection has sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    /// The approximate number of bytes not acknowledged in order.
    pub(super) unacknowledged: u64,
    /// Segments retransmitted since the start of the connection.
    pub(super) retransmits: u32,
}

/// Counts the segments that the kernel retransmits.
#[derive(Debug)]
pub(super) struct Retransmits {
    counted: u32,
    counter: Counter,
}

impl Retransmits {
    pub(super) fn new(node: &NodeLabel) -> Self {
        Self {
            counted: 0,
            counter: TCP_RETRANSMITS.of(node, []),
        }
    }

    pub(super) fn count(&mut self, sent: Sent) {
        let more = sent.retransmits.saturating_sub(self.counted);
        if more > 0 {
            self.counted = sent.retransmits;
            self.counter.increment(more.into());
        }
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;

    /// Returns the value of the only series after a test with its own recorder.
    fn counted(test: impl FnOnce()) -> u64 {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        metrics::with_local_recorder(&recorder, test);
        let series = snapshotter.snapshot().into_vec();
        let counters = series.iter().map(|(key, _, _, value)| match value {
            DebugValue::Counter(count) => (key.key().name(), Some(*count)),
            _ => (key.key().name(), None),
        });
        let counters: Vec<_> = counters.collect();
        let count = counters.iter().find_map(|(_, count)| *count);
        assert_eq!(counters, [("peermux_tcp_retransmits_total", count)]);
        count.unwrap_or_default()
    }

    #[test]
    fn each_segment_is_counted_once_however_often_the_kernel_is_asked() {
        let sum = counted(|| {
            let mut counter = Retransmits::new(&NodeLabel::default());
            // After the failure of a read, the default value is zero.
            for retransmits in [0, 3, 3, 0, 5] {
                counter.count(Sent {
                    retransmits,
                    ..Sent::default()
                });
            }
        });
        assert_eq!(sum, 5);
    }

    #[test]
    fn all_connections_of_a_server_add_to_its_series() {
        let sum = counted(|| {
            for retransmits in [2, 7] {
                let sent = Sent {
                    retransmits,
                    ..Sent::default()
                };
                Retransmits::new(&NodeLabel::default()).count(sent);
            }
        });
        assert_eq!(sum, 9);
    }

    /// A filter on the receiving socket drops each packet with an even number.
    ///
    /// So the kernel must send the packet again, with the next number.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn what_the_kernel_sends_again_is_counted_when_the_connection_closes() {
        use socket2::{SockFilter, SockRef};
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        use tokio::net::{TcpListener, TcpStream};

        use super::super::{SocketOptions, TcpTransport, kernel};
        use crate::transport::Transport;

        if !kernel::measures_rtt() {
            return;
        }
        let filter = [
            // Load the identification of the IP packet; test its last bit; accept or drop.
            SockFilter::new(0x28, 0, 0, 0xfff0_0004),
            SockFilter::new(0x45, 0, 1, 1),
            SockFilter::new(0x06, 0, 0, u32::MAX),
            SockFilter::new(0x06, 0, 0, 0),
        ];
        let mut told = 0;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let sum = counted(|| {
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
                let addr = listener.local_addr().expect("an address");
                let stream = TcpStream::connect(addr).await.expect("connects");
                let (mut far, _) = listener.accept().await.expect("accepts");
                SockRef::from(&far).attach_filter(&filter).expect("filters");
                let near = TcpTransport::new(stream, SocketOptions::default()).expect("a socket");
                let (_reader, mut writer) = near.split();
                while told == 0 {
                    writer.write_u8(1).await.expect("writes");
                    far.read_u8().await.expect("arrives");
                    let sent = kernel::sent(writer.half.as_ref()).expect("known");
                    told = sent.retransmits;
                }
            });
        });
        assert!(sum >= u64::from(told), "{sum} of {told}");
    }
}
