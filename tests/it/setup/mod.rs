//! Setting connections up: handshake, Hello, admission, a server on loopback.

mod hello;
mod server;
