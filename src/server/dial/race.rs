//! Tries several addresses of one node, see [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305).

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::sleep;

use crate::connmgr::ConnectError;

/// The wait before the next address is also tried, from section 8 of the RFC.
const STAGGER: Duration = Duration::from_millis(250);

/// The maximum number of addresses to try per node, so that each has enough time.
const MOST: usize = 8;

/// Returns addresses in the order of the attempts, as in section 4 of the RFC.
///
/// The families alternate, beginning with that of the first address. Within each family, the order
/// is unchanged.
pub(super) fn in_turn(addrs: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let addrs: Vec<_> = addrs.into_iter().collect();
    let first = addrs.first().is_some_and(SocketAddr::is_ipv4);
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for addr in addrs {
        let family = if addr.is_ipv4() == first {
            &mut same
        } else {
            &mut other
        };
        if !family.contains(&addr) {
            family.push(addr);
        }
    }
    let mut other = other.into_iter();
    let mut mixed = Vec::new();
    for addr in same {
        mixed.push(addr);
        mixed.extend(other.next());
    }
    mixed.extend(other);
    mixed.truncate(MOST);
    mixed
}

/// Connects to the first address that answers, as in section 5 of the RFC.
///
/// The next attempt begins when an attempt has failed, or after [`STAGGER`]. If all attempts fail,
/// returns the first error about the remote. If no error is about the remote, returns the last
/// error. Returns `None` if `addrs` is empty.
pub(super) async fn first_of<T, F>(
    addrs: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> Option<Result<T, ConnectError>>
where
    F: Future<Output = Result<T, ConnectError>>,
{
    let mut waiting = addrs.into_iter();
    let mut begun = FuturesUnordered::new();
    let mut failed: Option<ConnectError> = None;
    loop {
        begun.extend(waiting.next().map(&connect));
        let stagger = async {
            match waiting.len() {
                0 => pending().await,
                _ => sleep(STAGGER).await,
            }
        };
        let ended = tokio::select! {
            // Attempts are polled first, so that no other attempt begins once a connection is open.
            biased;
            ended = begun.next() => ended,
            () = stagger => continue,
        };
        match ended {
            Some(Ok(stream)) => return Some(Ok(stream)),
            Some(Err(error)) => {
                failed = failed.filter(|first| !first.is_local()).or(Some(error));
            }
            None => return failed.map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;

    const SILENT: Duration = Duration::from_secs(1000);

    fn addrs<const N: usize>(texts: [&str; N]) -> Vec<SocketAddr> {
        texts.map(|text| text.parse().unwrap()).to_vec()
    }

    #[test]
    fn families_take_turns() {
        let found = addrs(["[::1]:1", "[::2]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        let order = addrs(["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(in_turn(found), order);
        let many = (0..100).map(|port| SocketAddr::from(([1, 1, 1, 1], port)));
        assert_eq!(in_turn(many).len(), MOST);
        assert_eq!(in_turn([]), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_first_address_causes_a_short_delay() {
        let begun = Instant::now();
        let found = first_of(addrs(["[::1]:1", "1.1.1.1:1"]), async |addr| {
            if addr.is_ipv6() {
                sleep(SILENT).await;
            }
            Ok(addr)
        });
        let found = found.await.unwrap().unwrap();
        assert!(found.is_ipv4());
        assert_eq!(begun.elapsed(), STAGGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_first_address_may_still_win() {
        let found = first_of(addrs(["[::1]:1", "1.1.1.1:1"]), async |addr| {
            sleep(if addr.is_ipv6() { 2 * STAGGER } else { SILENT }).await;
            Ok(addr)
        });
        assert!(found.await.unwrap().unwrap().is_ipv6());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_ends_the_wait_and_errors_about_the_remote_take_precedence() {
        let (begun, tried) = (Instant::now(), Mutex::new(0));
        let found = first_of(addrs(["[::1]:1", "1.1.1.1:1", "[::2]:1"]), async |addr| {
            *tried.lock().unwrap() += 1;
            Err::<(), _>(if addr.is_ipv4() {
                ConnectError::Refused
            } else {
                ConnectError::NoRoute
            })
        });
        let error = found.await.unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::Refused), "{error}");
        assert_eq!(
            (begun.elapsed(), *tried.lock().unwrap()),
            (Duration::ZERO, 3)
        );
        let nothing = first_of(Vec::new(), async |_| Ok(()));
        assert!(nothing.await.is_none());
    }
}
