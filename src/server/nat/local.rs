//! The local network: its default router, and the node's address in it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

use super::{GatewayError, PortRequest};

/// An unused address (RFC 5737) to find the route to other networks. Nothing is sent to this
/// address.
const FAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);

/// Where Linux lists its routes.
const ROUTES: &str = "/proc/net/route";

/// Returns the router that leads to other networks.
///
/// If the system does not list the router, the result is the first address of the node's own /24,
/// since most home routers use that address.
pub(super) async fn default_router() -> io::Result<Ipv4Addr> {
    let listed = std::fs::read_to_string(ROUTES);
    if let Some(router) = listed.ok().and_then(|text| parse_routes(&text)) {
        return Ok(router);
    }
    let IpAddr::V4(own) = towards(FAR).await? else {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    };
    let [a, b, c, _] = own.octets();
    Ok(Ipv4Addr::new(a, b, c, 1))
}

/// Returns the gateway of the default route with the lowest metric.
fn parse_routes(text: &str) -> Option<Ipv4Addr> {
    /// The route is up and has a gateway.
    const FLAGS: u32 = 0x3;
    let routes = text.lines().skip(1).filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let hex = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        let is_default = hex(1)? == 0 && hex(7)? == 0 && hex(3)? & FLAGS == FLAGS;
        let metric: u32 = fields.get(6)?.parse().ok()?;
        // The text shows the kernel's memory, in which the address is in network byte order.
        let router = Ipv4Addr::from(hex(2)?.to_ne_bytes());
        is_default.then_some((metric, router))
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, ip)| ip)
}

/// Returns the address that this machine uses on the route to `other`. Nothing is sent.
async fn towards(other: SocketAddr) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(other).await?;
    Ok(socket.local_addr()?.ip())
}

/// Returns the node's address to which the router must forward packets.
pub(super) async fn address(
    request: &PortRequest,
    router: SocketAddr,
) -> Result<SocketAddr, GatewayError> {
    let local = request.local;
    let wrong = || GatewayError::Local { local };
    let ip = match local.ip().to_canonical() {
        ip if ip.is_unspecified() => towards(router).await.map_err(|_| wrong())?,
        ip => ip,
    };
    // Only a router on this machine can reach a loopback address.
    let is_reached = !ip.is_loopback() || router.ip().is_loopback();
    if ip.is_ipv4() && is_reached && local.port() != 0 {
        Ok(SocketAddr::new(ip, local.port()))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::server::PortProtocol;

    #[test]
    fn the_default_route_with_the_lowest_metric_is_used() {
        let hex = |ip: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(ip));
        let line = |to, via, flags, metric, mask| {
            let (to, via, mask) = (hex(to), hex(via), hex(mask));
            format!("eth0\t{to}\t{via}\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0\n")
        };
        let head =
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
        let none = [0; 4];
        let lines = [
            line(none, [10, 0, 0, 1], "0003", 100, none),
            line(none, [10, 0, 0, 2], "0003", 20, none),
            // These are not default routes: the first has no gateway, the second is down, the third
            // leads to one network, and the last to half of all addresses.
            line(none, none, "0001", 0, none),
            line(none, [10, 0, 0, 3], "0002", 0, none),
            line([10, 0, 0, 0], [10, 0, 0, 4], "0003", 0, [255, 0, 0, 0]),
            line(none, [10, 0, 0, 5], "0003", 0, [128, 0, 0, 0]),
            "nonsense\n".to_owned(),
        ];
        let text = [&[head.to_owned()], &lines[..]].concat().concat();
        assert_eq!(parse_routes(&text), Some([10, 0, 0, 2].into()));
        assert_eq!(parse_routes(head), None);
        assert_eq!(parse_routes(""), None);
    }

    #[tokio::test]
    async fn a_router_forwards_to_the_address_on_its_side_or_to_the_bound_one() {
        let here: SocketAddr = "127.0.0.1:5351".parse().unwrap();
        let router: SocketAddr = "192.0.2.1:5351".parse().unwrap();
        let found = async |local: &str, router| {
            let request = PortRequest {
                protocol: PortProtocol::Tcp,
                local: local.parse().unwrap(),
                external: 1,
                lease: Duration::ZERO,
            };
            let found = address(&request, router).await;
            found.map(|found| found.to_string()).ok()
        };
        assert_eq!(found("[::]:5", here).await.as_deref(), Some("127.0.0.1:5"));
        let bound = "192.0.2.7:5";
        assert_eq!(found(bound, router).await.as_deref(), Some(bound));
        for local in ["127.0.0.1:5", "[2001:db8::1]:5", "192.0.2.7:0"] {
            assert_eq!(found(local, router).await, None, "{local}");
        }
    }
}
