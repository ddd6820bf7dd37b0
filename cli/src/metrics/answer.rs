use std::borrow::Cow;

/// The content type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

const PLAIN: &str = "text/plain; charset=utf-8";

/// An answer over HTTP, after which the connection closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    status: &'static str,
    kind: &'static str,
    body: Cow<'static, str>,
}

impl Answer {
    pub(super) const OK: Self = Self::plain("200 OK", "ok\n");
    pub(super) const BAD: Self = Self::plain("400 Bad Request", "not an HTTP request\n");
    pub(super) const NOT_FOUND: Self = Self::plain(
        "404 Not Found",
        "there are /metrics, /healthz and /readyz\n",
    );
    pub(super) const NOT_GET: Self = Self::plain("405 Method Not Allowed", "only GET\n");
    pub(super) const TOO_LONG: Self =
        Self::plain("431 Request Header Fields Too Large", "too long\n");
    pub(super) const NOT_READY: Self = Self::plain("503 Service Unavailable", "not ready\n");

    const fn plain(status: &'static str, body: &'static str) -> Self {
        Self {
            status,
            kind: PLAIN,
            body: Cow::Borrowed(body),
        }
    }

    pub(super) fn metrics(body: String) -> Self {
        Self {
            status: "200 OK",
            kind: METRICS,
            body: body.into(),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let Self { status, kind, body } = self;
        let length = body.len();
        let allow = if *self == Self::NOT_GET {
            "Allow: GET\r\n"
        } else {
            ""
        };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}\
             Connection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}
