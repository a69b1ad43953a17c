//! The listener: takes connections and gives each to a worker, until the end.

use std::future::Future;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::workers::Worker;

/// How long no connection is taken after one couldn't be.
const REST: Duration = Duration::from_millis(50);

/// Has `workers` answer connections until `stop`, and finish the requests under way then. Returns
/// whether all of them were.
pub async fn serve(
    listener: TcpListener,
    workers: Vec<Worker>,
    stop: impl Future<Output = ()>,
) -> bool {
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let taken = accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer)));
        match (taken, workers.iter().min_by_key(|worker| worker.connections())) {
            (Ok(taken), Some(worker)) => worker.take(taken),
            (Ok(_), None) => return true,
            (Err(error), _) => {
                // Often too many open files: others have to end first.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(REST).await;
            }
        }
    }
    drop(listener);
    let mut are_drained = true;
    let draining: Vec<_> = workers.into_iter().map(|worker| tokio::spawn(worker.drain())).collect();
    for drained in draining {
        are_drained &= drained.await.unwrap_or(false);
    }
    are_drained
}
