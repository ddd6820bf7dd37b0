//! A resolver that asks DNS servers.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, rdata::TXT};

use super::{LookupError, Resolver};

/// How long a server may take to answer before the resolver asks again.
const ANSWER: Duration = Duration::from_secs(2);

/// How many answers are cached, each for as long as its server allows.
///
/// Few are enough, because the [`Client`](super::Client) caches entries itself, without a time
/// limit.
const CACHE: u64 = 32;

/// Asks DNS servers over UDP, and over TCP for long answers.
///
/// It uses the crate `hickory-resolver`. No server is asked before a name is looked up.
#[derive(Clone)]
pub struct DnsResolver(TokioResolver);

impl DnsResolver {
    /// Returns a resolver that asks these servers, in this order.
    ///
    /// # Errors
    /// [`io::Error`] if `servers` is empty.
    pub fn servers(servers: &[SocketAddr]) -> io::Result<Self> {
        if servers.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no DNS server is given",
            ));
        }
        let servers = servers.iter().map(|server| {
            let mut config = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut config.connections {
                connection.port = server.port();
            }
            config
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        let mut options = ResolverOpts::default();
        options.timeout = ANSWER;
        options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        Self::new(config, options)
    }

    /// Returns a resolver that asks the servers in the system's configuration.
    ///
    /// It reads `/etc/resolv.conf`, or the Windows registry, once.
    ///
    /// # Errors
    /// [`io::Error`] if the configuration cannot be read.
    #[cfg(any(unix, windows))]
    pub fn system() -> io::Result<Self> {
        let (config, options) =
            hickory_resolver::system_conf::read_system_conf().map_err(io::Error::other)?;
        Self::new(config, options)
    }

    fn new(config: ResolverConfig, mut options: ResolverOpts) -> io::Result<Self> {
        options.cache_size = CACHE;
        options.use_hosts_file = ResolveHosts::Never;
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = builder.with_options(options).build();
        resolver.map(Self).map_err(io::Error::other)
    }
}

impl Resolver for DnsResolver {
    async fn texts(&self, name: &str) -> Result<Vec<String>, LookupError> {
        // The dot marks the name as complete, so that none of the system's search domains is
        // appended.
        let name = Name::from_ascii(format!("{name}.")).map_err(LookupError::failed)?;
        let answer = self.0.txt_lookup(name).await.map_err(not_answered)?;
        let records = answer.answers().iter();
        let texts = records.filter_map(|record| match &record.data {
            RData::TXT(text) => Some(joined(text)),
            _ => None,
        });
        Ok(texts.collect())
    }
}

fn not_answered(error: NetError) -> LookupError {
    if error.is_no_records_found() {
        LookupError::NotFound
    } else {
        LookupError::failed(error)
    }
}

/// Joins a record's strings. Bytes that are not UTF-8 result in a text that is not an entry.
fn joined(text: &TXT) -> String {
    String::from_utf8_lossy(&text.txt_data.concat()).into_owned()
}

impl fmt::Debug for DnsResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsResolver").finish_non_exhaustive()
    }
}
