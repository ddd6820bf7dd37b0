//! `peermux chat`: sends lines of standard input to all peers, and prints theirs.

#[cfg(unix)]
mod commands;
#[cfg(unix)]
mod editor;
mod input;
mod report;
#[cfg(unix)]
mod screen;

#[cfg(unix)]
use std::ops::ControlFlow;
use std::pin::pin;

use peermux::server::Advertised;
use peermux::{DialError, Endpoint, Enode, SecretKey, Server, ServerConfig};
use peermux_protocols::chat::{Chat, Config, Event, Events};
use tokio_util::sync::CancellationToken;

#[cfg(unix)]
use self::commands::{Command, HELP};
#[cfg(unix)]
use self::editor::Editor;
use self::input::{Input, Line};
use self::report::Hearer;
use super::listen::Listening;
use crate::explain::Trouble;
use crate::failure::Failure;
use crate::node;
use crate::output::Output;
#[cfg(unix)]
use crate::output::printable;

const EXAMPLES: &str = "\
Examples:
  peermux chat --listen 127.0.0.1:0 --name Ann        prints an enode URL; for Ben:
  peermux chat --dial enode://…@127.0.0.1:40404 --name Ben
  peermux chat --dial enode://… --dial enode://… --listen 127.0.0.1:0       joins two, and lets others join
  date | peermux chat --dial enode://…@127.0.0.1:40404

Each node forwards the lines that it receives: with Ann in the middle, Ben and Carol read each other.

On a terminal, received lines appear above the line being typed. Arrow keys edit it and bring earlier
ones back. /peers lists the peers, /quit ends, /help explains; //… sends a line that begins with a slash.
Lines from a file or a pipe are sent as they are.

The chat ends at the end of input (Ctrl-D) or at Ctrl-C, after all lines have been sent.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    whereto: Whereto,
    /// The address for others to dial, if not --listen: behind a router, in a container
    #[arg(long, value_name = "HOST[:PORT]", requires = "listen")]
    advertise: Option<Advertised>,
    /// Your name, at most 64 bytes [default: the beginning of your node id]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Whereto {
    /// Wait for others at this address; port 0 picks a free port
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<Endpoint>,
    /// A node to join, as enode://KEY@HOST:PORT; can be repeated
    #[arg(long, value_name = "ENODE", value_parser = node::dialable)]
    dial: Vec<Enode>,
}

pub(crate) async fn run(
    args: Args,
    key: SecretKey,
    out: &Output,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    #[cfg(unix)]
    if !out.is_json()
        && let Some((editor, out)) = Editor::open(interrupted)?
    {
        let result = converse(args, key, &out, || editor.start(), interrupted).await;
        return out.finish(result, interrupted).await;
    }
    converse(args, key, out, || Ok(Input::plain()), interrupted).await
}

/// Joins the given nodes, and then opens the input and sends its lines.
async fn converse(
    args: Args,
    key: SecretKey,
    out: &Output,
    input: impl FnOnce() -> Result<Input, Failure>,
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
    let hearer = Hearer::new(out);
    let talking = async {
        if args.whereto.listen.is_some() {
            out.tell(&Listening::of(&server))?;
        }
        for enode in &args.whereto.dial {
            join(&server, enode, &mut events, &hearer).await?;
        }
        talk(&chat, input()?, &mut events, &hearer).await
    };
    let result = tokio::select! {
        // Check the result first: if it is ready, an interrupt no longer matters.
        biased;
        result = talking => result,
        () = interrupted.cancelled() => Ok(()),
    };
    // The lines that were sent are written before the Disconnect. Lines of peers are printed until the
    // connections have ended.
    let leaving = async {
        node::shut_down(&server).await;
        drop((server, chat));
    };
    let ((), heard) = tokio::join!(leaving, hear(&mut events, &hearer));
    result.and(heard)
}

/// Dials a node, and waits for its name. From then on the node receives lines.
///
/// Meanwhile events are printed, because unread events would stall the connections to other peers.
async fn join(
    server: &Server,
    enode: &Enode,
    events: &mut Events,
    hearer: &Hearer<'_>,
) -> Result<(), Failure> {
    let id = enode.public_key().node_id();
    let mut is_there = false;
    let print = |event: Event| {
        let is_it = matches!(&event, Event::Joined { peer, .. } if *peer == id);
        hearer.report(event).map(|()| is_it)
    };
    let mut dialling = pin!(server.dial(enode));
    let peer = loop {
        tokio::select! {
            // Handle events first, so that they are printed in order.
            biased;
            Some(event) = events.next() => is_there |= print(event)?,
            peer = &mut dialling => match peer {
                Ok(peer) => break peer,
                // The node to dial has dialled this node in the meantime.
                Err(DialError::Connected { .. }) => return Ok(()),
                Err(error) => return Err(Trouble::dialling(&error).into()),
            },
        }
    };
    while !is_there {
        tokio::select! {
            // Check the events first: a peer that has sent its name has joined, even if its connection has
            // ended since.
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

/// Sends the lines of the input, and prints events until the input ends.
async fn talk(
    chat: &Chat,
    input: Input,
    events: &mut Events,
    hearer: &Hearer<'_>,
) -> Result<(), Failure> {
    tokio::select! {
        // Handle the events that have arrived before the next line of input.
        biased;
        result = hear(events, hearer) => result,
        result = say_all(chat, input, hearer) => result,
    }
}

async fn say_all(chat: &Chat, mut input: Input, hearer: &Hearer<'_>) -> Result<(), Failure> {
    while let Some(line) = input.next().await? {
        match &input {
            Input::Plain(_) => say(chat, line).await?,
            #[cfg(unix)]
            Input::Typed { .. } => {
                if obey(chat, line, hearer).await?.is_break() {
                    break;
                }
            }
        }
    }
    Ok(())
}

async fn say(chat: &Chat, line: Line) -> Result<(), Failure> {
    match line {
        Ok(text) if text.is_empty() => {}
        Ok(text) => {
            chat.say(&text).await.map_err(Failure::because)?;
        }
        Err(problem) => tracing::error!("a line was not sent: {problem}"),
    }
    Ok(())
}

/// Carries out a typed line. Returns `Break` if the line ends the chat.
#[cfg(unix)]
async fn obey(chat: &Chat, line: Line, hearer: &Hearer<'_>) -> Result<ControlFlow<()>, Failure> {
    let out = hearer.out;
    let line = match line {
        Ok(line) => line,
        Err(problem) => {
            out.remark(&format!("the line was not sent: {problem}"));
            return Ok(ControlFlow::Continue(()));
        }
    };
    match Command::parse(&line) {
        None => {}
        Some(Command::Say(text)) => {
            chat.say(text).await.map_err(Failure::because)?;
        }
        Some(Command::Help) => out.remark(HELP),
        Some(Command::Peers) => out.remark(&hearer.present.list()),
        Some(Command::Quit) => return Ok(ControlFlow::Break(())),
        Some(Command::Unknown(word)) => out.remark(&format!(
            "{} is no command and was not sent; /help lists the commands",
            printable(word)
        )),
    }
    Ok(ControlFlow::Continue(()))
}

async fn hear(events: &mut Events, hearer: &Hearer<'_>) -> Result<(), Failure> {
    while let Some(event) = events.next().await {
        hearer.report(event)?;
    }
    Ok(())
}
