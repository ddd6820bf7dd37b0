//! Handles keys and answers in turn, and draws after each.

use std::collections::VecDeque;
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures::StreamExt;
use peermux_cli::request::Change;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::asker::{Answer, Ask, Asker};
use super::cannot_draw;
use super::model::{Model, Wish};
use super::screen::Screen;
use super::view::{self, Theme};
use crate::failure::Failure;

/// How many changes can wait until earlier requests are answered.
const WAITING: usize = 8;

/// Shows the view until a key or a signal ends it.
pub(super) async fn run(
    mut screen: Screen,
    mut model: Model,
    theme: Theme,
    mut asker: Asker,
    every: Duration,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    let mut input = EventStream::new();
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waiting: VecDeque<Change> = VecDeque::new();
    loop {
        let drawn = screen
            .terminal
            .draw(|frame| view::draw(frame, &mut model, theme));
        drawn.map_err(|error| cannot_draw(&error))?;
        tokio::select! {
            // Check the end first and keys second. Keys do not delay answers, because keys come
            // more slowly than answers can be shown.
            biased;
            () = interrupted.cancelled() => return Ok(()),
            event = input.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                    match model.press(key) {
                        None => {}
                        Some(Wish::Quit) => return Ok(()),
                        Some(Wish::Make(_)) if waiting.len() >= WAITING => {
                            model.complain("the node has not answered yet");
                        }
                        Some(Wish::Make(change)) => waiting.push_back(change),
                    }
                }
                // This may be a new size of the terminal, which the next drawing takes into account.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(cannot_draw(&error)),
                None => return Ok(()),
            },
            answer = asker.answer() => match answer? {
                Answer::Fresh(snapshot) => model.refresh(*snapshot),
                Answer::Lost(why) => model.lose(why),
                Answer::Changed(change, result) => {
                    model.conclude(&change, &result);
                    asker.ask(Ask::Refresh);
                }
            },
            _ = turns.tick(), if !asker.is_busy => asker.ask(Ask::Refresh),
        }
        if !asker.is_busy
            && let Some(change) = waiting.pop_front()
        {
            asker.ask(Ask::Change(change));
        }
    }
}
