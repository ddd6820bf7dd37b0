//! What the service manager learns of a node: systemd's notifications, if it has asked for them.

/// What a node is doing.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "there is nobody to notify")
)]
pub(crate) enum State<'a> {
    /// It accepts connections; with what `systemctl status` shows.
    Ready(&'a str),
    /// It reads its configuration again; [`State::Ready`] follows.
    Reloading,
    /// It ends.
    Stopping,
}

/// Notifies the service manager. Without one nothing happens.
#[cfg(target_os = "linux")]
pub(crate) fn notify(state: State<'_>) {
    use sd_notify::NotifyState;

    let notified = match state {
        State::Ready(status) => {
            sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)])
        }
        State::Reloading => NotifyState::monotonic_usec_now()
            .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now])),
        State::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
    };
    if let Err(error) = notified {
        tracing::warn!(%error, ?state, "the service manager is not notified");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn notify(_: State<'_>) {}
