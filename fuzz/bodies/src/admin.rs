//! The admin interface: requests to a running node, and answers as its client reads them.

use peermux::node::withhold_keys;
use peermux::peer::{NodeInfo, PeerInfo};
use peermux::{Enode, NodeId, NodeRecord};
use peermux_cli::request::{Answer, Event, LONGEST, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::assert_explained;

/// The input is a request if its first byte is below 0x80, else an answer.
pub fn admin(data: &[u8]) {
    let Some((choice, line)) = data.split_first() else {
        return;
    };
    let Ok(line) = str::from_utf8(line) else {
        return;
    };
    match choice {
        ..0x80 => check_request(&line[..line.floor_char_boundary(LONGEST)]),
        0x80..0xc0 => check_answer::<NodeInfo>(line),
        0xc0..0xf0 => check_answer::<Vec<PeerInfo>>(line),
        0xf0.. => check_answer::<Vec<Event>>(line),
    }
}

/// An accepted request has the documented form, and round-trips.
fn check_request(line: &str) {
    match Request::read(line) {
        Ok(request) => {
            let written = serde_json::to_string(&request).expect("it serializes");
            assert!(!written.contains('\n'));
            assert_eq!(Request::read(&written), Ok(request));
            // If a field occurs twice, this reader takes the last one.
            assert!(is_request(line), "{line}");
        }
        Err(error) => {
            assert_explained(&error);
            let text = error.to_string();
            assert_eq!(withhold_keys(&text), text, "it repeats a key");
            let written = serde_json::to_string(&Answer::<()>::failed(text));
            assert!(!written.expect("it serializes").contains('\n'));
        }
    }
}

/// Returns whether a line has the documented form. This does not use the library's reader.
fn is_request(line: &str) -> bool {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else {
        return false;
    };
    let Some(Value::String(command)) = fields.remove("command") else {
        return false;
    };
    match &*command {
        "peers" | "node-info" | "bans" | "static-nodes" | "recordings" | "config" | "discovery"
        | "stop" => fields.is_empty(),
        "events" => {
            let is_whole = |value: Value| value.is_u64();
            fields.remove("after").is_none_or(is_whole) && fields.is_empty()
        }
        "add" => is_only(&fields, "enode", is_node),
        "ban" => {
            let is_text = |value: Value| value.is_string();
            let is_positive = |value: Value| value.as_u64().is_some_and(|seconds| seconds > 0);
            fields.remove("seconds").is_some_and(is_positive)
                && fields.remove("reason").is_none_or(is_text)
                && is_only(&fields, "target", is_target)
        }
        "unban" => is_only(&fields, "target", is_target),
        "reconfigure" => {
            let settings = fields.get("settings").is_some_and(Value::is_object);
            fields.len() == 1 && settings
        }
        "log-level" => is_only(&fields, "filter", |_| true),
        "remove" | "trust" | "distrust" | "kick" | "recording" => {
            is_only(&fields, "node", |text| {
                text.parse::<NodeId>().is_ok() || is_node(text)
            })
        }
        _ => false,
    }
}

fn is_only(fields: &Map<String, Value>, name: &str, check: impl Fn(&str) -> bool) -> bool {
    let text = fields.get(name).and_then(Value::as_str);
    fields.len() == 1 && text.is_some_and(check)
}

fn is_target(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok() || text.parse::<NodeId>().is_ok() || is_node(text)
}

fn is_node(text: &str) -> bool {
    text.parse::<Enode>().is_ok() || text.parse::<NodeRecord>().is_ok()
}

/// An answer that the client can read round-trips.
fn check_answer<T: Serialize + DeserializeOwned>(line: &str) {
    if let Ok(answer) = serde_json::from_str::<Answer<T>>(line) {
        let written = serde_json::to_string(&answer).expect("it serializes");
        let again: Answer<T> = serde_json::from_str(&written).expect("the written form");
        assert_eq!(serde_json::to_string(&again).expect("the same"), written);
    }
}
