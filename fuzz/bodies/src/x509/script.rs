use std::collections::HashSet;
use std::sync::OnceLock;

use peermux::rlp::RlpStream;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ED25519, SigningKey, date_time_ymd,
};
use sha2::{Digest, Sha256};

use super::super::input::Input;
use super::MAX_CHAIN;

/// Keys are numbers. The first certificate's key is 0, the keys of the others are their positions,
/// and the roots have their own.
pub(super) const LEAF_KEY: u8 = 0;
const ROOT_KEYS: [u8; 3] = [0x80, 0x81, 0x82];
/// The names of the roots. The third root is not trusted and uses the name of the first.
const ROOT_NAMES: [&str; 3] = ["root", "other", "root"];
const ORGANISATION: &str = "peermux";
/// The maximum number of certificates between the first one and a root.
const MAX_BETWEEN: usize = 6;

/// Returns a secret key in the form of RFC 8410.
pub(super) fn pkcs8(key: u8) -> Vec<u8> {
    let header = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    [&header[..], &[key + 1; 32]].concat()
}

fn key_pair(key: u8) -> &'static KeyPair {
    static PAIRS: [OnceLock<KeyPair>; 256] = [const { OnceLock::new() }; 256];
    PAIRS[usize::from(key)].get_or_init(|| {
        let der = pkcs8(key).into();
        KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519).expect("a key")
    })
}

pub(super) fn sign(key: u8, message: &[u8]) -> Vec<u8> {
    key_pair(key).sign(message).expect("a signature")
}

/// Returns a public key with its algorithm, without the outer header.
pub(super) fn public_key_info(key: u8) -> Vec<u8> {
    let algorithm = b"\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
    [&algorithm[..], key_pair(key).public_key_raw()].concat()
}

/// Returns the organisation as documented for the identity.
pub(super) fn organisation(issuer: &[u8]) -> Vec<u8> {
    [&Sha256::digest(issuer)[..], ORGANISATION.as_bytes()].concat()
}

/// Returns the identity that is sent for these certificates.
pub(super) fn identity(certificates: &[Vec<u8>]) -> Vec<u8> {
    let mut list = RlpStream::new_list(certificates.len());
    for certificate in certificates {
        list.append(certificate);
    }
    list.out().to_vec()
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = Default::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn issuer(name: &str, key: u8) -> Issuer<'static, &'static KeyPair> {
    Issuer::new(named(name), key_pair(key))
}

/// The certificates of the roots.
pub(super) struct Roots([Vec<u8>; 3]);

impl Roots {
    pub(super) fn new() -> Self {
        let certificates = [0, 1, 2].map(|index| {
            let mut params = named(ROOT_NAMES[index]);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let root = params.self_signed(key_pair(ROOT_KEYS[index]));
            root.expect("a root").der().to_vec()
        });
        Self(certificates)
    }

    pub(super) fn trusted(&self) -> [&[u8]; 2] {
        [&self.0[0], &self.0[1]]
    }
}

/// The certificates to issue, beginning with the first one of the identity. They are in the correct
/// order unless the input changes the order.
pub(super) struct Script {
    links: Vec<Link>,
    /// The root that issues the last certificate.
    root: usize,
    /// Whether the root's certificate is sent too.
    with_root: bool,
}

/// One certificate, which is valid if all flags are false.
#[derive(Clone, Copy, Default)]
struct Link {
    wrong_signer: bool,
    wrong_issuer: bool,
    wrong_role: bool,
    wrong_usage: bool,
    expired: bool,
    early: bool,
    /// How many authorities may be between this certificate and the first one.
    path: Option<u8>,
    /// The number of the subject, which another certificate may have too.
    subject: Option<usize>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            links: vec![Link::default()],
            root: 0,
            with_root: false,
        }
    }
}

impl Script {
    pub(super) fn read(input: &mut Input<'_>) -> Self {
        let choice = input.byte();
        let (count, root) = (usize::from(choice % 10) + 1, usize::from(choice / 10 % 3));
        Self {
            links: (0..count).map(|_| Link::read(input)).collect(),
            root,
            with_root: choice >= 0x80,
        }
    }

    fn subject(&self, index: usize) -> String {
        match self.links.get(index).map(|link| link.subject) {
            Some(Some(one)) => ["root", "other", "1", "2"][one].to_owned(),
            Some(None) => index.to_string(),
            None => ROOT_NAMES[self.root].to_owned(),
        }
    }

    fn issuer(&self, index: usize) -> String {
        if self.links[index].wrong_issuer {
            "nobody".to_owned()
        } else {
            self.subject(index + 1)
        }
    }

    /// Returns the key that signs the certificate at an index.
    fn signer(&self, index: usize) -> u8 {
        let next = u8::try_from(index + 1).expect("few");
        if self.links[index].wrong_signer {
            0x70
        } else if index + 1 == self.links.len() {
            ROOT_KEYS[self.root]
        } else {
            next
        }
    }

    pub(super) fn issue(&self, roots: &Roots) -> Vec<Vec<u8>> {
        let mut certificates: Vec<_> = (0..self.links.len())
            .map(|index| {
                let key = key_pair(u8::try_from(index).expect("few"));
                let issuer = issuer(&self.issuer(index), self.signer(index));
                let params = self.params(index);
                let certificate = params.signed_by(key, &issuer);
                certificate.expect("a certificate").der().to_vec()
            })
            .collect();
        if self.with_root {
            certificates.push(roots.0[self.root].clone());
        }
        certificates
    }

    fn params(&self, index: usize) -> CertificateParams {
        let link = self.links[index];
        let mut params = named(&self.subject(index));
        if index == 0 {
            let name = &mut params.distinguished_name;
            name.push(DnType::OrganizationName, ORGANISATION);
        }
        if (index == 0) == link.wrong_role {
            params.is_ca = IsCa::Ca(match link.path {
                Some(path) => BasicConstraints::Constrained(path),
                None => BasicConstraints::Unconstrained,
            });
        }
        if link.wrong_usage {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }
        if link.expired {
            params.not_after = date_time_ymd(2026, 1, 1);
        }
        if link.early {
            params.not_before = date_time_ymd(2027, 1, 1);
        }
        params
    }

    /// Returns the key that issued the first certificate, if the identity must be accepted.
    pub(super) fn accepted(&self, roots: &Roots) -> Option<u8> {
        let sent = self.links.len() + usize::from(self.with_root);
        let mut subjects: Vec<_> = (0..sent).map(|index| self.subject(index)).collect();
        // Apart from its name, the first subject also contains the organisation.
        subjects[0].push_str(" of it");
        let distinct: HashSet<_> = subjects.iter().collect();
        let next = |index| self.issuer(index) == subjects[index + 1];
        let in_order = (0..sent - 1).all(next) && distinct.len() == sent;
        if sent > MAX_CHAIN || !in_order {
            return None;
        }
        let good = |index: usize| self.links[index].is_good(index);
        let last = self.links.len() - 1;
        let trusted = self.root < roots.trusted().len();
        let whole = (0..=last).all(good) && last <= MAX_BETWEEN && trusted;
        whole.then(|| self.signer(0))
    }
}

impl Link {
    fn read(input: &mut Input<'_>) -> Self {
        let (flags, more) = (input.byte(), input.byte());
        let flag = |bit: u8| flags >> bit & 1 == 1;
        Self {
            wrong_signer: flag(0),
            wrong_issuer: flag(1),
            wrong_role: flag(2),
            wrong_usage: flag(3),
            expired: flag(4),
            early: flag(5),
            path: flag(6).then_some(more & 0x0f),
            subject: flag(7).then_some(usize::from(more >> 4 & 3)),
        }
    }

    fn is_good(&self, index: usize) -> bool {
        let wrong = self.wrong_signer
            || self.wrong_issuer
            || self.wrong_role
            || self.wrong_usage
            || self.expired
            || self.early;
        // The number of authorities between this certificate and the first one.
        let below = index.saturating_sub(1);
        let long_enough = self.path.is_none_or(|path| usize::from(path) >= below);
        !wrong && (index == 0 || long_enough)
    }
}
