//! Counts the signature checks of a validation, for the fuzz target.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

use super::x509::ALGORITHMS;
use super::{IdentityError, Validity, X509Identity};

/// Like [`IdentityProvider::validate`](super::IdentityProvider::validate); also returns how many
/// signatures were checked.
pub fn validate_counted(
    provider: &X509Identity,
    identity: &[u8],
    now: Duration,
) -> (Result<Validity, IdentityError>, usize) {
    let checks = AtomicUsize::new(0);
    let counted: Vec<_> = ALGORITHMS
        .iter()
        .map(|inner| Counted {
            inner: *inner,
            checks: &checks,
        })
        .collect();
    let algorithms: Vec<_> = counted.iter().map(|one| one as _).collect();
    let validity = provider.validate_with(&algorithms, identity, now);
    (validity, checks.load(Ordering::Relaxed))
}

#[derive(Debug)]
struct Counted<'a> {
    inner: &'static dyn SignatureVerificationAlgorithm,
    checks: &'a AtomicUsize,
}

impl SignatureVerificationAlgorithm for Counted<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        self.checks.fetch_add(1, Ordering::Relaxed);
        self.inner.verify_signature(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.signature_alg_id()
    }
}
