//! Tests with a router that speaks only NAT-PMP, on a loopback address.
//!
//! The router in `tests/interop` speaks PCP too.

use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

use super::*;

const LOCAL: &str = "127.0.0.1:30303";

/// The mapping requests that the router received, as bytes.
type Asked = Arc<Mutex<Vec<[u8; 12]>>>;

/// Returns an address that no other test uses, in this or another process.
fn address(test: u8) -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, test, high, low.max(2))
}

/// Starts a router that answers requests for a mapping with this result.
async fn router(test: u8, result: u8) -> (Ipv4Addr, Asked) {
    let (router, asked) = (address(test), Asked::default());
    let socket = UdpSocket::bind((router, GATEWAY_PORT)).await.unwrap();
    let all = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut request = [0; 1100];
        while let Ok((length, from)) = socket.recv_from(&mut request).await {
            let answer = answer(&request[..length], result, &all);
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    (router, asked)
}

/// Answers as RFC 6886 specifies.
fn answer(request: &[u8], result: u8, asked: &Asked) -> Vec<u8> {
    let op = 0x80 | request[1];
    match request {
        [0, 0] => vec![0, op, 0, 0, 0, 0, 0, 1, 9, 8, 7, 6],
        [0, 1 | 2, _, _, port @ .., _, _, _, _, _, _] => {
            let whole: [u8; 12] = request.try_into().expect("12 bytes");
            asked.lock().unwrap().push(whole);
            let lease = &request[8..];
            let external: &[u8] = if lease == [0; 4] { &[0, 0] } else { &[16, 1] };
            [&[0, op, 0, result, 0, 0, 0, 1], port, external, lease].concat()
        }
        // A request of another version gets an error in the format of NAT-PMP.
        _ => vec![0, op, 0, 1, 0, 0, 0, 1],
    }
}

fn request(protocol: PortProtocol) -> PortRequest {
    PortRequest {
        protocol,
        local: LOCAL.parse().unwrap(),
        external: 30303,
        lease: Duration::from_secs(1200),
    }
}

#[tokio::test]
async fn a_router_without_pcp_maps_by_nat_pmp() {
    let (router, asked) = router(101, 0).await;
    let mut pmp = Pmp::new(Some(router));
    pmp.find().await.unwrap();
    for (protocol, op) in [(PortProtocol::Tcp, 2), (PortProtocol::Udp, 1)] {
        let mapping = pmp.map(request(protocol)).await.unwrap();
        assert_eq!(mapping.external, "9.8.7.6:4097".parse().unwrap());
        assert_eq!(mapping.lease, Some(Duration::from_secs(1200)));
        let wanted = [0, op, 0, 0, 0x76, 0x5f, 0x76, 0x5f, 0, 0, 4, 176];
        assert_eq!(asked.lock().unwrap().pop(), Some(wanted));
        pmp.unmap(request(protocol)).await.unwrap();
        let end = [0, op, 0, 0, 0x76, 0x5f, 0, 0, 0, 0, 0, 0];
        assert_eq!(asked.lock().unwrap().pop(), Some(end));
        // The router is asked only once to remove the mapping.
        pmp.unmap(request(protocol)).await.unwrap();
        assert_eq!(asked.lock().unwrap().pop(), None);
    }
    assert_eq!(pmp.external_ip().await.unwrap(), IpAddr::from([9, 8, 7, 6]));
}

#[tokio::test]
async fn a_refusal_names_the_router_and_the_port() {
    let (router, _asked) = router(102, 2).await;
    let mut pmp = Pmp::new(Some(router));
    let error = pmp.map(request(PortProtocol::Tcp)).await.unwrap_err();
    let text = error.to_string();
    let who = format!("router {router}, by PCP or NAT-PMP: TCP port 30303: ");
    assert!(text.starts_with(&who), "{text}");
    assert!(text.ends_with("Not authorized)"), "{text}");
}

#[tokio::test]
async fn without_a_router_none_is_found() {
    let mut pmp = Pmp::new(Some(address(103)));
    let error = pmp.find().await.unwrap_err();
    assert!(matches!(error, GatewayError::NotFound { .. }), "{error}");
}
