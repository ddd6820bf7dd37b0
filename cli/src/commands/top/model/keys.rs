//! The effect of keys.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use peermux::NodeId;
use peermux_cli::request::{Change, Named, Target, Whom};

use super::input::{Input, Purpose, Question};
use super::{Mode, Model, Step, Tab};
use crate::bans;
use crate::node;

/// What the driver must do after a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wish {
    /// End the view.
    Quit,
    /// Ask the running node to make a change.
    Make(Change),
}

/// The default duration of a ban.
const BAN: &str = "1h";

impl Model {
    /// Handles a key.
    pub(crate) fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Some(Wish::Quit);
        }
        // Ignore keys with Alt, because a key that is pressed right after Esc arrives as a key with Alt.
        if key.modifiers.contains(KeyModifiers::ALT) {
            return None;
        }
        match std::mem::replace(&mut self.mode, Mode::List) {
            Mode::List => self.press_in_list(key),
            Mode::Details(line) => self.press_in_text(key, line, Mode::Details),
            Mode::Help(line) => self.press_in_text(key, line, Mode::Help),
            Mode::Input(input) => self.press_in_input(key, input),
            Mode::Question(question) => self.answer(key, question),
        }
    }

    fn press_in_list(&mut self, key: KeyEvent) -> Option<Wish> {
        self.status = None;
        match key.code {
            KeyCode::Char('q') => return Some(Wish::Quit),
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Help(0),
            KeyCode::Enter => self.mode = Mode::Details(0),
            KeyCode::Esc if !self.filter.is_empty() => self.filter_by(String::new()),
            KeyCode::Char('/') => {
                let before = self.filter.clone();
                self.mode = Mode::Input(Input::new(Purpose::Filter(before.clone()), &before));
            }
            KeyCode::Char('s') => {
                self.sort = self.sort.next();
                self.arrange();
            }
            KeyCode::Char('r') => {
                self.reverse = !self.reverse;
                self.arrange();
            }
            KeyCode::Char('a') => self.mode = Mode::Input(Input::new(Purpose::Add, "")),
            KeyCode::Char('d' | 'K' | 'b' | 't') => return self.act(key.code),
            KeyCode::Char(digit @ '1'..='5') => {
                let at = digit as usize - '1' as usize;
                self.show_tab(Tab::ALL.get(at).copied());
            }
            KeyCode::Tab | KeyCode::Right => self.show_tab(self.neighbour(1)),
            KeyCode::BackTab | KeyCode::Left => self.show_tab(self.neighbour(Tab::ALL.len() - 1)),
            code => {
                if let Some(step) = step(code) {
                    self.move_all(step);
                }
            }
        }
        None
    }

    fn show_tab(&mut self, tab: Option<Tab>) {
        self.tab = tab.unwrap_or(self.tab);
        self.follow();
    }

    /// Returns the tab `by` places to the right. After the last tab comes the first.
    fn neighbour(&self, by: usize) -> Option<Tab> {
        let mut round = Tab::ALL.iter().cycle();
        let _ = round.find(|tab| **tab == self.tab);
        round.nth(by - 1).copied()
    }

    /// Carries out a key that acts on the selected node.
    fn act(&mut self, key: KeyCode) -> Option<Wish> {
        let Some(id) = self.selected() else {
            self.complain("no node is selected");
            return None;
        };
        let node = Whom(id);
        let is_connected = self.connected(&id).is_some();
        let change = match key {
            KeyCode::Char('b') => {
                self.mode = Mode::Input(Input::new(Purpose::Ban(id), BAN));
                return None;
            }
            KeyCode::Char('t') => {
                let trusted = self.connected(&id).is_some_and(|row| row.info.trusted);
                if trusted {
                    Change::Distrust { node }
                } else {
                    Change::Trust {
                        node: Named::Id(id),
                    }
                }
            }
            KeyCode::Char('d') if self.is_kept(&id) => {
                self.mode = Mode::Question(Question {
                    text: format!("disconnect {}, and no longer dial it? y/n", short(&id)),
                    change: Change::Remove { node },
                });
                return None;
            }
            _ if is_connected => Change::Kick { node },
            _ => {
                self.complain(format!("{} is not connected", short(&id)));
                return None;
            }
        };
        Some(Wish::Make(change))
    }

    fn answer(&mut self, key: KeyEvent, question: Question) -> Option<Wish> {
        match key.code {
            KeyCode::Char('y' | 'Y') => Some(Wish::Make(question.change)),
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => None,
            _ => {
                self.mode = Mode::Question(question);
                None
            }
        }
    }

    fn press_in_input(&mut self, key: KeyEvent, mut input: Input) -> Option<Wish> {
        match key.code {
            KeyCode::Enter => return self.finish(input),
            KeyCode::Esc => {
                if let Purpose::Filter(before) = input.purpose {
                    self.filter_by(before);
                }
                return None;
            }
            KeyCode::Backspace => {
                input.text.pop();
            }
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                input.text.clear();
            }
            KeyCode::Char(char) => input.push(char),
            _ => {}
        }
        self.status = None;
        if let Purpose::Filter(_) = input.purpose {
            self.filter_by(input.text.clone());
        }
        self.mode = Mode::Input(input);
        None
    }

    /// Handles a complete input line. A wrong line stays, so that it can be corrected.
    fn finish(&mut self, input: Input) -> Option<Wish> {
        let change = match &input.purpose {
            Purpose::Filter(_) => return None,
            Purpose::Add => {
                let node = node::dialable(input.text.trim());
                let node = node.map_err(|error| error.to_string());
                node.map(|enode| Change::Add { enode })
            }
            Purpose::Ban(id) => ban(*id, &input.text),
        };
        match change {
            Ok(change) => Some(Wish::Make(change)),
            Err(error) => {
                self.complain(error);
                self.mode = Mode::Input(input);
                None
            }
        }
    }

    pub(super) fn filter_by(&mut self, filter: String) {
        if self.filter != filter {
            self.filter = filter;
            self.arrange();
        }
    }

    fn press_in_text(
        &mut self,
        key: KeyEvent,
        line: usize,
        mode: fn(usize) -> Mode,
    ) -> Option<Wish> {
        let page = self.page.max(1);
        let line = match (key.code, step(key.code)) {
            (KeyCode::Char('d' | 'K' | 'b' | 't'), _) if mode(0) == Mode::Details(0) => {
                self.mode = mode(line);
                self.status = None;
                return self.act(key.code);
            }
            (_, Some(Step::By(lines))) => line.saturating_add_signed(lines),
            (_, Some(Step::Pages(1))) => line.saturating_add(page),
            (_, Some(Step::Pages(_))) => line.saturating_sub(page),
            (_, Some(Step::First)) => 0,
            // The last line is known only when the text is drawn.
            (_, Some(_)) => line,
            (KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace | KeyCode::Char('?'), _) => {
                return None;
            }
            // The text is closed, and the key acts on the list.
            (_, None) => return self.press_in_list(key),
        };
        self.mode = mode(line);
        None
    }
}

/// Returns how a key moves the selection.
fn step(code: KeyCode) -> Option<Step> {
    Some(match code {
        KeyCode::Up | KeyCode::Char('k') => Step::By(-1),
        KeyCode::Down | KeyCode::Char('j') => Step::By(1),
        KeyCode::PageUp => Step::Pages(-1),
        KeyCode::PageDown | KeyCode::Char(' ') => Step::Pages(1),
        KeyCode::Home | KeyCode::Char('g') => Step::First,
        KeyCode::End | KeyCode::Char('G') => Step::Last,
        _ => return None,
    })
}

/// Parses the ban of a node from a line such as `1h spam`.
fn ban(id: NodeId, line: &str) -> Result<Change, String> {
    let line = line.trim();
    let (time, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let time = bans::time(time).map_err(|error| format!("{time:?}: {error}"))?;
    Ok(Change::Ban {
        target: Target::Node(id),
        time,
        reason: reason.trim().to_owned(),
    })
}

/// Returns the beginning of a node id.
pub(crate) fn short(id: &NodeId) -> String {
    id.to_string().chars().take(super::SHORT_ID).collect()
}
