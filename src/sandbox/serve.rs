//! Serves the sandbox over plain HTTP.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::listener::{Abort, Abortable};
use super::{Sandbox, router};

/// How long open connections may hold up a stop.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves the sandbox until `shutdown` completes.
///
/// # Errors
///
/// None today: accepting is retried. The type leaves room for a listener that gives up.
pub async fn serve(
    listener: TcpListener,
    sandbox: Arc<Sandbox>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let app = router(Arc::clone(&sandbox)).into_make_service_with_connect_info::<Abort>();
    let (stopping, stop_began) = oneshot::channel();
    let server = axum::serve(Abortable(listener), app).with_graceful_shutdown(async move {
        shutdown.await;
        // The receiver goes only together with this future.
        let _ = stopping.send(());
    });
    let result = tokio::select! {
        result = server => result,
        () = async {
            let _ = stop_began.await;
            tokio::time::sleep(DRAIN).await;
        } => Ok(()),
    };
    // The LiveAPI's connections are no requests any more: nobody else ends them.
    sandbox.live.hang_up();
    result
}
