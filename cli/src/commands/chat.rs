//! `peermux chat`: lines of standard input go to all peers, theirs come out.

use std::fmt;
use std::io;
use std::pin::pin;

use peermux::server::Advertised;
use peermux::{DialError, Endpoint, Enode, NodeId, SecretKey, Server, ServerConfig};
use peermux_protocols::chat::{Chat, Config, Event, Events, MAX_LINE};
use serde::Serialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::listen::Listening;
use crate::explain::Trouble;
use crate::failure::Failure;
use crate::node;
use crate::output::{Output, printable};

const EXAMPLES: &str = "\
Examples:
  peermux chat --listen 127.0.0.1:0 --name Ann        prints an enode URL; for Ben:
  peermux chat --dial enode://…@127.0.0.1:40404 --name Ben
  peermux chat --dial enode://… --dial enode://… --listen 127.0.0.1:0       joins two, and lets others join
  date | peermux chat --dial enode://…@127.0.0.1:40404

Each node passes on what it hears: with Ann in the middle, Ben and Carol hear each other.

Ends at the end of input (Ctrl-D) or at Ctrl-C, after all that was said has been sent.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    whereto: Whereto,
    /// Where others can dial you, if not at --listen: behind a router, in a container
    #[arg(long, value_name = "HOST[:PORT]", requires = "listen")]
    advertise: Option<Advertised>,
    /// Your name, at most 64 bytes; without one, the beginning of your node id
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Whereto {
    /// Wait for others here; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<Endpoint>,
    /// Join the node there, given as enode://KEY@HOST:PORT; may be given several times
    #[arg(long, value_name = "ENODE", value_parser = node::dialable)]
    dial: Vec<Enode>,
}

/// What is to be read, as it came.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Report {
    Joined {
        node_id: NodeId,
        name: String,
    },
    Line {
        node_id: NodeId,
        name: String,
        text: String,
    },
    History {
        node_id: NodeId,
        name: String,
        text: String,
    },
    Left {
        node_id: NodeId,
        name: String,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { name, .. } => write!(f, "* {} is here", printable(name)),
            Self::Line { name, text, .. } => write!(f, "{}: {}", printable(name), printable(text)),
            Self::History { name, text, .. } => {
                write!(f, "(earlier) {}: {}", printable(name), printable(text))
            }
            Self::Left { name, .. } => write!(f, "* {} is gone", printable(name)),
        }
    }
}

pub(crate) async fn run(
    args: Args,
    key: SecretKey,
    out: &Output,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    let id = key.public_key().node_id().to_string();
    let name = args.name.unwrap_or_else(|| id.chars().take(8).collect());
    let config = Config::new(name).map_err(|error| Failure::Usage(format!("--name: {error}")))?;
    let (chat, mut events) = Chat::new(config);
    let config = ServerConfig::default().with_advertise(args.advertise);
    let node = || {
        let builder = Server::builder(key.clone()).config(config.clone());
        builder.protocol(chat.clone())
    };
    let server = match &args.whereto.listen {
        Some(addr) => {
            let addrs = node::resolve_all(addr).await?;
            node::start(&addrs, || (node(), ())).await?.0
        }
        None => node().start().await.map_err(Failure::because)?,
    };
    let talking = async {
        if args.whereto.listen.is_some() {
            out.tell(&Listening::of(&server))?;
        }
        for enode in &args.whereto.dial {
            join(&server, enode, &mut events, out).await?;
        }
        talk(&chat, &mut events, out).await
    };
    let result = tokio::select! {
        // A result that is ready comes first.
        biased;
        result = talking => result,
        () = interrupted.cancelled() => Ok(()),
    };
    // What was said is written before the peers are told of the end; what they say is still heard.
    let leaving = async {
        node::shut_down(&server).await;
        drop((server, chat));
    };
    let ((), heard) = tokio::join!(leaving, hear(&mut events, out));
    result.and(heard)
}

/// Dials, and waits until the other side has told its name: from then on lines reach it. What is
/// heard meanwhile is printed, so that nobody is held up.
async fn join(
    server: &Server,
    enode: &Enode,
    events: &mut Events,
    out: &Output,
) -> Result<(), Failure> {
    let id = enode.public_key().node_id();
    let mut is_there = false;
    let print = |event: Event| {
        let is_it = matches!(&event, Event::Joined { peer, .. } if *peer == id);
        report(event, out).map(|()| is_it)
    };
    let mut dialling = pin!(server.dial(enode));
    let peer = loop {
        tokio::select! {
            // What was heard first.
            biased;
            Some(event) = events.next() => is_there |= print(event)?,
            peer = &mut dialling => match peer {
                Ok(peer) => break peer,
                // It has dialled us, perhaps for the same reason.
                Err(DialError::Connected { .. }) => return Ok(()),
                Err(error) => return Err(Trouble::dialling(&error).into()),
            },
        }
    };
    while !is_there {
        tokio::select! {
            // The name first: a peer that said it was there.
            biased;
            event = events.next() => match event {
                Some(event) => is_there = print(event)?,
                None => return Ok(()),
            },
            outcome = peer.ended() => return Err(match outcome {
                Some(outcome) => Trouble::peer_ended(&outcome.error).into(),
                None => Failure::because("the connection has ended"),
            }),
        }
    }
    Ok(())
}

/// Says what comes in and prints what is heard, until the end of input.
async fn talk(chat: &Chat, events: &mut Events, out: &Output) -> Result<(), Failure> {
    tokio::select! {
        // What is heard first: with the end of input nothing more is printed.
        biased;
        result = hear(events, out) => result,
        result = say_all(chat) => result,
    }
}

async fn say_all(chat: &Chat) -> Result<(), Failure> {
    let mut input = BufReader::new(tokio::io::stdin());
    while let Some(line) = next_line(&mut input).await.map_err(|e| cannot_read(&e))? {
        match line {
            Ok(text) if text.is_empty() => {}
            Ok(text) => {
                chat.say(&text).await.map_err(Failure::because)?;
            }
            Err(problem) => tracing::error!("a line was not sent: {problem}"),
        }
    }
    Ok(())
}

fn cannot_read(error: &io::Error) -> Failure {
    Failure::because(format!("cannot read standard input: {error}"))
}

async fn hear(events: &mut Events, out: &Output) -> Result<(), Failure> {
    while let Some(event) = events.next().await {
        report(event, out)?;
    }
    Ok(())
}

fn report(event: Event, out: &Output) -> Result<(), Failure> {
    match event {
        Event::Joined { peer, name } => out.tell(&Report::Joined {
            node_id: peer,
            name,
        }),
        Event::Left { peer, name } => out.tell(&Report::Left {
            node_id: peer,
            name,
        }),
        Event::Said { peer, line } => out.tell(&Report::Line {
            node_id: peer,
            name: line.name,
            text: line.text,
        }),
        Event::History { peer, lines } => lines.into_iter().try_for_each(|line| {
            out.tell(&Report::History {
                node_id: peer,
                name: line.name,
                text: line.text,
            })
        }),
        _ => Ok(()),
    }
}

/// The next line without its end, or why it cannot be sent; `None` at the end of input. However
/// long a line is, no more than can be sent is kept of it.
async fn next_line(
    input: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<Result<String, String>>> {
    let mut line = Vec::new();
    let mut length = 0usize;
    loop {
        let read = input.fill_buf().await?;
        if read.is_empty() && length == 0 {
            return Ok(None);
        }
        let end = read.iter().position(|byte| *byte == b'\n');
        let part = read.get(..end.unwrap_or(read.len())).unwrap_or_default();
        let room = (MAX_LINE + 1).saturating_sub(line.len());
        line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        let used = part.len() + usize::from(end.is_some());
        let ended = end.is_some() || read.is_empty();
        length += used;
        input.consume(used);
        if ended {
            return Ok(Some(finish_line(line)));
        }
    }
}

fn finish_line(mut line: Vec<u8>) -> Result<String, String> {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.len() > MAX_LINE {
        return Err(format!("it is longer than {MAX_LINE} bytes"));
    }
    String::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8]) -> Vec<Result<String, String>> {
        let mut input = BufReader::with_capacity(7, input);
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input).await.expect("memory can be read") {
            lines.push(line);
        }
        lines
    }

    #[tokio::test]
    async fn lines_end_with_a_newline_or_the_input() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(lines(b"").await, []);
        assert_eq!(
            lines(b"a\n\nlonger than the buffer\r\nend").await,
            [ok("a"), ok(""), ok("longer than the buffer"), ok("end")]
        );
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_told_and_skipped() {
        let mut input = vec![b'x'; MAX_LINE];
        input.push(b'\n');
        input.extend(vec![b'y'; 3 * MAX_LINE]);
        input.extend(b"\n\xff\nlast");
        let lines = lines(&input).await;
        assert_eq!(lines.len(), 4);
        assert!(lines[0].is_ok() && lines[1].is_err() && lines[2].is_err());
        assert_eq!(lines[3], Ok("last".to_owned()));
    }
}
