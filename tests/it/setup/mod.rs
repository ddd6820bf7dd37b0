//! Connection setup: handshake, Hello, admission, a server on loopback.

mod deadline;
mod hello;
mod server;
mod simultaneous;
