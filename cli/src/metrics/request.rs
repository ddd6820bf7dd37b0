//! Reads HTTP requests, as far as a GET without a body needs.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::answer::Answer;

/// The size limit of a request, in bytes. The requests of Prometheus have about 300 bytes.
const LONGEST: usize = 8 << 10;

/// Reads a request, and returns its path without the query, or a rejection.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Result<String, Answer>> {
    let mut head = Vec::with_capacity(512);
    let mut stream = stream.take(LONGEST as u64);
    while !is_whole(&head) {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(Err(if head.len() < LONGEST {
                Answer::BAD
            } else {
                Answer::TOO_LONG
            }));
        }
    }
    Ok(path(&head))
}

fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n")
}

fn path(head: &[u8]) -> Result<String, Answer> {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = str::from_utf8(line).map_err(|_| Answer::BAD)?;
    let parts: Vec<_> = line.split(' ').collect();
    let [method, target, version] = parts[..] else {
        return Err(Answer::BAD);
    };
    if !version.starts_with("HTTP/1.") {
        return Err(Answer::BAD);
    }
    if method != "GET" {
        return Err(Answer::NOT_GET);
    }
    let path = target.split('?').next().unwrap_or_default();
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(request: &[u8]) -> Result<String, Answer> {
        let mut request = request;
        read(&mut request).await.expect("there is no socket")
    }

    #[tokio::test]
    async fn the_path_is_what_is_asked_for() {
        for (request, path) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "/metrics"),
            ("GET /readyz?verbose HTTP/1.0\r\n\r\n", "/readyz"),
            ("GET / HTTP/1.1\r\n\r\nmore", "/"),
        ] {
            assert_eq!(asked(request.as_bytes()).await, Ok(path.to_owned()));
        }
    }

    #[tokio::test]
    async fn all_else_is_refused() {
        let long = [b"GET /", &[b'x'; LONGEST][..]].concat();
        for (request, answer) in [
            (&b"POST /metrics HTTP/1.1\r\n\r\n"[..], Answer::NOT_GET),
            (b"GET /metrics\r\n\r\n", Answer::BAD),
            (b"GET  /metrics HTTP/1.1\r\n\r\n", Answer::BAD),
            (b"GET /metrics SIP/2.0\r\n\r\n", Answer::BAD),
            (b"GET /\xff HTTP/1.1\r\n\r\n", Answer::BAD),
            (b"GET /metrics HTTP/1.1\r\n", Answer::BAD),
            (b"", Answer::BAD),
            (&long, Answer::TOO_LONG),
        ] {
            assert_eq!(asked(request).await, Err(answer));
        }
    }
}
