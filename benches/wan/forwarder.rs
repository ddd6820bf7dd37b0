//! The program that carries packets between the namespaces.

use std::path::{Path as Folder, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::foreign::build_with;
use crate::namespaces::{DIALLER, LISTENER, Side};
use crate::path::Path;
use crate::program::Program;

/// The built program.
#[derive(Debug)]
pub(crate) struct Forwarder(PathBuf);

/// A path in use.
pub(crate) struct Carrying(Option<Program>);

impl Forwarder {
    /// Builds the program below the target folder.
    pub(crate) fn build() -> Result<Self, String> {
        let sources = Folder::new(env!("CARGO_MANIFEST_DIR")).join("../benches/wan/path");
        let binary = Folder::new(env!("CARGO_TARGET_TMPDIR"))
            .join("wan")
            .join("wan-path");
        build_with(
            "go",
            &sources,
            [
                "build".as_ref(),
                "-o".as_ref(),
                binary.as_os_str(),
                ".".as_ref(),
            ],
        )?;
        Ok(Self(binary))
    }

    /// Joins the namespaces. Different repetitions lose different packets, but a repetition loses
    /// the same packets in every run of the benchmark.
    pub(crate) fn start(&self, path: Path, repetition: usize) -> Result<Carrying, String> {
        let mut command = Command::new(&self.0);
        // Disable the interruption of goroutines, since none of the program's goroutines needs it.
        command.env("GODEBUG", "asyncpreemptoff=1");
        command.args(["-a", &Side::Dialler.name(), "-b", &Side::Listener.name()]);
        command.args(["-address-a", DIALLER, "-address-b", LISTENER]);
        let one_way = path.round_trip / 2;
        command.args(["-delay", &format!("{}us", one_way.as_micros())]);
        command.args(["-rate", &path.rate.unwrap_or(0).to_string()]);
        command.args(["-queue", &path.queue().unwrap_or(0).to_string()]);
        command.args(["-loss", &(f64::from(path.loss) / 1000.0).to_string()]);
        command.args(["-seed", &(2 * repetition).to_string()]);
        let mut program = Program::spawn("wan-path", command);
        match program.next() {
            Some(event) if event["event"] == "up" => Ok(Carrying(Some(program))),
            _ => Err(format!("wan-path does not start: {}", program.ended().log)),
        }
    }
}

impl Carrying {
    /// Makes the next connection lose the same packets as the previous one.
    pub(crate) fn begin_anew(&mut self) {
        if let Some(program) = &mut self.0 {
            program.say("again");
        }
    }

    /// Ends the program and returns its counters.
    pub(crate) fn end(mut self) -> Option<Value> {
        let mut program = self.0.take()?;
        program.end_input();
        program.ended().events.pop()
    }
}
