//! Measures how fast a node with 1,000 peers answers `peers`.
//!
//! The benchmark measures the answer of the admin socket, and the command `peermux peers` from its start to
//! its end, while the node is idle and while messages flow. If tmux is installed, it also measures the CPU
//! time of a refresh of `peermux top`.
//!
//! `cargo bench -p peermux-cli --bench peers` runs the node as a separate process and all peers in the
//! benchmark's process. The node answers each message, so at a rate of 10,000 it handles 20,000 messages a
//! second. The last rate is more than the machine can handle.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark has no caller to hand errors to"
)]

#[cfg(not(unix))]
fn main() {
    eprintln!("the admin socket is a Unix socket");
}

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(unix)]
mod unix {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use peermux::{Enode, Peer, Protocol, SecretKey, Server};
    use peermux_protocols::echo::{Client, Config, Echo};
    use tokio::runtime::Runtime;
    use tokio::task::JoinSet;
    use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

    const PEERS: usize = 1000;
    const SIZE: usize = 256;
    /// The total numbers of messages that all peers send per second.
    const RATES: [u64; 4] = [0, 2_000, 10_000, 1_000_000];
    const QUESTIONS: usize = 100;
    const RUNS: usize = 20;
    /// How many refreshes of `peermux top` are measured, one a second.
    const REFRESHES: u64 = 10;
    /// The pause between two requests, which spreads them over varying states of the load.
    const PAUSE: Duration = Duration::from_millis(20);
    /// How many peers connect at once: as many as a node accepts by default.
    const SET_UPS: usize = 40;

    pub(super) fn main() {
        rlimit::increase_nofile_limit(u64::MAX).expect("a process may raise its soft limit");
        let runtime = Runtime::new().expect("a runtime");
        let node = Node::start();
        let peers = runtime.block_on(connect(&node.enode));
        println!("{PEERS} peers; times in ms: minimum, median, 90 %, maximum");
        println!(
            "{:>11} {:>11}  {:36}  {:36}  `peermux top`",
            "messages/s", "done", "answer on the socket", "`peermux peers`"
        );
        for rate in RATES {
            let load = Load::start(&runtime, &peers, rate);
            let since = Instant::now();
            wait(&runtime, Duration::from_secs(1));
            let answers = Spread::of(&runtime, QUESTIONS, || node.ask());
            let runs = Spread::of(&runtime, RUNS, || node.run_command());
            let top = node.watch(&runtime);
            let done = load.end(&runtime) as f64 / since.elapsed().as_secs_f64();
            println!("{rate:>11} {done:>11.0}  {answers}  {runs}  {top}");
        }
        println!("an answer has {} bytes", node.answer().len());
    }

    /// A node in a separate process.
    struct Node {
        child: Child,
        home: PathBuf,
        enode: Enode,
    }

    impl Node {
        fn start() -> Self {
            let home = std::env::temp_dir().join(format!("peermux-bench-{}", std::process::id()));
            let mut child = peermux()
                .args(["listen", "--addr", "127.0.0.1:0", "--protocol", "echo"])
                // The limit is twice the number of peers, because a part of the places is reserved for
                // nodes from the address book.
                .args(["--max-peers", &(2 * PEERS).to_string(), "--data-dir"])
                .arg(&home)
                .stdout(Stdio::piped())
                .spawn()
                .expect("the node starts");
            let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
            let enode = lines.next().expect("a first line").expect("is read");
            // The other lines are events, which are not needed.
            std::thread::spawn(move || lines.for_each(drop));
            let enode = enode.parse().expect("an enode URL");
            Self { child, home, enode }
        }

        fn socket(&self) -> PathBuf {
            self.home.join("admin.sock")
        }

        /// Returns the time from opening a connection to the end of the answer.
        fn ask(&self) -> Duration {
            let since = Instant::now();
            let answer = self.answer();
            let took = since.elapsed();
            assert_eq!(answer.matches("\"enode\"").count(), PEERS);
            took
        }

        fn answer(&self) -> String {
            let mut stream = UnixStream::connect(self.socket()).expect("the node runs");
            stream
                .write_all(b"{\"command\":\"peers\"}\n")
                .expect("asked");
            let mut answer = String::new();
            let mut reader = BufReader::with_capacity(1 << 18, stream);
            reader.read_line(&mut answer).expect("an answer");
            answer
        }

        fn run_command(&self) -> Duration {
            let since = Instant::now();
            let mut command = peermux();
            command.arg("peers").arg("--data-dir").arg(&self.home);
            let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
            let mut table = String::new();
            let mut out = child.stdout.take().expect("a pipe");
            out.read_to_string(&mut table).expect("a table");
            assert!(child.wait().expect("it ends").success());
            let took = since.elapsed();
            // The table has two more lines: the titles and the totals.
            assert_eq!(table.lines().count(), PEERS + 2);
            took
        }
    }

    impl Node {
        /// Returns the CPU time of one refresh of `peermux top`.
        fn watch(&self, runtime: &Runtime) -> String {
            let socket = self.home.join("tmux");
            let tmux = |arguments: &[&str]| {
                let mut command = Command::new("tmux");
                command
                    .arg("-S")
                    .arg(&socket)
                    .args(arguments)
                    .env_remove("TMUX");
                command.output()
            };
            let view = format!(
                "exec {} top --data-dir {}",
                env!("CARGO_BIN_EXE_peermux"),
                self.home.display()
            );
            let start = [
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                "160",
                "-y",
                "50",
                &view,
            ];
            if tmux(&start).is_err() {
                return "-".to_owned();
            }
            // Do not measure the start and the first refreshes.
            wait(runtime, Duration::from_secs(3));
            let pid = tmux(&["display-message", "-p", "#{pane_pid}"]).expect("its process id");
            let pid = String::from_utf8(pid.stdout).expect("digits");
            let since = cpu(pid.trim());
            wait(runtime, Duration::from_secs(REFRESHES));
            let taken = cpu(pid.trim()) - since;
            tmux(&["kill-server"]).expect("tmux ends");
            format!("{:.1}", taken.as_secs_f64() * 1e3 / REFRESHES as f64)
        }
    }

    /// Returns the CPU time of a process, which Linux counts in hundredths of a second.
    fn cpu(pid: &str) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        // The numbers follow the name, which may contain spaces.
        let (_, numbers) = stat.rsplit_once(')').expect("a name");
        let ticks = numbers.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks
            .map(|number| number.parse::<u64>().expect("a number"))
            .sum();
        Duration::from_millis(ticks * 10)
    }

    impl Drop for Node {
        fn drop(&mut self) {
            // Errors are ignored: the node may have ended by itself, and leftover files do no harm.
            let _ = self.child.kill();
            let _ = self.child.wait();
            let _ = std::fs::remove_dir_all(&self.home);
        }
    }

    fn peermux() -> Command {
        Command::new(Path::new(env!("CARGO_BIN_EXE_peermux")))
    }

    /// Connects all peers to the node and returns them, each with its own server.
    async fn connect(node: &Enode) -> Vec<(Server, Client)> {
        let mut dials = JoinSet::new();
        let mut peers = Vec::new();
        for _ in 0..PEERS {
            if dials.len() >= SET_UPS {
                peers.extend(dials.join_next().await);
            }
            let node = node.clone();
            dials.spawn(async move {
                let echo = Echo::new(Config::default());
                let server = Server::builder(SecretKey::generate())
                    .protocol(Protocol::new(echo.clone()))
                    .start()
                    .await
                    .expect("a server");
                let peer: Peer = server.dial(&node).await.expect("a peer");
                let client = echo.client(&peer).await.expect("echo");
                (server, client)
            });
        }
        while let Some(peer) = dials.join_next().await {
            peers.push(peer);
        }
        peers
            .into_iter()
            .map(|peer| peer.expect("connected"))
            .collect()
    }

    /// The tasks in which all peers send messages.
    struct Load {
        senders: JoinSet<()>,
        done: Arc<AtomicU64>,
    }

    impl Load {
        fn start(runtime: &Runtime, peers: &[(Server, Client)], rate: u64) -> Self {
            let (mut senders, done) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
            let _runtime = runtime.enter();
            let Some(nanos) = (PEERS as u64 * 1_000_000_000).checked_div(rate) else {
                return Self { senders, done };
            };
            let period = Duration::from_nanos(nanos);
            for (number, (_, client)) in peers.iter().enumerate() {
                let (client, done) = (client.clone(), Arc::clone(&done));
                let first = Instant::now() + period * number as u32 / PEERS as u32;
                senders.spawn(async move {
                    let mut turns = interval_at(first, period);
                    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
                    loop {
                        turns.tick().await;
                        client.round_trip(vec![7; SIZE]).await.expect("an answer");
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            Self { senders, done }
        }

        fn end(mut self, runtime: &Runtime) -> u64 {
            runtime.block_on(self.senders.shutdown());
            // Wait until the last answers have arrived.
            wait(runtime, Duration::from_millis(200));
            self.done.load(Ordering::Relaxed)
        }
    }

    fn wait(runtime: &Runtime, time: Duration) {
        runtime.block_on(async { sleep(time).await });
    }

    /// The times that many runs took.
    struct Spread(Vec<Duration>);

    impl Spread {
        fn of(runtime: &Runtime, runs: usize, mut run: impl FnMut() -> Duration) -> Self {
            let mut times = Vec::new();
            for _ in 0..runs {
                times.push(run());
                wait(runtime, PAUSE);
            }
            times.sort();
            Self(times)
        }
    }

    impl std::fmt::Display for Spread {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let last = self.0.len() - 1;
            for at in [0, last / 2, last * 9 / 10, last] {
                write!(f, " {:>8.2}", self.0[at].as_secs_f64() * 1e3)?;
            }
            Ok(())
        }
    }
}
