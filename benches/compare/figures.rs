//! The measured figures.

use serde::Serialize;

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Section {
    Sink,
    Source,
    Echo,
    Handshakes,
    Cpu,
    Idle,
    Peers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "messages/s")]
    MessagesPerSecond,
    #[serde(rename = "MB/s")]
    MegabytesPerSecond,
    #[serde(rename = "1/s")]
    PerSecond,
    #[serde(rename = "µs")]
    Microseconds,
    #[serde(rename = "KiB")]
    Kibibytes,
}

/// One cell of the table: the values of all repetitions in order.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) section: Section,
    pub(crate) row: String,
    pub(crate) unit: Unit,
    /// The implementation. If two are paired, the dialling one and then the listening one.
    pub(crate) column: String,
    values: Vec<f64>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// All figures, in the order of their first measurements.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Section {
    pub(crate) const ALL: [Self; 7] = [
        Self::Sink,
        Self::Source,
        Self::Echo,
        Self::Handshakes,
        Self::Cpu,
        Self::Idle,
        Self::Peers,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Sink => "Throughput, the dialler sends",
            Self::Source => "Throughput, the listener sends",
            Self::Echo => "Round trips, one after the other",
            Self::Handshakes => "Full connects: handshake, Hello, Disconnect",
            Self::Cpu => "CPU time per message, round trip or connect",
            Self::Idle => "Resident memory of an idle peer at a node with 100",
            Self::Peers => "Messages of 1 KiB from many peers to one node (the peers are peermux)",
        }
    }
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MessagesPerSecond => "messages/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::PerSecond => "1/s",
            Self::Microseconds => "µs",
            Self::Kibibytes => "KiB",
        }
    }
}

impl Figure {
    pub(crate) fn summary(&self) -> Summary {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
            _ => sorted[middle],
        };
        Summary {
            median,
            min: sorted[0],
            max: sorted[sorted.len() - 1],
        }
    }
}

impl Figures {
    /// Adds the value of one repetition.
    pub(crate) fn add(
        &mut self,
        section: Section,
        row: String,
        unit: Unit,
        column: &str,
        value: f64,
    ) {
        let same = self.0.iter_mut().find(|figure| {
            (figure.section, figure.unit) == (section, unit)
                && figure.row == row
                && figure.column == column
        });
        match same {
            Some(figure) => figure.values.push(value),
            None => self.0.push(Figure {
                section,
                row,
                unit,
                column: column.to_owned(),
                values: vec![value],
            }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Figure> {
        self.0.iter()
    }

    pub(crate) fn section(&self, section: Section) -> Vec<&Figure> {
        self.iter()
            .filter(|figure| figure.section == section)
            .collect()
    }
}
