//! Certificates as identities, from an arbitrary remote.
//!
//! [`script`] issues certificates as the input specifies, and predicts whether they must be
//! accepted. [`path`] finds the path from accepted certificates to a root without the library.

mod path;
mod script;

use std::sync::LazyLock;
use std::time::Duration;

use peermux::comm::fuzzing::validate_counted;
use peermux::comm::{IdentityError, IdentityProvider, Validity, X509Identity};
use peermux::rlp::Rlp;

use super::assert_explained;
use super::input::Input;
use script::{Roots, Script, pkcs8, public_key_info};

/// The middle of 2026, as seconds since 1970.
const NOW: Duration = Duration::from_secs(1_782_864_000);
const MAX_CHAIN: usize = 8;
/// The maximum number of signature checks. Only the issuer name of the last certificate may repeat,
/// and two roots are trusted. So at most three certificates name a root, and each of these comes
/// with the chain below it.
const MAX_CHECKS: usize = 3 * MAX_CHAIN;

struct World {
    roots: Roots,
    judge: X509Identity,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let roots = Roots::new();
    let [first, second] = roots.trusted();
    let own = Script::default().issue(&roots);
    let own: Vec<&[u8]> = own.iter().map(|one| &one[..]).collect();
    let judge = X509Identity::new(&own, &pkcs8(script::LEAF_KEY), &[first, second]);
    World {
        roots,
        judge: judge.expect("a valid identity"),
    }
});

/// The input is an identity if its first byte is below 0x40, else a script.
pub fn x509(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        ..0x40 => drop(judge(input.rest())),
        _ => check_script(input),
    }
}

/// Checks the properties that must hold for any bytes.
fn judge(identity: &[u8]) -> Result<Validity, IdentityError> {
    let World { roots, judge } = &*WORLD;
    let (validity, checks) = validate_counted(judge, identity, NOW);
    assert!(checks <= MAX_CHECKS, "{checks} signatures were checked");
    assert_eq!(judge.validate(identity, NOW), validity);
    match &validity {
        Ok(validity) => {
            let path = path::to_root(identity, &roots.trusted()).expect("it ends at a root");
            assert_eq!(validity.expires, Some(path.expires));
            assert!(judge.id_of(identity).is_ok());
        }
        Err(error) => assert_explained(error),
    }
    validity
}

fn check_script(mut input: Input<'_>) {
    let script = Script::read(&mut input);
    let certificates = script.issue(&WORLD.roots);
    let sent = script::identity(&certificates);
    let message = b"who is there?";
    let signature = script::sign(script::LEAF_KEY, message);
    let mut arrived = sent.clone();
    while !input.is_empty() {
        let at = input.u16() % arrived.len();
        arrived[at] ^= input.byte();
    }
    let validity = judge(&arrived);
    let proof = WORLD.judge.verify(&arrived, message, &signature);
    if let Err(error) = &proof {
        assert_explained(error);
    }
    if arrived == sent {
        let expected = script.accepted(&WORLD.roots);
        assert_eq!(validity.is_ok(), expected.is_some(), "{validity:?}");
        assert!(validity.is_err() || proof.is_ok(), "{proof:?}");
        if let (Ok(validity), Some(issuer)) = (validity, expected) {
            let organisation = validity.organisation.expect("it has one").0;
            assert_eq!(organisation, script::organisation(&public_key_info(issuer)));
        }
    } else if validity.is_ok() {
        // Certificates after the path to a root are ignored.
        let path = path::to_root(&arrived, &WORLD.roots.trusted()).expect("it ends at a root");
        assert_eq!(first(&arrived, path.length), first(&sent, path.length));
    }
}

fn first(identity: &[u8], count: usize) -> Vec<&[u8]> {
    let list = Rlp::new(identity);
    list.iter()
        .take(count)
        .map(|one| one.data().expect("a string"))
        .collect()
}
