use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};
use x509_parser::asn1_rs::Any;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{IdentityError, IdentityProvider, Organisation, PeerId, Validity};
use crate::rlp::{Rlp, RlpStream, check_exact};

/// The maximum number of certificates in one identity.
const MAX_CHAIN: usize = 8;

/// The algorithms with which certificates and proofs can be signed.
pub(super) const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
    webpki::ring::ED25519,
];

/// Why key material cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum X509Error {
    /// A trusted certificate cannot be read.
    #[error("root certificate {index} cannot be used: {reason}")]
    Root {
        /// Its index, from 0.
        index: usize,
        /// The reason.
        reason: String,
    },
    /// The secret key is neither ECDSA on P-256 nor Ed25519 in PKCS #8.
    #[error("the secret key is neither ECDSA on P-256 nor Ed25519 in PKCS #8")]
    Key,
    /// The certificate and the secret key do not belong together, or one is malformed.
    #[error("the certificate cannot be used with the key: {0}")]
    Certificate(IdentityError),
}

/// Identities that are X.509 certificates, issued under roots that this node trusts.
///
/// An identity is the RLP list of its certificates in DER, its own first, then the intermediate
/// ones, at most 8 in all. Each must be issued by the next one, and no two may have the same
/// subject. So there is only one path to a root, and forged certificates cost no more signature
/// checks than genuine ones.
///
/// The id is the SHA-256 digest of the first certificate. The organisation is the SHA-256 digest of
/// the issuer's public key, followed by the subject's organisation name. So the same name under
/// another issuer is another organisation. The identity expires with the first of its certificates
/// to expire.
///
/// Keys are ECDSA on P-256 or P-384, or Ed25519. Certificates with an extended key usage must allow
/// client authentication. There are no revocation lists; wrap this provider in your own to reject
/// more identities.
pub struct X509Identity {
    roots: Vec<TrustAnchor<'static>>,
    identity: Bytes,
    key: Key,
}

enum Key {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl X509Identity {
    /// Creates this node's identity from its certificates, its secret key and the roots.
    ///
    /// `chain` contains the certificates in DER, this node's first. `pkcs8` is its secret key in
    /// PKCS #8. `roots`, in DER, are the certificates under which this and all other identities are
    /// issued.
    ///
    /// # Errors
    /// [`X509Error`] if a root, the certificate or the key cannot be used. The validity of the
    /// certificate is checked later, against the layer's clock.
    pub fn new(chain: &[&[u8]], pkcs8: &[u8], roots: &[&[u8]]) -> Result<Self, X509Error> {
        let anchor = |(index, der): (usize, &&[u8])| {
            anchor_from_trusted_cert(&CertificateDer::from(*der))
                .map(|anchor| anchor.to_owned())
                .map_err(|error| X509Error::Root {
                    index,
                    reason: error.to_string(),
                })
        };
        let p256 =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &SystemRandom::new());
        let key = match p256 {
            Ok(key) => Key::P256(key),
            Err(_) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8)
                .map(Key::Ed25519)
                .map_err(|_| X509Error::Key)?,
        };
        let mut list = RlpStream::new_list(chain.len());
        for certificate in chain {
            list.append(certificate);
        }
        let own = Self {
            roots: roots
                .iter()
                .enumerate()
                .map(anchor)
                .collect::<Result<_, _>>()?,
            identity: list.out().freeze(),
            key,
        };
        let test = b"does the key belong to the certificate?";
        let signature = own.sign(test).map_err(X509Error::Certificate)?;
        own.verify(&own.identity, test, &signature)
            .map_err(X509Error::Certificate)?;
        Ok(own)
    }

    /// Like [`IdentityProvider::validate`], with the given signature algorithms.
    pub(super) fn validate_with(
        &self,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        identity: &[u8],
        now: Duration,
    ) -> Result<Validity, IdentityError> {
        let chain = certificates(identity)?;
        check_order(&chain)?;
        let (leaf, intermediates) = chain
            .split_first()
            .ok_or_else(|| malformed("no certificate"))?;
        let certificate = EndEntityCert::try_from(leaf).map_err(refusal)?;
        let path = certificate
            .verify_for_usage(
                algorithms,
                &self.roots,
                intermediates,
                UnixTime::since_unix_epoch(now),
                KeyUsage::client_auth(),
                None,
                None,
            )
            .map_err(refusal)?;
        let issuer = path.intermediate_certificates().next();
        let issuer_key = match issuer {
            Some(issuer) => public_key(&issuer.der())?,
            None => path.anchor().subject_public_key_info.to_vec(),
        };
        let mut expires = end_of(leaf)?;
        for issuer in path.intermediate_certificates() {
            expires = expires.min(end_of(&issuer.der())?);
        }
        Ok(Validity {
            organisation: organisation(leaf, &issuer_key),
            expires: Some(expires),
        })
    }
}

fn malformed(error: impl fmt::Display) -> IdentityError {
    IdentityError::Malformed(error.to_string())
}

/// Returns the certificates of an identity, at least one and at most 8.
fn certificates(identity: &[u8]) -> Result<Vec<CertificateDer<'_>>, IdentityError> {
    check_exact(identity).map_err(malformed)?;
    let list = Rlp::new(identity);
    if !list.is_list() {
        return Err(malformed("no list of certificates"));
    }
    let count = list.item_count().map_err(malformed)?;
    if !(1..=MAX_CHAIN).contains(&count) {
        return Err(malformed(format!("{count} certificates")));
    }
    list.iter()
        .map(|one| one.data().map(CertificateDer::from).map_err(malformed))
        .collect()
}

/// The first certificate's bytes.
fn leaf(identity: &[u8]) -> Result<CertificateDer<'_>, IdentityError> {
    let first = certificates(identity)?.into_iter().next();
    first.ok_or_else(|| malformed("no certificate"))
}

/// Checks that each certificate is issued by the next one, and that all subjects differ. If several
/// certificates had the same subject, the search for a path among them would check up to 100
/// signatures.
fn check_order(chain: &[CertificateDer<'_>]) -> Result<(), IdentityError> {
    let parsed: Vec<_> = chain
        .iter()
        .map(|one| EndEntityCert::try_from(one).map_err(refusal))
        .collect::<Result<_, _>>()?;
    let issued = |pair: &[EndEntityCert<'_>]| match pair {
        [one, next] => one.issuer() == next.subject(),
        _ => false,
    };
    if !parsed.windows(2).all(issued) {
        return Err(malformed("a certificate is not issued by the next one"));
    }
    let mut subjects = HashSet::new();
    if !parsed.iter().all(|one| subjects.insert(one.subject())) {
        return Err(malformed("two certificates have the same subject"));
    }
    Ok(())
}

fn parse(certificate: &[u8]) -> Result<X509Certificate<'_>, IdentityError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(malformed)?;
    Ok(parsed)
}

/// The public key and its algorithm as trust anchors hold them: without the outer header.
fn public_key(certificate: &[u8]) -> Result<Vec<u8>, IdentityError> {
    let whole = parse(certificate)?.tbs_certificate.subject_pki.raw.to_vec();
    let (_, content) = Any::from_der(&whole).map_err(malformed)?;
    Ok(content.data.to_vec())
}

fn end_of(certificate: &[u8]) -> Result<Duration, IdentityError> {
    let end = parse(certificate)?.validity().not_after.timestamp();
    Ok(Duration::from_secs(u64::try_from(end).unwrap_or(0)))
}

fn organisation(leaf: &[u8], issuer_key: &[u8]) -> Option<Organisation> {
    let certificate = parse(leaf).ok()?;
    let name = certificate.subject().iter_organization().next()?;
    let issuer = Sha256::digest(issuer_key);
    Some(Organisation([&issuer, name.as_slice()].concat().into()))
}

fn refusal(error: Error) -> IdentityError {
    match error {
        Error::CertExpired { time, not_after } => IdentityError::Expired {
            ago: Duration::from_secs(time.as_secs().saturating_sub(not_after.as_secs())),
        },
        Error::CertNotValidYet { time, not_before } => IdentityError::NotYetValid {
            wait: Duration::from_secs(not_before.as_secs().saturating_sub(time.as_secs())),
        },
        Error::BadDer => malformed(error),
        error => IdentityError::Unknown(error.to_string()),
    }
}

impl IdentityProvider for X509Identity {
    fn identity(&self) -> Bytes {
        self.identity.clone()
    }

    fn id_of(&self, identity: &[u8]) -> Result<PeerId, IdentityError> {
        let leaf = leaf(identity)?;
        EndEntityCert::try_from(&leaf).map_err(malformed)?;
        let digest = Sha256::digest(leaf);
        Ok(PeerId::from_bytes(digest.into()))
    }

    fn validate(&self, identity: &[u8], now: Duration) -> Result<Validity, IdentityError> {
        self.validate_with(ALGORITHMS, identity, now)
    }

    fn sign(&self, message: &[u8]) -> Result<Bytes, IdentityError> {
        match &self.key {
            Key::P256(key) => key
                .sign(&SystemRandom::new(), message)
                .map(|signature| Bytes::copy_from_slice(signature.as_ref()))
                .map_err(|error| IdentityError::Signing(error.to_string())),
            Key::Ed25519(key) => Ok(Bytes::copy_from_slice(key.sign(message).as_ref())),
        }
    }

    fn verify(
        &self,
        identity: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), IdentityError> {
        let leaf = leaf(identity)?;
        let certificate = EndEntityCert::try_from(&leaf).map_err(malformed)?;
        // The certificate's key determines the algorithm, so all other algorithms fail.
        ALGORITHMS
            .iter()
            .any(|algorithm| {
                certificate
                    .verify_signature(*algorithm, message, signature)
                    .is_ok()
            })
            .then_some(())
            .ok_or(IdentityError::BadSignature)
    }
}

impl fmt::Debug for X509Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X509Identity")
            .field("roots", &self.roots.len())
            .field("bytes", &self.identity.len())
            .finish_non_exhaustive()
    }
}
