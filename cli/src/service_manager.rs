//! Notifications to the service manager, which is systemd.

/// The state of a node.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "there is nobody to notify")
)]
pub(crate) enum State<'a> {
    /// The node accepts connections. The text is for `systemctl status`.
    Ready(&'a str),
    /// The node reads its configuration again. [`State::Ready`] follows.
    Reloading,
    /// The node is ending.
    Stopping,
}

/// Notifies the service manager, if there is one.
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
        tracing::warn!(%error, ?state, "cannot notify the service manager");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn notify(_: State<'_>) {}
