//! Keeps the node's ports mapped by a router, and updates the node's record.

mod renewal;

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::local_node::Own;
use super::nat::{DynGateway, GatewayError, PortMapping, PortProtocol, PortRequest};
use super::shared::Shared;
use super::suspend;
use crate::calendar::wall;
use crate::guarded::caught_async;
use crate::node::Reach;

use renewal::{LEASE, Renewal, Step};

/// The maximum time of a complete request to a router.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a stopping server waits for a router.
const UNMAP: Duration = Duration::from_secs(2);

/// The task that keeps the mappings.
pub(super) struct Mapper {
    shared: Arc<Shared>,
    gateway: Box<dyn DynGateway>,
    ports: Vec<Port>,
    /// The address that was last reported as mapped.
    told: Option<External>,
}

/// A port of the node.
struct Port {
    /// The request, with the external port that the router last chose.
    request: PortRequest,
    /// Whether the router maps the port to this node. Only then is the mapping removed at the end.
    is_mapped: bool,
}

/// The address and ports at which others reach the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct External {
    ip: IpAddr,
    tcp: Option<u16>,
    udp: Option<u16>,
}

impl Mapper {
    pub(super) fn new(shared: Arc<Shared>, gateway: Box<dyn DynGateway>) -> Self {
        let ip = shared.local_addr.map(|addr| addr.ip());
        let ip = ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let (tcp, udp) = shared.local_node.ports();
        let request = |protocol, port: Option<u16>| {
            port.map(|port| Port {
                request: PortRequest {
                    protocol,
                    local: SocketAddr::new(ip, port),
                    external: port,
                    lease: LEASE,
                },
                is_mapped: false,
            })
        };
        let ports = [
            request(PortProtocol::Tcp, tcp),
            request(PortProtocol::Udp, udp),
        ];
        Self {
            shared,
            gateway,
            ports: ports.into_iter().flatten().collect(),
            told: None,
        }
    }

    /// Runs until the server stops, and then removes the mappings.
    pub(super) async fn run(mut self) {
        let stopping = self.shared.tasks.stopping.clone();
        if self.ports.is_empty() {
            warn!("the node listens on no port that a router could map");
            stopping.cancelled().await;
            return;
        }
        stopping.run_until_cancelled(self.keep()).await;
        let removed = timeout(UNMAP, self.remove()).await;
        if removed.is_err() {
            debug!(after = ?UNMAP, "the router did not remove the mapping in time");
        }
    }

    async fn keep(&mut self) {
        let mut renewal = Renewal::new(Instant::now());
        loop {
            let (at, step) = renewal.next();
            tokio::select! {
                // After the machine has slept, both branches may be due. The clock's jump is then
                // handled first, and the step follows at once.
                biased;
                _ = suspend::jump(wall) => renewal.hurry(Instant::now()),
                () = sleep_until(at) => self.take(step, &mut renewal).await,
            }
        }
    }

    async fn take(&mut self, step: Step, renewal: &mut Renewal) {
        match step {
            Step::Map => match self.map().await {
                Ok((external, lease)) => {
                    renewal.mapped(Instant::now(), external.ip, lease);
                    self.tell(external, lease);
                }
                Err(error) => {
                    let retry_in = renewal.failed(Instant::now());
                    match self.told {
                        Some(_) => warn!(%error, ?retry_in, "the mapping is not yet renewed"),
                        None => warn!(%error, ?retry_in, "no router maps a port to this node"),
                    }
                }
            },
            Step::Check => {
                let asked = bounded(async { self.gateway.external_ip().await }).await;
                if let Err(error) = &asked {
                    debug!(%error, "the router does not report its address");
                }
                renewal.checked(Instant::now(), asked.ok());
            }
            Step::Lapse => {
                renewal.lapsed();
                self.told = None;
                for port in &mut self.ports {
                    port.is_mapped = false;
                }
                self.shared.local_node.set_mapped(None);
                warn!("the mapping by the router has ended");
            }
        }
    }

    /// Maps all ports, and returns the external address and the shortest lease.
    async fn map(&mut self) -> Result<(External, Option<Duration>), GatewayError> {
        let mut all = External {
            ip: Ipv4Addr::UNSPECIFIED.into(),
            tcp: None,
            udp: None,
        };
        let mut leases = Vec::new();
        for Port { request, is_mapped } in &mut self.ports {
            let mapping = bounded(async { self.gateway.map(*request).await }).await?;
            let PortMapping { external, lease } = mapping;
            let port = external.port();
            if port == 0 {
                return Err(GatewayError::PortZero { external });
            }
            request.external = port;
            *is_mapped = true;
            all.ip = external.ip().to_canonical();
            match request.protocol {
                PortProtocol::Tcp => all.tcp = Some(port),
                PortProtocol::Udp => all.udp = Some(port),
            }
            leases.extend(lease);
        }
        Ok((all, leases.into_iter().min()))
    }

    /// Logs a mapping and updates the record, if the mapping is new.
    ///
    /// An address that others cannot dial is not added to the record.
    fn tell(&mut self, external: External, lease: Option<Duration>) {
        if self.told == Some(external) {
            debug!(%external, ?lease, "the router renewed the mapping");
            return;
        }
        self.told = Some(external);
        let local = self.shared.local_addr.map(tracing::field::display);
        let is_public = Reach::of(external.ip) == Reach::Public;
        if is_public {
            let lease = lease.map(tracing::field::debug);
            info!(%external, local, lease, "a router maps the port to this node");
        } else {
            warn!(
                %external,
                local,
                "a router maps the port to this node, but its external address is not public: \
                 there is another router in front of it, so the node does not count as reachable"
            );
        }
        let External { ip, tcp, udp } = external;
        let own = is_public.then_some(Own { ip, tcp, udp });
        self.shared.local_node.set_mapped(own);
    }

    async fn remove(&mut self) {
        for Port { request, .. } in self.ports.iter().filter(|port| port.is_mapped) {
            let unmapped = bounded(async { self.gateway.unmap(*request).await }).await;
            match unmapped {
                Ok(()) => debug!(?request, "the mapping is removed"),
                Err(error) => debug!(%error, "the router did not remove the mapping"),
            }
        }
    }
}

/// Limits the time of a gateway's answer to [`ANSWER`], and catches its panics.
async fn bounded<T>(
    answer: impl Future<Output = Result<T, GatewayError>>,
) -> Result<T, GatewayError> {
    let answer = caught_async("the gateway", answer);
    match timeout(ANSWER, answer).await {
        Ok(answer) => answer.unwrap_or(Err(GatewayError::Panicked)),
        Err(_) => Err(GatewayError::TimedOut { after: ANSWER }),
    }
}

impl fmt::Display for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ip, tcp, udp } = self;
        write!(f, "{ip}")?;
        for (protocol, port) in [(PortProtocol::Tcp, tcp), (PortProtocol::Udp, udp)] {
            if let Some(port) = port {
                write!(f, ", {protocol} port {port}")?;
            }
        }
        Ok(())
    }
}
