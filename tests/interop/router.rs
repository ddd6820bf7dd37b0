//! Port mapping by miniupnpd, which many routers use.
//!
//! Three network namespaces represent the node, its router and the rest of the world, with links
//! between neighbours. The test runs this program again inside the router's namespace.

use std::env;
use std::fs;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::Trial;
use peermux::NodeRecord;

use crate::daemon::Daemon;
use crate::foreign::output;
use crate::namespace::{are_there, run_inside};
use crate::program::Program;
use crate::report;

/// The environment variable with the value of `--nat`, set inside the namespace.
const INSIDE: &str = "PEERMUX_INTEROP_ROUTER";

const WORDS: [&str; 4] = ["any", "upnp", "pmp", "pmp:192.168.77.1"];

/// Sets up both links of the router, and the rules for its mappings. The router adds mappings to
/// these rules. Other inbound traffic is dropped.
const SET_UP: &str = "\
ip link add lan0 type veth peer name lan1 &&
ip link add wan0 type veth peer name wan1 &&
ip addr add 192.168.77.1/24 dev lan0 &&
ip addr add 80.81.82.83/24 dev wan0 &&
ip link set lan0 up &&
ip link set wan0 up &&
echo 1 > /proc/sys/net/ipv4/ip_forward &&
nft -f - <<END
table inet filter {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        jump miniupnpd
    }
    chain miniupnpd { }
    chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
    chain postrouting { type nat hook postrouting priority 100; jump postrouting_miniupnpd; }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}
END";

const CONFIG: &str = "\
ext_ifname=wan0
listening_ip=lan0
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
uuid=68555350-3352-3883-2883-335030522880
allow 1024-65535 192.168.77.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
";

/// The line that miniupnpd logs when all its services run.
const SERVES: &str = "Listening for NAT-PMP/PCP traffic";

/// Waits for this end of the link, `$0`, then configures it. `$1` is the address, and `$2` is the
/// gateway or empty. The script runs until its input ends.
const HOST: &str = "\
echo '{\"event\":\"inside\"}' && read _ &&
ip link set lo up && ip addr add $1 dev $0 && ip link set $0 up &&
{ [ -z \"$2\" ] || ip route add default via $2; } &&
echo '{\"event\":\"attached\"}' && cat";

/// Runs the test itself if this process is inside the namespace.
pub(crate) fn inside() -> Option<ExitCode> {
    let word = env::var(INSIDE).ok()?;
    map(&word);
    Some(ExitCode::SUCCESS)
}

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    WORDS.into_iter().map(|word| {
        let run = move |()| run_inside(INSIDE, word);
        report::trial(format!("miniupnpd::{word}"), ready, run)
    })
}

fn ready() -> Result<(), String> {
    for (tool, argument) in [
        ("ip", "-V"),
        ("nft", "-v"),
        ("nsenter", "-V"),
        ("miniupnpd", "--version"),
    ] {
        let run = Command::new(tool).arg(argument).output();
        run.map_err(|error| format!("no `{tool}` on this machine: {error}"))?;
    }
    are_there()
}

fn map(word: &str) {
    shell(SET_UP);
    let router = router(word);
    let home = Host::attach("lan1", "192.168.77.2/24", "192.168.77.1");
    // The world namespace has no route to the node itself.
    let world = Host::attach("wan1", "80.81.82.90/24", "");
    // The mapping that a killed node leaves behind must not prevent a new mapping.
    drop(mapped_node(&home, word));
    let (node, enode) = mapped_node(&home, word);
    assert!(mapped().contains("192.168.77.2:30303"), "{}", mapped());
    world.run(&["ping", &enode, "--count", "1"]).succeeded();
    node.terminate();
    node.succeeded();
    assert!(!mapped().contains("192.168.77.2"), "{}", mapped());
    drop(router);
}

/// Starts a node with a mapped port. Returns it with the enode URL of its record.
fn mapped_node(home: &Host, word: &str) -> (Program, String) {
    let mut node = home.run(&["listen", "--addr", "0.0.0.0:30303", "--nat", word]);
    node.event("listening");
    let mut kind = "record";
    loop {
        let event = node.event(kind);
        kind = "record_changed";
        let record = event["record"].as_str().expect("a record");
        let record: NodeRecord = record.parse().expect("a record");
        let enode = record.to_enode().to_string();
        if enode.ends_with("@80.81.82.83:30303?discport=0") {
            return (node, enode);
        }
    }
}

/// A namespace at the other end of a link, removed when this is dropped.
struct Host(Program);

impl Host {
    fn attach(link: &str, address: &str, via: &str) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", HOST, link, address, via]);
        let mut host = Program::spawn("a host", command);
        host.event("inside");
        shell(&format!("ip link set {link} netns {}", host.id()));
        host.say("");
        host.event("attached");
        Self(host)
    }

    /// Runs our binary in the namespace.
    fn run(&self, arguments: &[&str]) -> Program {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.0.id().to_string(), "--net"]);
        command.arg(env!("CARGO_BIN_EXE_peermux"));
        command.args(arguments).arg("--json");
        Program::spawn("peermux", command)
    }
}

/// Returns the router's current mappings.
fn mapped() -> String {
    shell("nft list ruleset")
}

fn shell(script: &str) -> String {
    let run = Command::new("sh").args(["-c", script]).output();
    let run = run.expect("a shell");
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{script}: {errors}");
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// Starts miniupnpd.
fn router(word: &str) -> Daemon {
    let folder = output().join("miniupnpd").join(word.replace(':', "-"));
    fs::create_dir_all(&folder).expect("a folder");
    let config = folder.join("miniupnpd.conf");
    fs::write(&config, CONFIG).expect("a file");
    let mut child = Command::new("miniupnpd")
        .arg("-d")
        .arg("-f")
        .arg(&config)
        .arg("-P")
        .arg(folder.join("pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("miniupnpd starts");
    let log = child.stderr.take().expect("a pipe");
    let router = Daemon::of(child, log);
    router.until(|line| line.contains(SERVES).then_some(()));
    router
}
