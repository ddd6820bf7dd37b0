//! Reads the kernel's measurements of a path, and sets the bounds of its two directions.

use std::ffi::OsString;
use std::sync::LazyLock;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::sockopt::GetOsString;
use nix::sys::socket::{getsockopt, setsockopt};
use nix::sys::utsname::uname;
use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpStream;

use super::Sent;

/// The 32-bit words of `struct tcp_info` that are read, up to `tcpi_min_rtt`.
const INFO_WORDS: usize = 38;
/// The index of `tcpi_snd_mss`, which counts bytes.
const SEGMENT_SIZE: usize = 4;
/// The index of `tcpi_unacked`, which counts segments.
const UNACKNOWLEDGED: usize = 6;
/// The index of `tcpi_total_retrans`, which counts segments.
const RETRANSMITS: usize = 25;
/// The index of `tcpi_notsent_bytes`, which counts bytes.
const NOT_SENT: usize = 36;
/// The index of `tcpi_min_rtt`, which counts microseconds.
const MIN_RTT: usize = 37;
/// The value of `tcpi_min_rtt` before the kernel's first measurement.
const UNKNOWN: u32 = u32::MAX;

sockopt_impl!(
    Info,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    [u32; INFO_WORDS]
);
#[derive(Clone, Copy)]
struct InfoLength;
sockopt_impl!(
    WindowClamp,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_WINDOW_CLAMP,
    u32
);

// The option `TCP_INFO` as a text, so that the actual length of the result is known.
getsockopt_impl!(
    InfoLength,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    OsString,
    GetOsString<Filled>
);

/// A buffer whose content is overwritten when it is read.
///
/// `nix` ends a text at its first zero byte, and `tcp_info` contains many. Only its length counts.
struct Filled([u8; 4 * INFO_WORDS]);

impl AsMut<[u8]> for Filled {
    fn as_mut(&mut self) -> &mut [u8] {
        self.0.fill(1);
        &mut self.0
    }
}

/// Whether the kernel reports `tcpi_min_rtt`, as Linux does since 4.6.
///
/// Systems that imitate Linux, and emulators of other processors, may return a `tcp_info` that is
/// too short for [`INFO_WORDS`], so its length is checked, too.
static MEASURES_RTT: LazyLock<bool> = LazyLock::new(|| is_new() && info_is_whole().unwrap_or(true));

fn is_new() -> bool {
    let system = uname().ok();
    let release = system.as_ref().and_then(|system| system.release().to_str());
    let version = release.and_then(version);
    version.is_some_and(|version| version >= (4, 6))
}

/// Returns whether `tcp_info` is complete; `None` if no socket can be opened.
fn info_is_whole() -> Option<bool> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    let info = getsockopt(&socket, InfoLength).ok()?;
    Some(info.len() == 4 * INFO_WORDS)
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

/// Returns whether [`min_rtt`] can work at all.
pub(super) fn measures_rtt() -> bool {
    *MEASURES_RTT
}

/// Returns the shortest round trip of the last few minutes.
pub(super) fn min_rtt(stream: &TcpStream) -> Option<Duration> {
    let micros = info(stream)?[MIN_RTT];
    (micros != UNKNOWN).then(|| Duration::from_micros(micros.into()))
}

/// Returns how many bytes wait in the kernel to be sent for the first time.
pub(super) fn unsent(stream: &TcpStream) -> Option<u32> {
    info(stream).map(|info| info[NOT_SENT])
}

/// Returns the counters for sent bytes.
pub(super) fn sent(stream: &TcpStream) -> Option<Sent> {
    info(stream).map(|info| Sent {
        unacknowledged: u64::from(info[UNACKNOWLEDGED]) * u64::from(info[SEGMENT_SIZE]),
        retransmits: info[RETRANSMITS],
    })
}

fn info(stream: &TcpStream) -> Option<[u32; INFO_WORDS]> {
    measures_rtt()
        .then(|| getsockopt(stream, Info).ok())
        .flatten()
}

/// Bounds the bytes that the remote may have in flight to us.
pub(super) fn set_window(stream: &TcpStream, bytes: u32) {
    // The connection also works without the bound, but with longer queues.
    let _ = setsockopt(stream, WindowClamp, &bytes);
}

/// Bounds the bytes that wait in the kernel to be sent for the first time.
pub(super) fn set_unsent(stream: &TcpStream, bytes: u32) {
    // As above, the connection also works without the bound.
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(bytes);
}

/// Returns the size of the send buffer, in bytes.
pub(super) fn send_buffer(stream: &TcpStream) -> Option<u64> {
    SockRef::from(stream)
        .send_buffer_size()
        .ok()
        .map(|size| size as u64)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn releases_are_compared_by_their_first_two_numbers() {
        assert_eq!(version("6.18.44-generic"), Some((6, 18)));
        assert_eq!(version("4.4.0"), Some((4, 4)));
        assert_eq!(version("5.10"), Some((5, 10)));
        assert_eq!(version("unknown"), None);
    }

    /// On other processors, the tests may run in an emulator.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_new_kernel_measures_round_trips() {
        assert_eq!(measures_rtt(), is_new());
    }

    #[tokio::test]
    async fn both_ends_of_a_connection_know_its_round_trip() -> std::io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut dialled = TcpStream::connect(listener.local_addr()?).await?;
        let (mut accepted, _) = listener.accept().await?;
        dialled.write_all(b"a").await?;
        accepted.read_u8().await?;
        for stream in [&dialled, &accepted] {
            assert_eq!(min_rtt(stream).is_some(), measures_rtt());
        }
        assert!(send_buffer(&dialled).is_some_and(|bytes| bytes > 0));
        assert_eq!(unsent(&dialled), measures_rtt().then_some(0));
        assert_eq!(sent(&dialled).is_some(), measures_rtt());
        assert_eq!(
            sent(&dialled).map(|sent| sent.retransmits),
            unsent(&dialled)
        );
        Ok(())
    }
}
