//! Identities that are certificates, both trusted and false.

use peermux::comm::X509Identity;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384,
};

/// The name of each authority. It is the same for all, so that any of them may have issued any
/// certificate.
const NAME: &str = "root";

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

/// Returns an identity with its own authority.
pub(crate) fn trusted() -> X509Identity {
    let root = Authority::new(None);
    root.identity(&[], &[&root.certificate])
}

/// Returns an identity with as many false certificates as possible. A search for a path among them
/// would take the longest.
pub(crate) fn untrusted() -> X509Identity {
    let root = Authority::new(None);
    let above: Vec<_> = (0..7).map(|_| Authority::new(Some(&root))).collect();
    let chain: Vec<_> = above.iter().map(|one| &one.certificate[..]).collect();
    above[0].identity(&chain, &[])
}

impl Authority {
    fn new(above: Option<&Self>) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, NAME);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
        let signed = match above {
            Some(above) => params.signed_by(&key, &above.issuer),
            None => params.self_signed(&key),
        };
        let certificate = signed.expect("signed").der().to_vec();
        let issuer = Issuer::new(params, key);
        Self {
            issuer,
            certificate,
        }
    }

    fn identity(&self, above: &[&[u8]], roots: &[&[u8]]) -> X509Identity {
        let params = CertificateParams::new(vec!["node.example".to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let own = params.signed_by(&key, &self.issuer).expect("signed");
        let chain = [&[&own.der()[..]], above].concat();
        X509Identity::new(&chain, &key.serialize_der(), roots).expect("they fit")
    }
}
