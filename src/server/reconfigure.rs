//! Changes settings while the server runs.

use super::shared::Shared;
use super::{ReconfigureError, ServerConfig};

/// Applies a configuration completely, or not at all.
pub(super) async fn reconfigure(
    shared: &Shared,
    new: ServerConfig,
) -> Result<(), ReconfigureError> {
    new.check()?;
    {
        let mut config = shared.config.lock();
        if let Some(setting) = fixed(&config, &new) {
            return Err(ReconfigureError::Fixed { setting });
        }
        // The memory limits are set first, since only this step can reject a value.
        shared.options.budget().set_limits(new.memory())?;
        let checks = &shared.checks;
        checks.peers.set_seats(new.seats(checks.has_source));
        checks.admission.set_config(new.admission());
        *checks.ban_above.lock() = (new.ban_above(), new.ban_time());
        shared.slots.set_limit(new.max_pending());
        *config = new;
    }
    let taken_on = shared.static_nodes.limits_changed().await;
    taken_on.map_err(|_| ReconfigureError::Stopped)
}

/// Returns the first setting that differs and cannot change.
fn fixed(old: &ServerConfig, new: &ServerConfig) -> Option<&'static str> {
    macro_rules! differing {
        ($($setting:ident)*) => {
            [$((stringify!($setting), old.$setting() != new.$setting())),*]
        };
    }
    let all = differing!(
        name listen advertise no_dial static_nodes trusted_nodes net_restrict setup_timeout
        redial_gap backoff probe_interval throttle_exempt exempt_local whitelist event_capacity
        message_events socket peer
    );
    let mut differing = all.into_iter().filter(|(_, differs)| *differs);
    differing.next().map(|(setting, _)| setting)
}
