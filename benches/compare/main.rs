//! Compares peermux with other implementations under the same load.
//!
//! The others are go-ethereum's p2p package and EthereumJS. All run in turns, with interleaved
//! repetitions.
//!
//!     cargo bench -p peermux-cli --bench compare -- [--only sink/16] [--repetitions 9] [--quick]
//!
//! Each measurement uses two processes, of one implementation or of two. The dialler drives
//! `bench/1`. Our programs are `peermux listen` and `peermux bench`; the others are the programs of
//! the interop tests. A table is printed to standard output. JSON and an SVG plot are written to
//! `compare` below the target folder.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark has no caller to hand errors to"
)]

mod crowd;
#[path = "../../tests/interop/ethereumjs.rs"]
mod ethereumjs;
mod figures;
#[path = "../../tests/interop/foreign.rs"]
#[expect(dead_code, reason = "the interop tests use more of it")]
mod foreign;
#[path = "../../tests/interop/geth.rs"]
mod geth;
mod idle;
mod json;
mod kind;
mod load;
mod machine;
mod options;
mod pair;
mod plot;
mod process;
#[path = "../../tests/interop/program.rs"]
#[expect(dead_code, reason = "the interop tests use more of it")]
mod program;
mod table;

use std::process::ExitCode;

use clap::Parser;

use crate::figures::Figures;
use crate::kind::Kind;
use crate::options::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let kinds: Vec<_> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.is_ready())
        .collect();
    if options.require && kinds.len() < Kind::ALL.len() {
        return ExitCode::FAILURE;
    }
    // Up to a thousand peers of each implementation are connections of this process.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        eprintln!("the limit on open files cannot be raised: {error}");
    }
    let mut figures = Figures::default();
    pair::measure(&options, &kinds, &mut figures);
    idle::measure(&options, &kinds, &mut figures);
    crowd::measure(&options, &kinds, &mut figures);
    if figures.is_empty() {
        eprintln!("nothing was measured: see --only");
        return ExitCode::FAILURE;
    }
    print!("{}", table::table(&figures));
    match write(&options, &figures) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("writing below {}: {error}", options.output.display());
            ExitCode::FAILURE
        }
    }
}

fn write(options: &Options, figures: &Figures) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(&options.output)?;
    let (json, svg) = (
        options.output.join("compare.json"),
        options.output.join("compare.svg"),
    );
    std::fs::write(&json, json::json(options, figures))?;
    eprintln!("wrote {}", json.display());
    if plot::draw(figures, &svg)? {
        eprintln!("wrote {}", svg.display());
    }
    Ok(())
}
