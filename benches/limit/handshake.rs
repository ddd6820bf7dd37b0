//! The public-key operations of one handshake, both ends: what cannot be saved.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use rand::Rng;
use secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey, ecdh};

const HANDSHAKES: usize = 300;

/// Handshakes a second with this many threads.
pub(crate) fn rate(threads: usize) -> f64 {
    let started = Instant::now();
    let workers: Vec<_> = (0..threads).map(|_| thread::spawn(many)).collect();
    for worker in workers {
        worker.join().unwrap();
    }
    (threads * HANDSHAKES) as f64 / started.elapsed().as_secs_f64()
}

fn many() {
    let context = Secp256k1::new();
    let [dialler, listener] = [new_key(&context), new_key(&context)];
    for _ in 0..HANDSHAKES {
        both_ends(&context, &dialler, &listener);
    }
}

type Key = (SecretKey, PublicKey);

fn new_key(context: &Secp256k1<All>) -> Key {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    let secret = SecretKey::from_byte_array(bytes).unwrap();
    (secret, secret.public_key(context))
}

fn agree(own: &Key, remote: &Key) -> [u8; 64] {
    ecdh::shared_secret_point(&remote.1, &own.0)
}

fn both_ends(context: &Secp256k1<All>, dialler: &Key, listener: &Key) {
    let digest = Message::from_digest([7; 32]);
    // The dialler signs with its ephemeral key and encrypts auth for the listener's key.
    let (ephemeral, wrapping) = (new_key(context), new_key(context));
    let mut agreed = [agree(dialler, listener), agree(&wrapping, listener)].to_vec();
    let signature = context.sign_ecdsa_recoverable(digest, &ephemeral.0);
    // The listener decrypts it, recovers the ephemeral key and encrypts ack for the dialler's.
    agreed.extend([agree(listener, &wrapping), agree(listener, dialler)]);
    let recovered = context.recover_ecdsa(digest, &signature).unwrap();
    let (answering, answer_wrapping) = (new_key(context), new_key(context));
    agreed.push(agree(&answer_wrapping, dialler));
    agreed.push(ecdh::shared_secret_point(&recovered, &answering.0));
    // The dialler decrypts that, and both have the secret of the ephemeral keys.
    agreed.extend([
        agree(dialler, &answer_wrapping),
        agree(&ephemeral, &answering),
    ]);
    black_box(agreed);
}
