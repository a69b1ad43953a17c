//! Workers: threads that answer, each with a runtime and connections of its own.
//!
//! A request is read, answered and written by one thread, which nobody has to wake for another's
//! sake. A connection goes to the worker that has the fewest, and stays there.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;

/// How much of a request is read before its headers have to be over.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// How many headers a request may have; more are 431.
const HEADERS_MAX: usize = 100;
/// After so many answers a worker looks for requests, rather than after 61: one that comes waits
/// for those before it alone, and how busy the worker is is known in time.
const ANSWERS: u32 = 8;
/// How long a worker that is done waits for what it has others do, such as counts of members.
const LAST_WAIT: Duration = Duration::from_millis(100);

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From a connection's begin, or the end of its last request, to the end of the next headers.
    pub headers: Duration,
    /// From the end of the listener to the end of the requests that are under way then.
    pub drain: Duration,
}

/// A connection that was taken.
type Taken = (TcpStream, SocketAddr);

/// A thread that answers. It drains once it is let go of.
pub struct Worker {
    taken: mpsc::UnboundedSender<Taken>,
    open: Arc<AtomicUsize>,
    drained: oneshot::Receiver<bool>,
}

impl Worker {
    /// Starts one that answers by `router`, and calls `begin` in its runtime first.
    ///
    /// # Errors
    /// When no thread or runtime can be had.
    pub fn start(
        router: Router,
        patience: Patience,
        begin: impl FnOnce() + Send + 'static,
    ) -> io::Result<Worker> {
        let (taken, connections) = mpsc::unbounded_channel();
        let (tell, drained) = oneshot::channel();
        let open = Arc::new(AtomicUsize::new(0));
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().event_interval(ANSWERS).build()?;
        let counted = Arc::clone(&open);
        thread::Builder::new().name("answer".to_owned()).spawn(move || {
            let is_drained = runtime.block_on(async {
                begin();
                answer(connections, router, patience, &counted).await
            });
            runtime.shutdown_timeout(LAST_WAIT);
            // Whoever started it may be gone.
            tell.send(is_drained).ok();
        })?;
        Ok(Worker { taken, open, drained })
    }

    /// How many connections it has.
    pub(crate) fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Gives it a connection.
    pub(crate) fn take(&self, taken: Taken) {
        self.open.fetch_add(1, Ordering::Relaxed);
        if self.taken.send(taken).is_err() {
            tracing::error!("a thread that answers has ended; a connection is lost");
        }
    }

    /// Gives it no more. Returns whether every request under way was answered in time.
    pub(crate) async fn drain(self) -> bool {
        drop(self.taken);
        self.drained.await.unwrap_or(false)
    }
}

/// One connection less when it ends, however it does.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers what is taken until nobody gives any more, then finishes the requests under way. Returns
/// whether all of them were.
async fn answer(
    mut connections: mpsc::UnboundedReceiver<Taken>,
    router: Router,
    patience: Patience,
    open: &Arc<AtomicUsize>,
) -> bool {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience.headers)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let under_way = GracefulShutdown::new();
    while let Some((stream, peer)) = connections.recv().await {
        let open = Open(Arc::clone(open));
        let stream = match tokio::net::TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, %peer, "a connection could not be taken");
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
            drop(open);
        });
    }
    tokio::time::timeout(patience.drain, under_way.shutdown()).await.is_ok()
}
