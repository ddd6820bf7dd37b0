//! The public-key operations of both ends of a handshake, in the order of the packets.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use rand::Rng;
use secp256k1::ecdsa::RecoverableSignature;
use secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey, ecdh};

const HANDSHAKES: usize = 1500;

/// Returns handshakes per second with this many threads.
pub(crate) fn rate(threads: usize) -> f64 {
    let started = Instant::now();
    let workers: Vec<_> = (0..threads).map(|_| thread::spawn(many)).collect();
    for worker in workers {
        worker.join().unwrap();
    }
    (threads * HANDSHAKES) as f64 / started.elapsed().as_secs_f64()
}

fn many() {
    let ends = Ends::new();
    for _ in 0..HANDSHAKES {
        let auth = ends.auth();
        let ack = ends.answer(&auth);
        ends.finish(&auth, &ack);
    }
}

type Key = (SecretKey, PublicKey);

/// Both ends of a handshake with their static keys.
pub(crate) struct Ends {
    context: Secp256k1<All>,
    dialler: Key,
    listener: Key,
}

/// The dialler's state after it has sent its packet.
pub(crate) struct Auth {
    ephemeral: Key,
    wrapping: Key,
    signature: RecoverableSignature,
}

/// The listener's answer.
pub(crate) struct Ack {
    ephemeral: Key,
    wrapping: Key,
}

impl Ends {
    pub(crate) fn new() -> Self {
        let context = Secp256k1::new();
        let [dialler, listener] = [new_key(&context), new_key(&context)];
        Self {
            context,
            dialler,
            listener,
        }
    }

    /// The dialler signs with its ephemeral key and encrypts the auth for the listener.
    pub(crate) fn auth(&self) -> Auth {
        let (ephemeral, wrapping) = (new_key(&self.context), new_key(&self.context));
        agree(&self.dialler, &self.listener);
        agree(&wrapping, &self.listener);
        let signature = self.context.sign_ecdsa_recoverable(signed(), &ephemeral.0);
        Auth {
            ephemeral,
            wrapping,
            signature,
        }
    }

    /// The listener decrypts the auth and recovers the ephemeral key. It encrypts the ack for the
    /// dialler and computes the ephemeral secret.
    pub(crate) fn answer(&self, auth: &Auth) -> Ack {
        agree(&self.listener, &auth.wrapping);
        agree(&self.listener, &self.dialler);
        let recovered = self.context.recover_ecdsa(signed(), &auth.signature);
        let (ephemeral, wrapping) = (new_key(&self.context), new_key(&self.context));
        agree(&wrapping, &self.dialler);
        let secret = ecdh::shared_secret_point(&recovered.unwrap(), &ephemeral.0);
        black_box(secret);
        Ack {
            ephemeral,
            wrapping,
        }
    }

    /// The dialler decrypts the ack and computes the ephemeral secret, too.
    pub(crate) fn finish(&self, auth: &Auth, ack: &Ack) {
        agree(&self.dialler, &ack.wrapping);
        agree(&auth.ephemeral, &ack.ephemeral);
    }
}

fn new_key(context: &Secp256k1<All>) -> Key {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    let secret = SecretKey::from_byte_array(bytes).unwrap();
    (secret, secret.public_key(context))
}

fn agree(own: &Key, remote: &Key) {
    black_box(ecdh::shared_secret_point(&remote.1, &own.0));
}

fn signed() -> Message {
    Message::from_digest([7; 32])
}
