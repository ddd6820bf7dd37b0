use std::time::Duration;

use peermux::rlp::Rlp;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The certificates on the path to a root.
pub(super) struct Path {
    pub(super) length: usize,
    /// The earliest time at which a certificate on the path expires.
    pub(super) expires: Duration,
}

/// Returns the path from the first certificate to a root.
pub(super) fn to_root(identity: &[u8], roots: &[&[u8]]) -> Option<Path> {
    let roots: Vec<_> = roots.iter().map(|root| parse(root)).collect();
    let list = Rlp::new(identity);
    // Certificates after the path may be anything.
    let mut chain = list.iter().map(|one| one.data().expect("a string"));
    let mut certificate = parse(chain.next()?);
    let mut expires = i64::MAX;
    for length in 1.. {
        expires = expires.min(certificate.validity().not_after.timestamp());
        if roots.iter().any(|root| is_issued(&certificate, root)) {
            return Some(Path {
                length,
                expires: Duration::from_secs(u64::try_from(expires).ok()?),
            });
        }
        let next = parse(chain.next()?);
        if !(next.is_ca() && is_issued(&certificate, &next)) {
            return None;
        }
        certificate = next;
    }
    None
}

fn parse(der: &[u8]) -> X509Certificate<'_> {
    X509Certificate::from_der(der).expect("a certificate").1
}

fn is_issued(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    let key = issuer.public_key();
    certificate.issuer().as_raw() == issuer.subject().as_raw()
        && certificate.verify_signature(Some(key)).is_ok()
}
