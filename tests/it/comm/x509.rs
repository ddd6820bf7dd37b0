//! Identities that are certificates.

use std::sync::Arc;

use peermux::comm::{
    CommEvent, Config, ConnectionEnd, Delivery, EstablishError, IdentityError, IdentityProvider,
    X509Error, X509Identity,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use super::*;

/// 2030-01-01 and one day, as seconds since 1970.
const NEW_YEAR_2030: Duration = Duration::from_secs(1_893_456_000);
const DAY: Duration = Duration::from_secs(86_400);

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority() -> Authority {
    authority_named("root")
}

fn authority_named(name: &str) -> Authority {
    let params = authority_params(name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().to_vec();
    Authority {
        issuer: Issuer::new(params, key),
        certificate,
    }
}

impl Authority {
    /// Returns an authority below this one, valid until the end of June 2029.
    fn below(&self, name: &str) -> Self {
        let mut params = authority_params(name);
        params.not_after = date_time_ymd(2029, 7, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    fn issue(&self, organisation: &str) -> X509Identity {
        self.issue_with(organisation, &[], &[self])
    }

    /// Issues a certificate for a new key, valid through the year 2029.
    fn issue_with(&self, organisation: &str, above: &[&Self], roots: &[&Self]) -> X509Identity {
        let mut params = CertificateParams::new(vec!["node.example".to_owned()]).unwrap();
        let name = &mut params.distinguished_name;
        name.push(DnType::OrganizationName, organisation);
        params.not_before = date_time_ymd(2029, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let of = |authorities: &[&Self]| -> Vec<Vec<u8>> {
            let all = authorities.iter().map(|one| one.certificate.clone());
            all.collect()
        };
        let (above, roots) = (of(above), of(roots));
        let mut chain: Vec<&[u8]> = vec![certificate.der()];
        chain.extend(above.iter().map(|one| &one[..]));
        let roots: Vec<_> = roots.iter().map(|one| &one[..]).collect();
        X509Identity::new(&chain, &key.serialize_der(), &roots).unwrap()
    }
}

fn in_2029() -> Config {
    Config::default().with_unix_time(Some(NEW_YEAR_2030 - DAY))
}

#[test]
fn a_certificate_is_checked_against_its_root_and_its_time() {
    let authority = authority();
    let (one, other) = (authority.issue("one"), authority.issue("one"));
    let identity = other.identity();
    let validity = one.validate(&identity, NEW_YEAR_2030 - DAY).unwrap();
    assert_eq!(validity.expires, Some(NEW_YEAR_2030));
    let expired = one.validate(&identity, NEW_YEAR_2030 + DAY);
    assert_eq!(expired, Err(IdentityError::Expired { ago: DAY }));
    let early = one.validate(&identity, Duration::from_secs(0));
    assert!(matches!(early, Err(IdentityError::NotYetValid { .. })));
    let stranger = self::authority().issue("one");
    let unknown = one.validate(&stranger.identity(), NEW_YEAR_2030 - DAY);
    assert!(
        matches!(unknown, Err(IdentityError::Unknown(_))),
        "{unknown:?}"
    );

    let signature = other.sign(b"message").unwrap();
    assert_eq!(one.verify(&identity, b"message", &signature), Ok(()));
    let forged = one.verify(&one.identity(), b"message", &signature);
    assert_eq!(forged, Err(IdentityError::BadSignature));
    for malformed in [&b""[..], b"\xc0", b"\xc1\x05", b"\x83abc"] {
        assert!(one.id_of(malformed).is_err() && one.validate(malformed, DAY).is_err());
    }
}

#[test]
fn an_organisation_is_that_of_its_issuer() {
    let (root, other) = (authority_named("root"), authority_named("other"));
    let [mid, rival] = [root.below("mid"), root.below("rival")];
    let judge = root.issue_with("judge", &[], &[&root, &other]);
    let organisation = |identity: &X509Identity| {
        let validity = judge.validate(&identity.identity(), NEW_YEAR_2030 - 200 * DAY);
        validity.unwrap().organisation.expect("it has one")
    };
    let one = organisation(&mid.issue_with("one", &[&mid], &[]));
    assert_eq!(organisation(&mid.issue_with("one", &[&mid], &[])), one);
    assert!(one.0.ends_with(b"one"));
    for stranger in [
        mid.issue_with("two", &[&mid], &[]),
        rival.issue_with("one", &[&rival], &[]),
        root.issue("one"),
        other.issue("one"),
    ] {
        assert_ne!(organisation(&stranger), one);
    }
}

/// Searching for a path among false certificates of one name used to take 0.1 s.
#[test]
fn false_certificates_are_refused_before_their_signatures_are_checked() {
    let root = authority();
    let now = NEW_YEAR_2030 - 200 * DAY;
    let judge = root.issue("judge");
    let mid = root.below("mid");
    let good = mid.issue_with("one", &[&mid], &[]).identity();
    let validity = judge.validate(&good, now).unwrap();
    let june = NEW_YEAR_2030 - 184 * DAY;
    assert_eq!(validity.expires, Some(june), "with its first certificate");

    let same: Vec<_> = (0..7).map(|_| root.below("root")).collect();
    let same: Vec<_> = same.iter().collect();
    let unordered = [&mid, &root.below("unrelated")];
    for false_chain in [
        same[0].issue_with("one", &same, &[]),
        mid.issue_with("one", &unordered, &[]),
    ] {
        let refused = judge.validate(&false_chain.identity(), now);
        let malformed = matches!(refused, Err(IdentityError::Malformed(_)));
        assert!(malformed, "{refused:?}");
    }
}

#[test]
fn a_key_that_does_not_match_its_certificate_is_refused() {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "x");
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = params.self_signed(&key).unwrap();
    let chain: [&[u8]; 1] = [certificate.der()];
    let error = X509Identity::new(&chain, &other.serialize_der(), &[]).unwrap_err();
    assert!(matches!(error, X509Error::Certificate(_)), "{error}");
    let error = X509Identity::new(&chain, b"no key", &[]).unwrap_err();
    assert!(matches!(error, X509Error::Key), "{error}");
    let error = X509Identity::new(&chain, &key.serialize_der(), &[b"no root"]).unwrap_err();
    assert!(matches!(error, X509Error::Root { index: 0, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn only_certified_nodes_talk_and_only_while_their_certificates_are_valid() {
    let authority = authority();
    let net = Net::default();
    let a = net.node_with(in_2029(), authority.issue("one"));
    let b = net.node_with(in_2029(), Arc::new(authority.issue("two")));
    acknowledge_all(&b);
    let result = a
        .comm
        .send_with_ack(&text("x"), policy(1, 1000), &[b.peer()])
        .await;
    assert_eq!(result.unwrap().ack_count(), 1);

    let stranger = net.node_with(in_2029(), self::authority().issue("one"));
    let mut events = a.comm.events();
    let refused = a.comm.send(&text("x"), &[stranger.peer()]).remove(0).await;
    assert!(matches!(refused, Delivery::Failed(_)), "{refused:?}");
    let error = refusal(&mut events).await;
    assert!(
        matches!(error, EstablishError::Identity(IdentityError::Unknown(_))),
        "{error}"
    );

    let mut switched = a.comm.identity_switch();
    tokio::time::sleep(DAY + Duration::from_secs(1)).await;
    assert_eq!(switched.next().await, Some(Ok(b.comm.id())));
    let mut reasons = told(&mut events);
    assert!(reasons.any(|event| matches!(
        event,
        CommEvent::Closed {
            reason: ConnectionEnd::IdentityGone,
            ..
        }
    )));
    let expired = a.comm.handshake(&b.anybody()).await.expect_err("expired");
    assert!(expired.to_string().contains("expired"), "{expired}");
}
