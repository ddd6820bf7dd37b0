//! The reports of measurements, for people and for programs.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use peermux::setup::FailureInfo;
use peermux_protocols::bench::Measured;
use serde::Serialize;

use super::so_far::{Partial, SoFar};
use super::{Args, Mode};
use crate::failure::Failure;
use crate::output::micros;

/// A verified measurement of messages.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "result")]
pub(super) struct Report {
    mode: Mode,
    size: usize,
    count: u64,
    ok: bool,
    seconds: f64,
    msgs_per_s: f64,
    mb_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p999_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_seconds: Option<f64>,
}

impl Report {
    /// Makes the report. `cpu` is the CPU time of this process.
    pub(super) fn new(mode: Mode, measured: &Measured, cpu: Option<Duration>) -> Self {
        let percentile = |part| measured.percentile(part).map(micros);
        Self {
            mode,
            size: measured.size,
            count: measured.count,
            ok: true,
            seconds: measured.elapsed.as_secs_f64(),
            msgs_per_s: measured.messages_per_second(),
            mb_per_s: measured.megabytes_per_second(),
            p50_us: percentile(0.5),
            p99_us: percentile(0.99),
            p999_us: percentile(0.999),
            cpu_seconds: cpu.map(|cpu| cpu.as_secs_f64()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            size,
            count,
            seconds,
            msgs_per_s,
            mb_per_s,
            cpu_seconds,
            ..
        } = self;
        let what = self.mode.what();
        write!(
            f,
            "{count} {what}, {size} bytes each, all verified: {seconds:.3} s, {msgs_per_s:.0}/s, {mb_per_s:.1} MB/s"
        )?;
        if let (Some(p50), Some(p99)) = (self.p50_us, self.p99_us) {
            write!(f, "; median {p50:.1} µs, 99 % within {p99:.1} µs")?;
        }
        if let Some(cpu) = cpu_seconds {
            let each = cpu * 1e6 / (*count).max(1) as f64;
            write!(f, "; {each:.2} µs of CPU each")?;
        }
        Ok(())
    }
}

/// A measurement of full handshakes.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "result")]
pub(super) struct HandshakeReport {
    pub(super) mode: Mode,
    pub(super) count: u64,
    pub(super) concurrency: u16,
    pub(super) ok: bool,
    pub(super) seconds: f64,
    pub(super) handshakes_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_seconds: Option<f64>,
}

impl fmt::Display for HandshakeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            concurrency,
            seconds,
            handshakes_per_s,
            ..
        } = self;
        write!(
            f,
            "{count} handshakes, {concurrency} at once: {seconds:.3} s, {handshakes_per_s:.0}/s"
        )
    }
}

/// The report on a measurement without a result.
///
/// Programs get the reason, and what was measured so far. People get what was measured, or the
/// reason if nothing was.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "result")]
pub(super) struct NoResult<'a> {
    mode: Mode,
    size: u32,
    count: u64,
    ok: bool,
    error: Cow<'a, FailureInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<Partial>,
    #[serde(skip)]
    so_far: Option<SoFar>,
}

impl<'a> NoResult<'a> {
    pub(super) fn failed(args: &Args, failure: &'a Failure) -> Self {
        let error = match failure {
            Failure::Connection(trouble) => Cow::Borrowed(trouble.error()),
            failure => of_text(failure.text().unwrap_or_default()),
        };
        Self::new(args, error, None)
    }

    /// Makes the report on an interrupt. `so_far` is `None` if the measurement had not begun.
    pub(super) fn interrupted(args: &Args, so_far: Option<SoFar>) -> Self {
        let text = "interrupted before the end of the measurement";
        Self::new(args, of_text(text.to_owned()), so_far)
    }

    fn new(args: &Args, error: Cow<'a, FailureInfo>, so_far: Option<SoFar>) -> Self {
        Self {
            mode: args.mode,
            size: args.size,
            count: args.count,
            ok: false,
            error,
            measured: so_far.as_ref().map(SoFar::partial),
            so_far,
        }
    }
}

fn of_text<'a>(text: String) -> Cow<'a, FailureInfo> {
    Cow::Owned(FailureInfo::of_text(text))
}

impl fmt::Display for NoResult<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.so_far {
            Some(so_far) => so_far.fmt(f),
            None => f.write_str(&self.error.text),
        }
    }
}
