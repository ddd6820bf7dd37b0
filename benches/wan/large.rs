//! Checks that the largest message arrives over a slow path.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::forwarder::Forwarder;
use crate::goals::Goals;
use crate::kind::{Errand, Kind};
use crate::load::Load;
use crate::options::Options;
use crate::path::Path;
use crate::scene::Scene;

/// The name on the command line.
pub(crate) const NAME: &str = "50ms-4mbit/large";

/// The largest message of `bench`: 16 MiB without the margin for Snappy's overhead.
const SIZE: usize = (16 << 20) - (1 << 10);

/// Sends one message of 16 MiB over 4 Mbit/s. If it does not arrive, a goal is missed.
pub(crate) fn check(forwarder: &Forwarder, options: &Options, goals: &mut Goals) {
    let path = Path::narrow();
    eprintln!("16 MiB, {}", path.title());
    let arrived = catch_unwind(AssertUnwindSafe(|| {
        let mut scene = Scene::set(forwarder, path, options.congestion.as_deref(), 0)?;
        let target = scene.target(Kind::Peermux);
        let errand = Errand {
            kind: Kind::Peermux,
            target: &target,
            load: Load::Sink(SIZE),
            count: 1,
            seconds: 0.0,
        };
        let told = errand.run()?;
        scene.end();
        Ok::<_, String>(told["seconds"].as_f64().unwrap_or_default())
    }));
    let arrived = arrived.unwrap_or_else(|_| Err("see above".to_owned()));
    if let Err(why) = &arrived {
        eprintln!("{why}");
    }
    let least = path.time_of(SIZE).as_secs_f64();
    let figure = match &arrived {
        Ok(seconds) => format!("after {seconds:.1} s"),
        Err(_) => "it did not".to_owned(),
    };
    goals.add(
        format!(
            "{}: a message of 16 MiB arrives, which takes {least:.1} s at least",
            path.title()
        ),
        figure,
        arrived.is_ok(),
    );
}
