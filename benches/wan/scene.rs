//! A path with its listeners.

use crate::forwarder::{Carrying, Forwarder};
use crate::kind::{Kind, Served};
use crate::namespaces::{Namespaces, Side};
use crate::path::Path;

/// The fields are dropped in this order: the listeners, the path, the namespaces.
pub(crate) struct Scene {
    listeners: Vec<(Kind, Served)>,
    carrying: Option<Carrying>,
    namespaces: Namespaces,
    path: Path,
}

/// The settings that are in force in the namespaces.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Settings {
    pub(crate) congestion: String,
    pub(crate) available: String,
    pub(crate) receive_buffers: String,
    pub(crate) send_buffers: String,
}

impl Scene {
    pub(crate) fn set(
        forwarder: &Forwarder,
        path: Path,
        congestion: Option<&str>,
        repetition: usize,
    ) -> Result<Self, String> {
        let namespaces = Namespaces::create()?;
        let carrying = forwarder.start(path, repetition)?;
        if let Some(congestion) = congestion {
            namespaces.set_congestion(congestion)?;
        }
        Ok(Self {
            listeners: Vec::new(),
            carrying: Some(carrying),
            namespaces,
            path,
        })
    }

    /// Returns the target of this kind's listener, which is started on first use.
    pub(crate) fn target(&mut self, kind: Kind) -> String {
        let same = |(other, _): &(Kind, Served)| *other == kind;
        if !self.listeners.iter().any(same) {
            self.listeners.push((kind, kind.serve()));
        }
        let found = self.listeners.iter().find(|listener| same(listener));
        found.expect("started above").1.target.clone()
    }

    /// Makes the next dialler lose the same packets as the previous one.
    pub(crate) fn begin_anew(&mut self) {
        if let Some(carrying) = &mut self.carrying {
            carrying.begin_anew();
        }
    }

    pub(crate) fn settings(&self, congestion: Option<&str>) -> Result<Settings, String> {
        let read = |name: &str| {
            let told = Side::Dialler.setting(name)?;
            Ok::<_, String>(told.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        let default = read("tcp_congestion_control")?;
        Ok(Settings {
            congestion: congestion.map_or(default, str::to_owned),
            available: read("tcp_available_congestion_control")?,
            receive_buffers: read("tcp_rmem")?,
            send_buffers: read("tcp_wmem")?,
        })
    }

    /// Removes everything and logs the path's counters.
    pub(crate) fn end(mut self) {
        let dropped = self.namespaces.dropped_by_devices();
        self.listeners.clear();
        let counted = self
            .carrying
            .take()
            .and_then(Carrying::end)
            .unwrap_or_default();
        let number = |key: &str| {
            let ways = ["there", "back"].map(|way| counted[way][key].as_u64());
            ways.into_iter().flatten().sum::<u64>()
        };
        eprintln!(
            "  {}: {} packets, {} lost at random, {} at full queues",
            self.path.id(),
            number("packets"),
            number("lost"),
            number("refused"),
        );
        let unwanted = dropped + number("overflowed");
        if unwanted > 0 {
            eprintln!(
                "  {unwanted} packets were lost outside the path's model: the machine is too slow for it"
            );
        }
    }
}
