//! The listener: connections, each with bounds on how long a client may take and how much it may
//! say before its request is one, and an orderly end.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceExt;

/// How much of a request is read before its headers have to be over.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// How many headers a request may have; more are 431.
const HEADERS_MAX: usize = 100;
/// How long no connection is taken after one couldn't be.
const REST: Duration = Duration::from_millis(50);

/// How often the runtime's timers are looked at in any case. Each request sets one for the next
/// headers; the runtime has to be woken for a timer that is sooner than all others, and for that of
/// a lone connection it always would be: two more threads' turns for every answer.
const TICK: Duration = Duration::from_millis(100);

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From a connection's begin, or the end of its last request, to the end of the next headers.
    pub headers: Duration,
    /// From `stop` to the end of the requests that are under way then.
    pub drain: Duration,
}

/// Answers connections until `stop`, then finishes the requests under way. Returns whether all of
/// them were.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) -> bool {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience.headers)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let under_way = GracefulShutdown::new();
    tokio::pin!(stop);
    let mut tick = tokio::time::interval(TICK);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = tick.tick() => continue,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Often too many open files: others have to end first.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        // An answer is one write; nobody waits for more to send.
        let _ = stream.set_nodelay(true);
        let service = router.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = under_way.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "a connection ended");
            }
        });
    }
    drop(listener);
    tokio::time::timeout(patience.drain, under_way.shutdown()).await.is_ok()
}
