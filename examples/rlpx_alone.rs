//! The RLPx transport on threads and standard sockets, without a runtime or server.
//!
//! `cargo run --example rlpx_alone`

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{error::Error, thread};

use peermux::p2p::{Capability, Hello, MAX_HELLO, ids};
use peermux::rlpx::{HandshakeRandomness, Initiator, Legacy, Opened, Recipient, Session, Step};
use peermux::{Bytes, BytesMut, PublicKey, SecretKey};

type Failure = Box<dyn Error + Send + Sync>;

/// A socket, its session, and bytes that have been read but not yet opened.
struct Connection(TcpStream, Session, BytesMut);

fn read_more(stream: &mut TcpStream, input: &mut BytesMut) -> Result<(), Failure> {
    let mut bytes = [0; 4096];
    let read = stream.read(&mut bytes)?;
    input.extend_from_slice(&bytes[..read]);
    let closed = || "the remote has closed".into();
    (read > 0).then_some(()).ok_or_else(closed)
}

impl Connection {
    fn dial(mut stream: TcpStream, key: &SecretKey, remote: &PublicKey) -> Result<Self, Failure> {
        let randomness = HandshakeRandomness::random(&mut rand::rng());
        let (mut initiator, auth) = Initiator::new(key, remote, randomness)?;
        stream.write_all(&auth)?;
        let mut input = BytesMut::new();
        loop {
            initiator = match initiator.read_ack(&mut input)? {
                Step::Done(session) => return Ok(Self(stream, session, input)),
                Step::NeedMore { state, .. } => state,
            };
            read_more(&mut stream, &mut input)?;
        }
    }

    fn accept(mut stream: TcpStream, key: &SecretKey) -> Result<Self, Failure> {
        let (mut recipient, mut input) = (Recipient::new(key, Legacy::Refuse), BytesMut::new());
        let received = loop {
            recipient = match recipient.read_auth(&mut input)? {
                Step::Done(received) => break received,
                Step::NeedMore { state, .. } => state,
            };
            read_more(&mut stream, &mut input)?;
        };
        let (ack, session) = received.answer(HandshakeRandomness::random(&mut rand::rng()))?;
        stream.write_all(&ack)?;
        Ok(Self(stream, session, input))
    }

    fn send(&mut self, id: u64, payload: &[u8]) -> Result<(), Failure> {
        let mut sealed = BytesMut::new();
        self.1.egress.seal(id, payload, &mut sealed)?;
        Ok(self.0.write_all(&sealed)?)
    }

    fn receive(&mut self) -> Result<(u64, Bytes), Failure> {
        let Self(stream, session, input) = self;
        loop {
            if let Opened::Frame { frame, consumed } = session.ingress.open(input)? {
                let message = (frame.id(), frame.payload(MAX_HELLO)?);
                let _opened = input.split_to(consumed);
                return Ok(message);
            }
            read_more(stream, input)?;
        }
    }

    /// Sends a Hello and reads the remote's Hello. Fails if the remote sends a Disconnect instead.
    fn exchange_hello(&mut self, name: &'static str, key: &SecretKey) -> Result<Hello, Failure> {
        let hello = Hello::new(name, vec![Capability::new("mirror", 1)], key.public_key());
        self.send(ids::HELLO, &hello.encode())?;
        Ok(Hello::decode(&self.receive()?.1)?)
    }
}

fn main() -> Result<(), Failure> {
    let (key, listener) = (SecretKey::generate(), TcpListener::bind("127.0.0.1:0")?);
    let (remote, addr) = (key.public_key(), listener.local_addr()?);
    let dialling = thread::spawn(move || -> Result<(), Failure> {
        for name in ["Ann", "Ben"] {
            let key = SecretKey::generate();
            let mut connection = Connection::dial(TcpStream::connect(addr)?, &key, &remote)?;
            let hello = connection.exchange_hello(name, &key)?;
            println!("{name} is connected to {}", hello.client_text());
        }
        Ok(())
    });
    for _ in 0..2 {
        let mut connection = Connection::accept(listener.accept()?.0, &key)?;
        let hello = connection.exchange_hello("Listener", &key)?;
        println!("{} has connected", hello.client_text());
    }
    dialling.join().map_err(|_| "the thread panicked")?
}
