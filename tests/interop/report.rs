//! Writes the results of a run as the table in docs/interop.md.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::{env, fs, io};

use libtest_mimic::{Completion, Failed, Trial};

use crate::foreign::{is_required, sources};

/// The environment variable with the file to write the report to.
const FILE: &str = "PEERMUX_INTEROP_REPORT";

/// The tests that passed.
static PASSED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The rows of the table. Each is a test's name without the program, and a description.
const TRIED: &[(&str, &str)] = &[
    (
        "they_dial::sink",
        "They dial, and send messages of 0 B to their largest",
    ),
    (
        "they_dial::source",
        "They dial, and receive messages of these sizes",
    ),
    ("they_dial::echo", "They dial, and we echo their messages"),
    (
        "they_dial::our_requests",
        "They dial, and echo our messages",
    ),
    (
        "they_dial::second_protocol",
        "They dial, with the second of two protocols",
    ),
    (
        "they_dial::snappy",
        "They dial: compressible and random data, with Snappy",
    ),
    (
        "they_dial::they_read_our_reasons",
        "They dial, and read each of our disconnect reasons",
    ),
    ("they_dial::they_quit", "They dial, and quit"),
    ("they_dial::our_shutdown", "They dial, and we shut down"),
    (
        "they_dial::we_are_full",
        "They dial, and we have too many peers",
    ),
    (
        "they_dial::nothing_in_common",
        "They dial, without a protocol in common",
    ),
    (
        "they_dial::devp2p_rlpx_ping",
        "`devp2p rlpx ping` reads our Hello",
    ),
    (
        "we_dial::sink",
        "We dial, and send messages of 0 B to their largest",
    ),
    (
        "we_dial::source",
        "We dial, and receive messages of these sizes",
    ),
    ("we_dial::echo", "We dial, and they echo our messages"),
    (
        "we_dial::second_protocol",
        "We dial, with the second of two protocols",
    ),
    (
        "we_dial::snappy",
        "We dial: compressible and random data, with Snappy",
    ),
    (
        "we_dial::they_read_our_reasons",
        "We dial, and they read each of our disconnect reasons",
    ),
    (
        "we_dial::we_read_their_reasons",
        "We dial, and read each of their disconnect reasons",
    ),
    ("we_dial::their_shutdown", "We dial, and they shut down"),
    (
        "we_dial::they_are_full",
        "We dial, and they have too many peers",
    ),
    (
        "we_dial::nothing_in_common",
        "We dial, without a protocol in common",
    ),
    ("we_dial::peermux_ping", "`peermux ping`"),
    ("crawl::they_are_met", "`peermux crawl` meets them"),
    (
        "crawl::a_chain_is_told",
        "`peermux crawl` reads their chain",
    ),
    (
        "crawl::devp2p_reads_our_node_set",
        "`devp2p nodeset info` reads what `peermux crawl` writes",
    ),
    ("packets::eth_68", "Messages of `eth/68`, byte for byte"),
    ("packets::eth_69", "Messages of `eth/69`, byte for byte"),
    ("packets::eth_70", "Messages of `eth/70`, byte for byte"),
    ("packets::snap_1", "Messages of `snap/1`, byte for byte"),
    (
        "eth68::we_dial",
        "`eth/68`: we dial, Status, headers on request",
    ),
    (
        "eth69::we_dial",
        "`eth/69`: we dial, Status, headers on request",
    ),
    (
        "eth69::they_dial",
        "`eth/69`: they dial, Status, headers on request",
    ),
    (
        "eth70::we_dial",
        "`eth/70`: we dial, Status, headers on request",
    ),
    (
        "eth70::they_dial",
        "`eth/70`: they dial, Status, headers on request",
    ),
    (
        "eth::other_chains",
        "`eth`: another network, genesis or fork is refused",
    ),
    (
        "discovery::conformance_of_v4",
        "`devp2p discv4 test`, all of it",
    ),
    (
        "discovery::conformance_of_v5",
        "`devp2p discv5 test`, all of it",
    ),
    (
        "discovery::decoders_of_v4_agree",
        "100,000 packets of Discovery v4, most of them damaged, on which both decoders agree",
    ),
    (
        "dns::devp2p_signs_and_we_read",
        "A list in the DNS that `devp2p dns sign` made",
    ),
    (
        "dns::we_sign_and_they_read",
        "A list in the DNS that we made",
    ),
    (
        "dns::damage_over_the_network",
        "A damaged list in the DNS, from a real server",
    ),
];

/// Tests with other programs, or with several at once.
const OTHERS: &[(&str, &str)] = &[
    (
        "miniupnpd::any",
        "A router with `miniupnpd` maps the node's port, by any protocol",
    ),
    ("miniupnpd::upnp", "The same, by UPnP"),
    ("miniupnpd::pmp", "The same, by PCP and NAT-PMP"),
    (
        "miniupnpd::pmp:192.168.77.1",
        "The same, with the router's address given",
    ),
    (
        "prometheus::promtool",
        "`promtool check metrics` reports no problem with a node's metrics",
    ),
    (
        "prometheus::dashboard",
        "Prometheus scrapes nodes, and each query of the dashboard for Grafana returns data",
    ),
    (
        "network::finds_itself",
        "A network of our nodes, go-ethereum's with Discovery v4 and v5, and EthereumJS's full node: all find peers from one bootnode, and again after it is killed",
    ),
];

/// The columns of the table, one per program. Each lists the prefix of the program's tests, the
/// file that contains its version, and the text before the version.
const PROGRAMS: &[(&str, &str, &str)] = &[
    (
        "go-ethereum",
        "geth/go.mod",
        "github.com/ethereum/go-ethereum v",
    ),
    (
        "ethereumjs",
        "ethereumjs/package.json",
        "\"@ethereumjs/devp2p\": \"",
    ),
    (
        "ethereumjs-client",
        "ethereumjs-client/package.json",
        "\"@ethereumjs/client\": \"",
    ),
];

/// Returns a test that is recorded when it passes. If `ready` fails, the test is shown as ignored,
/// or fails if tests are required.
pub(crate) fn trial<R, W: Into<String>>(
    name: impl Into<String>,
    ready: impl FnOnce() -> Result<R, W> + Send + 'static,
    run: impl FnOnce(R) -> Result<Completion, Failed> + Send + 'static,
) -> Trial {
    let name = name.into();
    let test = name.clone();
    Trial::ignorable_test(name, move || match ready().map_err(Into::into) {
        Ok(ready) => {
            let result = run(ready);
            if matches!(result, Ok(Completion::Completed)) {
                let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
                passed.insert(test);
            }
            result
        }
        Err(why) if is_required() => Err(why.into()),
        Err(why) => {
            eprintln!("{test} does not run: {why}");
            let why = why.lines().next().unwrap_or_default();
            Ok(Completion::ignored_with(why))
        }
    })
}

/// Writes the report if the environment variable is set.
pub(crate) fn write() -> io::Result<()> {
    let Some(file) = env::var_os(FILE) else {
        return Ok(());
    };
    let passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    fs::write(file, text(&passed)?)
}

fn text(passed: &BTreeSet<String>) -> io::Result<String> {
    let mut text = include_str!("report.md").to_owned();
    let mut rule = String::from("|---|");
    text.push_str("| |");
    for (program, file, before) in PROGRAMS {
        let version = version(file, before)?;
        // Writing to a string does not fail.
        let _ = write!(text, " {program} {version} |");
        rule.push_str("---|");
    }
    let _ = writeln!(text, "\n{rule}");
    for (test, what) in TRIED {
        let _ = write!(text, "| {what} |");
        for (program, ..) in PROGRAMS {
            let name = format!("{program}::{test}");
            let mark = if passed.contains(&name) { "yes" } else { "" };
            let _ = write!(text, " {mark} |");
        }
        text.push('\n');
    }
    text.push_str("\nAnd:\n");
    for (test, what) in OTHERS.iter().filter(|(test, _)| passed.contains(*test)) {
        let _ = writeln!(text, "- {what} (`{test}`)");
    }
    for test in passed.iter().filter(|test| !is_known(test)) {
        let _ = writeln!(text, "- `{test}`");
    }
    text.push_str(include_str!("by-hand.md"));
    Ok(text)
}

fn is_known(test: &str) -> bool {
    let mut others = OTHERS.iter().map(|(name, _)| *name);
    is_in_table(test) || others.any(|name| name == test)
}

fn is_in_table(test: &str) -> bool {
    let split = test.split_once("::");
    split.is_some_and(|(program, case)| {
        PROGRAMS.iter().any(|(name, ..)| *name == program)
            && TRIED.iter().any(|(name, _)| *name == case)
    })
}

/// Returns the version that follows the text `before` in a file.
fn version(file: &str, before: &str) -> io::Result<String> {
    let text = fs::read_to_string(sources().join(file))?;
    let version = text.split_once(before).map(|(_, rest)| {
        let ends = |char: char| !char.is_ascii_alphanumeric() && char != '.' && char != '-';
        rest.split(ends).next().unwrap_or_default().to_owned()
    });
    version.ok_or_else(|| io::Error::other(format!("no {before} in {file}")))
}
