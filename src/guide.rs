//! The guide: how to write a protocol and run a node, and what to expect.
//!
//! The tests compile and run every program in the guide.
//!
//! | chapter | what it shows |
//! |---|---|
//! | [A first protocol](first_protocol) | a protocol in 25 lines, step by step |
//! | [Messages](messages) | types, bounds, versions, raw bytes |
//! | [Requests](requests) | requests with answers: to one peer, to any peer |
//! | [Broadcast and slow peers](broadcast) | sending to all, queues, backpressure, rates |
//! | [Errors and disconnects](errors) | failures, the side at fault, what the remote sees |
//! | [Testing](testing) | tests without a network, in virtual time |
//! | [A protocol in an afternoon](protocols) | the chapters above in one program |
//! | [Connections](connections) | static nodes, the address book, bans, events |
//! | [Finding peers](discovery) | discovery, bootnodes, lists in the DNS |
//! | [Reachability](reach) | addresses, routers, NAT |
//! | [Messages to identities](comm) | `comm`: send, acknowledge, probe, accept |
//! | [Operating a node](operating) | watch it, find a slow peer, run it as a service |
//! | [Metrics](metrics) | what a node counts, and which questions the metrics answer |
//! | [JSON](json) | what the command line prints for programs |
//! | [Containers](containers), [Backup and upgrade](backup) | images, manifests, a node's data |
//! | [Limits](limits) | every bound, its setting and its reason |
//! | [Security](security) | the cost of attacks |
//! | [Clients](clients), [What was tested](interop) | go-ethereum, reth, EthereumJS |
//! | [How a message travels](journey) | from `send` to `recv` |
//! | [Coming from go-ethereum and reth](coming_from) | their interfaces and this one, side by side |
//! | [Benchmarks](benchmarks) | speed and memory, and how they were measured |
//! | [Terms](terms) | the words of the guide, in one sentence each |

/// Expands to the rustdoc targets of the links between chapters.
///
/// In the Markdown files themselves, the same links lead to other Markdown files.
macro_rules! links {
    () => {
        concat!(
            "[backup.md]: crate::guide::backup\n",
            "[benchmarks.md]: crate::guide::benchmarks\n",
            "[broadcast.md]: crate::guide::broadcast\n",
            "[clients.md]: crate::guide::clients\n",
            "[coming-from.md]: crate::guide::coming_from\n",
            "[comm.md]: crate::guide::comm\n",
            "[connections.md]: crate::guide::connections\n",
            "[containers.md]: crate::guide::containers\n",
            "[discovery.md]: crate::guide::discovery\n",
            "[errors.md]: crate::guide::errors\n",
            "[first-protocol.md]: crate::guide::first_protocol\n",
            "[interop.md]: crate::guide::interop\n",
            "[journey.md]: crate::guide::journey\n",
            "[json.md]: crate::guide::json\n",
            "[limits.md]: crate::guide::limits\n",
            "[messages.md]: crate::guide::messages\n",
            "[metrics.md]: crate::guide::metrics\n",
            "[operating.md]: crate::guide::operating\n",
            "[protocols.md]: crate::guide::protocols\n",
            "[reach.md]: crate::guide::reach\n",
            "[requests.md]: crate::guide::requests\n",
            "[security.md]: crate::guide::security\n",
            "[terms.md]: crate::guide::terms\n",
            "[testing.md]: crate::guide::testing\n",
            "[metrics.md#why-do-my-peers-drop]: crate::guide::metrics#why-do-my-peers-drop\n",
            "[../ARCHITECTURE.md]: https://github.com/peermux/peermux/blob/main/ARCHITECTURE.md\n",
            "[../CHANGELOG.md]: https://github.com/peermux/peermux/blob/main/CHANGELOG.md\n",
            "[../SECURITY.md]: https://github.com/peermux/peermux/blob/main/SECURITY.md\n",
            "[../contrib/container]: https://github.com/peermux/peermux/blob/main/contrib/container\n",
            "[../contrib/container/compose.yaml]: https://github.com/peermux/peermux/blob/main/contrib/container/compose.yaml\n",
            "[../contrib/grafana]: https://github.com/peermux/peermux/blob/main/contrib/grafana\n",
            "[../contrib/kubernetes]: https://github.com/peermux/peermux/blob/main/contrib/kubernetes\n",
            "[../contrib/kubernetes/balancers]: https://github.com/peermux/peermux/blob/main/contrib/kubernetes/balancers\n",
            "[../contrib/kubernetes/base]: https://github.com/peermux/peermux/blob/main/contrib/kubernetes/base\n",
            "[../contrib/kubernetes/base/kustomization.yaml]: https://github.com/peermux/peermux/blob/main/contrib/kubernetes/base/kustomization.yaml\n",
            "[../contrib/kubernetes/base/node.toml]: https://github.com/peermux/peermux/blob/main/contrib/kubernetes/base/node.toml\n",
            "[../contrib/kubernetes/hosts]: https://github.com/peermux/peermux/blob/main/contrib/kubernetes/hosts\n",
            "[../contrib/kubernetes/monitoring]: https://github.com/peermux/peermux/blob/main/contrib/kubernetes/monitoring\n",
            "[../fuzz/README.md]: https://github.com/peermux/peermux/blob/main/fuzz/README.md\n",
            "\n"
        )
    };
}

/// Declares the chapters, each with its file and the API items that it covers.
macro_rules! chapters {
    ($($(#[$see:meta])* $name:ident = $file:literal;)*) => {
        $(
            #[doc = links!()]
            #[doc = include_str!(concat!("../docs/", $file))]
            $(#[$see])*
            pub mod $name {}
        )*
    };
}

chapters! {
    #[doc = "\n\nIn the API: [`Server`](crate::Server), [`Protocol`](crate::Protocol), [`ProtocolConn`](crate::ProtocolConn), [`Peer`](crate::Peer), [`SecretKey`](crate::SecretKey)."]
    first_protocol = "first-protocol.md";
    #[doc = "\n\nIn the API: [`messages!`](crate::messages!), [`RlpValue`](crate::RlpValue), [`Message`](crate::Message), [`MessageError`](crate::MessageError), [`Encoded`](crate::Encoded)."]
    messages = "messages.md";
    #[doc = "\n\nIn the API: [`requests`](crate::requests), [`Requests`](crate::requests::Requests), [`RequestConfig`](crate::requests::RequestConfig), [`RequestError`](crate::requests::RequestError)."]
    requests = "requests.md";
    #[doc = "\n\nIn the API: [`Server::broadcast`](crate::Server::broadcast), [`BroadcastPolicy`](crate::server::BroadcastPolicy), [`ProtocolLimits`](crate::ProtocolLimits), [`Quota`](crate::Quota), [`Class`](crate::Class), [`ProtocolSender`](crate::ProtocolSender)."]
    broadcast = "broadcast.md";
    #[doc = "\n\nIn the API: [`PeerError`](crate::PeerError), [`PeerOutcome`](crate::PeerOutcome), [`ProtocolError`](crate::ProtocolError), [`DialError`](crate::DialError), [`DisconnectReason`](crate::DisconnectReason), [`Fault`](crate::Fault), [`Stage`](crate::Stage)."]
    errors = "errors.md";
    #[cfg_attr(feature = "test-util", doc = "\n\nIn the API: [`testing`](crate::testing), [`Scripted`](crate::testing::Scripted), [`connect`](crate::testing::connect).")]
    testing = "testing.md";
    protocols = "protocols.md";
    #[doc = "\n\nIn the API: [`Server`](crate::Server), [`ServerConfig`](crate::ServerConfig), [`ServerBuilder`](crate::ServerBuilder), [`connmgr`](crate::connmgr)."]
    #[cfg_attr(feature = "addrbook", doc = "\n\nIn the API: [`addrbook`](crate::addrbook).")]
    connections = "connections.md";
    #[cfg_attr(feature = "discv4", doc = "\n\nIn the API: [`discv4`](crate::discv4).")]
    #[cfg_attr(feature = "discv5", doc = "\n\nIn the API: [`discv5`](crate::discv5).")]
    #[cfg_attr(feature = "dns", doc = "\n\nIn the API: [`dns`](crate::dns).")]
    discovery = "discovery.md";
    reach = "reach.md";
    #[cfg_attr(feature = "comm", doc = "\n\nIn the API: [`comm`](crate::comm).")]
    comm = "comm.md";
    operating = "operating.md";
    metrics = "metrics.md";
    json = "json.md";
    containers = "containers.md";
    backup = "backup.md";
    #[doc = "\n\nIn the API: [`ServerConfig`](crate::ServerConfig), [`PeerConfig`](crate::PeerConfig), [`MemoryLimits`](crate::MemoryLimits), [`ProtocolLimits`](crate::ProtocolLimits)."]
    limits = "limits.md";
    security = "security.md";
    clients = "clients.md";
    interop = "interop.md";
    journey = "journey.md";
    coming_from = "coming-from.md";
    benchmarks = "benchmarks.md";
    terms = "terms.md";
}
