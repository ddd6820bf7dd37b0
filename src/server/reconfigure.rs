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
        let checks = &shared.checks;
        let mut config = checks.config.lock();
        if let Some(setting) = fixed(&config, &new) {
            return Err(ReconfigureError::Fixed { setting });
        }
        // The memory limits are set first, since only this step can reject a value.
        shared.options.budget().set_limits(new.memory())?;
        let seats = new.seats(checks.has_source);
        checks.peers.set_limits(seats, new.whitelist().clone());
        checks.admission.set_config(new.admission());
        checks.set_known(config.trusted_nodes(), &new);
        shared.slots.set_limit(new.max_pending());
        *config = new;
    }
    let taken_on = shared.static_nodes.config_changed().await;
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
        name listen advertise no_dial setup_timeout redial_gap backoff probe_interval
        event_capacity message_events socket peer
    );
    let mut differing = all.into_iter().filter(|(_, differs)| *differs);
    differing.next().map(|(setting, _)| setting)
}
