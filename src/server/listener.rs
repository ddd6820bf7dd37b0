use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::handle::{Inner, spawn};
use super::{SocketOptions, setup};

/// How long to wait after the system could not accept, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Accepts connections until the server stops. A slot is taken before each one and given back
/// when its set-up ends; without a slot connections wait in the kernel.
pub(crate) async fn run(inner: Arc<Inner>, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(inner.limits.max_pending));
    let accepting = async {
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
            match accept(&listener, inner.limits.socket).await {
                Ok(stream) => {
                    let server = Arc::clone(&inner);
                    spawn(&inner, async move {
                        serve(&server, stream).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    warn!(%error, "cannot accept connections");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = inner.stopping.cancelled() => {}
    }
}

async fn accept(listener: &TcpListener, options: SocketOptions) -> std::io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    options.apply(&stream)?;
    Ok(stream)
}

async fn serve(inner: &Arc<Inner>, stream: TcpStream) {
    let remote = stream.peer_addr().ok();
    if let Err(error) = setup::inbound(inner, stream).await {
        debug!(?remote, %error, "inbound connection not set up");
    }
}
