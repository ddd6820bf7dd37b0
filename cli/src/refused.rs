//! Describes system errors, and what to do about them.

use std::fmt;
use std::io::{self, ErrorKind};

/// An operation that the system can refuse.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refused {
    /// To listen on an address.
    Listen,
    /// To listen on a port that the system chooses.
    FreePort,
    /// To read a file.
    Read,
    /// To make a file, a folder or a socket.
    Make,
}

/// Formats the operation as a verb.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listen | Self::FreePort => "listen on",
            Self::Read => "read",
            Self::Make => "make",
        })
    }
}

impl Refused {
    /// Returns the system's text, followed by what to do, if that is known.
    pub(crate) fn text(self, error: &io::Error) -> String {
        let advice = match (self, error.kind()) {
            (Self::Listen, ErrorKind::AddrInUse) => {
                "stop the program that listens there, or choose another port"
            }
            (Self::FreePort, ErrorKind::AddrInUse) => {
                "no port is free, stop a program that uses many"
            }
            (Self::Listen | Self::FreePort, ErrorKind::AddrNotAvailable) => {
                "choose an address of this machine"
            }
            (Self::Listen, ErrorKind::PermissionDenied) => "choose a port from 1024 on",
            (Self::Read, ErrorKind::NotFound) => "check the path",
            (Self::Read, ErrorKind::IsADirectory) => "name a file in it",
            (Self::Read, ErrorKind::PermissionDenied) => "check its permissions",
            (Self::Make, ErrorKind::NotFound) => "make its folder first",
            (Self::Make, ErrorKind::AlreadyExists) => "choose another path, or move that file away",
            (Self::Make, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                "choose a folder that you can write to"
            }
            (Self::Make, ErrorKind::InvalidInput) => "choose a shorter path",
            _ => return error.to_string(),
        };
        format!("{error}; {advice}")
    }
}
