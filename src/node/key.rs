//! Keys on the curve secp256k1, and the node id derived from a public key.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::{LazyLock, OnceLock};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rand::{CryptoRng, Rng};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId, Signature};
use secp256k1::{All, Message, Secp256k1, ecdh};
use zeroize::{Zeroize, Zeroizing};

use crate::keccak::keccak256;

/// The context is randomly blinded once, against side-channel attacks. Newer versions of the crate
/// `secp256k1` blind it again for every signature and every new key, which takes more than half the
/// time of those operations, so they are not used.
static CONTEXT: LazyLock<Secp256k1<All>> = LazyLock::new(|| {
    let mut seed = Zeroizing::new([0; 32]);
    rand::rng().fill_bytes(seed.as_mut());
    let mut context = Secp256k1::new();
    context.seeded_randomize(&seed);
    context
});

/// Why bytes or text are not a key, a node id or a usable signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The input has the wrong number of bytes.
    #[error("{got} bytes where {expected} are needed")]
    Length {
        /// Bytes given.
        got: usize,
        /// Bytes needed.
        expected: usize,
    },
    /// The text is not hexadecimal.
    #[error("not hexadecimal")]
    NotHex,
    /// A secret key is zero or not below the order of the curve.
    #[error("secret key is out of range")]
    SecretRange,
    /// A public key is not a point on the curve.
    #[error("public key is not a point on the curve")]
    NotOnCurve,
    /// A signature is malformed, or no public key can be recovered from it.
    #[error("signature is malformed or recovers no public key")]
    Signature,
}

/// A secret key, which computes its public key on first use.
///
/// The secret never appears in `Debug`, is compared in constant time and is wiped on drop.
///
/// A core dump of the process still contains the key, and a debugger of the same user can read it.
/// The library does not change the process to prevent this. An application can set the limit
/// `RLIMIT_CORE` to zero and, on Linux, make itself not dumpable (`PR_SET_DUMPABLE`) before it
/// reads a key, as the command `peermux` does. `private_file::open` (feature `server` or
/// `addrbook`) opens a key file only if no other user can read it.
#[derive(Clone)]
pub struct SecretKey {
    secret: secp256k1::SecretKey,
    /// Computed on first use, because some keys do not need it. The ephemeral key of a dial only
    /// signs and computes shared secrets. Its public key is needed only by the remote, which
    /// recovers it from the signature.
    public: OnceLock<PublicKey>,
}

impl SecretKey {
    /// Bytes of a secret key.
    pub const LENGTH: usize = 32;

    /// Returns a new random key, from the thread's cryptographic generator, which the operating
    /// system seeds.
    #[must_use]
    pub fn generate() -> Self {
        Self::random(&mut rand::rng())
    }

    /// Returns a new random key from a generator of the caller's choice.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = Zeroizing::new([0u8; Self::LENGTH]);
        loop {
            rng.fill_bytes(bytes.as_mut());
            // About one draw in 2^128 is out of range, and is repeated.
            if let Ok(key) = Self::from_bytes(&bytes) {
                return key;
            }
        }
    }

    /// Returns the key with these 32 big-endian bytes.
    ///
    /// # Errors
    /// [`KeyError::SecretRange`] for zero and for values not below the order of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let secret =
            secp256k1::SecretKey::from_byte_array(*bytes).map_err(|_| KeyError::SecretRange)?;
        Ok(Self {
            secret,
            public: OnceLock::new(),
        })
    }

    /// The 32 big-endian bytes, wiped when the returned value is dropped.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.secret_bytes())
    }

    /// The public key that belongs to this secret.
    pub fn public_key(&self) -> PublicKey {
        *self
            .public
            .get_or_init(|| PublicKey(self.secret.public_key(&CONTEXT)))
    }

    /// The x coordinate of the shared point, not hashed.
    pub(crate) fn ecdh(&self, remote: &PublicKey) -> Zeroizing<[u8; 32]> {
        let mut point = ecdh::shared_secret_point(&remote.0, &self.secret);
        let mut x = Zeroizing::new([0u8; 32]);
        x.copy_from_slice(&point[..32]);
        point.zeroize();
        x
    }

    /// Signs the 32 bytes without hashing them, with the deterministic nonce of RFC 6979.
    /// Returns r || s || v with v in 0..=3.
    pub(crate) fn sign_recoverable(&self, message: &[u8; 32]) -> [u8; 65] {
        let message = Message::from_digest(*message);
        let (recovery_id, compact) = CONTEXT
            .sign_ecdsa_recoverable(message, &self.secret)
            .serialize_compact();
        let mut signature = [0u8; 65];
        signature[..64].copy_from_slice(&compact);
        signature[64] = i32::from(recovery_id).to_be_bytes()[3];
        signature
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl Eq for SecretKey {}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

/// Reads 64 hexadecimal digits, with or without `0x` in front.
impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(decode_hex::<32>(text.strip_prefix("0x").unwrap_or(text))?);
        Self::from_bytes(&bytes)
    }
}

/// Recovers the public key that signed `message`. `signature` is r || s || v with v in 0..=3.
///
/// # Errors
/// [`KeyError::Signature`] if a part is out of range or no key can be recovered.
pub(crate) fn recover(signature: &[u8; 65], message: &[u8; 32]) -> Result<PublicKey, KeyError> {
    let recover = || {
        let recovery_id = RecoveryId::try_from(i32::from(signature[64]))?;
        let signature = RecoverableSignature::from_compact(&signature[..64], recovery_id)?;
        CONTEXT.recover_ecdsa(Message::from_digest(*message), &signature)
    };
    recover()
        .map(PublicKey)
        .map_err(|_: secp256k1::Error| KeyError::Signature)
}

/// A public key: a point that is known to lie on the curve.
///
/// Keys are ordered by their 64 bytes x || y, and displayed as 128 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(secp256k1::PublicKey);

impl PublicKey {
    /// Bytes of a public key in devp2p's form x || y, without a format byte.
    pub const LENGTH: usize = 64;

    /// The key with the coordinates x || y.
    ///
    /// # Errors
    /// [`KeyError::NotOnCurve`] if this is not a point on the curve.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, KeyError> {
        let mut uncompressed = [4u8; 65];
        uncompressed[1..].copy_from_slice(bytes);
        Self::from_uncompressed(&uncompressed)
    }

    /// Like [`from_bytes`](Self::from_bytes), from a slice.
    ///
    /// # Errors
    /// [`KeyError::Length`] unless there are 64 bytes; otherwise as
    /// [`from_bytes`](Self::from_bytes).
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::from_bytes(sized(bytes)?)
    }

    /// The key in the 33-byte form of node records: 02 or 03, then x.
    ///
    /// # Errors
    /// [`KeyError::NotOnCurve`] if no point has this x, or the first byte is neither 02 nor 03.
    pub fn from_compressed(bytes: &[u8; 33]) -> Result<Self, KeyError> {
        secp256k1::PublicKey::from_byte_array_compressed(*bytes)
            .map(Self)
            .map_err(|_| KeyError::NotOnCurve)
    }

    /// The key in the 65-byte form 04 || x || y.
    pub(crate) fn from_uncompressed(bytes: &[u8; 65]) -> Result<Self, KeyError> {
        // libsecp256k1 also accepts the hybrid forms 06 and 07, which no implementation sends.
        if bytes[0] != 4 {
            return Err(KeyError::NotOnCurve);
        }
        secp256k1::PublicKey::from_byte_array_uncompressed(*bytes)
            .map(Self)
            .map_err(|_| KeyError::NotOnCurve)
    }

    /// The 64 bytes x || y.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0u8; 64];
        bytes.copy_from_slice(&self.to_uncompressed()[1..]);
        bytes
    }

    /// The 33 bytes of the compressed form.
    pub fn to_compressed(&self) -> [u8; 33] {
        self.0.serialize()
    }

    /// The 65 bytes 04 || x || y.
    pub(crate) fn to_uncompressed(self) -> [u8; 65] {
        self.0.serialize_uncompressed()
    }

    /// Verifies a signature r || s of the 32 bytes, without hashing them. The value s must lie in
    /// the lower half of its range.
    pub(crate) fn verify(&self, signature: &[u8; 64], message: &[u8; 32]) -> Result<(), KeyError> {
        Signature::from_compact(signature)
            .and_then(|signature| {
                self.0
                    .verify(&CONTEXT, Message::from_digest(*message), &signature)
            })
            .map_err(|_| KeyError::Signature)
    }

    /// Keccak-256 of the 64 bytes of the key.
    pub fn node_id(&self) -> NodeId {
        NodeId(keccak256(&[&self.to_bytes()]))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.to_bytes().cmp(&other.to_bytes())
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_bytes().hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}…)", HEXLOWER.encode(&self.to_bytes()[..4]))
    }
}

/// Reads 128 hexadecimal digits.
impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&decode_hex(text)?)
    }
}

/// The identity of a node: Keccak-256 of its public key, ordered as a 256-bit number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 32]);

impl NodeId {
    /// Bytes of a node id.
    pub const LENGTH: usize = 32;

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

/// Reads 64 hexadecimal digits, with or without `0x` in front.
impl FromStr for NodeId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode_hex(text.strip_prefix("0x").unwrap_or(text)).map(Self)
    }
}

#[cfg(feature = "serde")]
crate::serde_text::serde_as_text!(PublicKey, NodeId);

fn sized<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], KeyError> {
    bytes.try_into().map_err(|_| KeyError::Length {
        got: bytes.len(),
        expected: N,
    })
}

/// Decodes exactly `N` bytes of hexadecimal text.
fn decode_hex<const N: usize>(text: &str) -> Result<[u8; N], KeyError> {
    if text.len() != 2 * N {
        return Err(KeyError::Length {
            got: text.len().div_ceil(2),
            expected: N,
        });
    }
    let mut bytes = [0u8; N];
    HEXLOWER_PERMISSIVE
        .decode_mut(text.as_bytes(), &mut bytes)
        .map_err(|_| KeyError::NotHex)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "49a7b37aa6f6645917e7b807e9d1c00d4fa71f18343b0d4122a4d2df64dd6fee";
    const PUBLIC: &str = "fda1cff674c90c9a197539fe3dfb53086ace64f83ed7c6eabec741f7f381cc80\
                          3e52ab2cd55d5569bce4347107a310dfd5f88a010cd2ffd1005ca406f1842877";
    const ID: &str = "6469cc2093f39e9117071e660d3ab14bbad3d99f4203bd7a11acb94882050e7e";

    fn key() -> SecretKey {
        SECRET.parse().unwrap()
    }

    #[test]
    fn the_secret_determines_the_public_key_and_the_id() {
        let public = key().public_key();
        assert_eq!(public.to_string(), PUBLIC);
        assert_eq!(public.node_id().to_string(), ID);
        assert_eq!(PUBLIC.parse(), Ok(public));
        assert_eq!(ID.to_uppercase().parse(), Ok(public.node_id()));
        assert_eq!(
            PublicKey::from_compressed(&public.to_compressed()),
            Ok(public)
        );
        assert_eq!(PublicKey::from_slice(&public.to_bytes()), Ok(public));
    }

    #[test]
    fn recovers_the_key_that_signed() {
        let message = [7; 32];
        let mut signature = key().sign_recoverable(&message);
        assert_eq!(signature, key().sign_recoverable(&message));
        assert_eq!(recover(&signature, &message), Ok(key().public_key()));
        assert_ne!(recover(&signature, &[8; 32]), Ok(key().public_key()));
        signature[64] = 4;
        assert_eq!(recover(&signature, &message), Err(KeyError::Signature));
        assert_eq!(recover(&[0; 65], &message), Err(KeyError::Signature));
    }

    #[test]
    fn a_key_is_the_same_with_and_without_its_public_key() {
        let asked = key();
        asked.public_key();
        assert_eq!(asked, key());
        assert_eq!(asked.clone().public_key(), key().public_key());
        assert_ne!(asked, SecretKey::generate());
    }

    #[test]
    fn both_sides_compute_the_same_shared_secret() {
        let other = SecretKey::random(&mut rand::rng());
        assert_eq!(
            key().ecdh(&other.public_key()),
            other.ecdh(&key().public_key())
        );
    }

    #[test]
    fn refuses_invalid_keys() {
        assert_eq!(SecretKey::from_bytes(&[0; 32]), Err(KeyError::SecretRange));
        assert_eq!(
            SecretKey::from_bytes(&[255; 32]),
            Err(KeyError::SecretRange)
        );
        assert_eq!(PublicKey::from_bytes(&[0; 64]), Err(KeyError::NotOnCurve));
        assert_eq!(
            PublicKey::from_compressed(&[5; 33]),
            Err(KeyError::NotOnCurve)
        );
        let mut hybrid = key().public_key().to_uncompressed();
        hybrid[0] = 6 + (hybrid[64] & 1);
        assert_eq!(
            PublicKey::from_uncompressed(&hybrid),
            Err(KeyError::NotOnCurve)
        );
        let length = KeyError::Length {
            got: 63,
            expected: 64,
        };
        assert_eq!(PublicKey::from_slice(&[1; 63]), Err(length));
        assert_eq!("zz".repeat(32).parse::<NodeId>(), Err(KeyError::NotHex));
        assert!(matches!(
            "12".parse::<SecretKey>(),
            Err(KeyError::Length { .. })
        ));
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", key()), "SecretKey(redacted)");
        assert_eq!(format!("{:?}", key().public_key()), "PublicKey(fda1cff6…)");
        assert_eq!(
            format!("{:?}", key().public_key().node_id()),
            "NodeId(6469cc20…)"
        );
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serde_uses_the_text_forms() {
        let id = key().public_key().node_id();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{ID}\""));
        assert_eq!(serde_json::from_str::<NodeId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<PublicKey>("\"00\"").is_err());
    }
}
