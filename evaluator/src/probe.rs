//! The probe: asks as requests do, over a socket, and tells how long it waited to be seen.
//!
//! A wait counts only while the runtime's workers are at work nearly all the time, or somebody was
//! turned away a moment ago: what waits for a processor that others have taken isn't helped by
//! turning anybody away.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::runtime::{Handle, RuntimeMetrics};

use crate::limits::Elapsed;
use crate::pressure::Pressure;

/// How often it asks, and how often while somebody is turned away or was a moment ago.
const CALM: Duration = Duration::from_millis(5);
const BUSY: Duration = Duration::from_millis(1);
/// How long workers are looked at together, and which part of it they have to be at work for a
/// wait to count.
const LOOK: Duration = Duration::from_millis(20);
const AT_WORK: f64 = 0.8;

/// The question that is open, if one is.
#[derive(Default)]
struct Asked {
    /// When it was asked: nanoseconds since the process began.
    at_ns: AtomicU64,
    is_open: AtomicBool,
}

/// Probes the runtime that this is called in, until that ends or nobody holds `pressure`.
///
/// # Errors
/// When there is no socket or no thread to be had.
pub fn start(pressure: &Arc<Pressure>, elapsed: &Elapsed) -> std::io::Result<()> {
    if !pressure.looks() {
        return Ok(());
    }
    let (asking, answering) = UnixStream::pair()?;
    answering.set_nonblocking(true)?;
    let answering = tokio::net::UnixStream::from_std(answering)?;
    let asked = Arc::new(Asked::default());
    let asker = Asker {
        socket: asking,
        asked: Arc::clone(&asked),
        pressure: Arc::downgrade(pressure),
        elapsed: Arc::clone(elapsed),
        workers: Workers {
            metrics: Handle::current().metrics(),
            looked_at: elapsed(),
            busy: Duration::ZERO,
        },
        are_at_work: false,
    };
    thread::Builder::new().name("probe".to_owned()).spawn(move || asker.run())?;
    tokio::spawn(answer(answering, asked, Arc::downgrade(pressure), Arc::clone(elapsed)));
    Ok(())
}

struct Asker {
    socket: UnixStream,
    asked: Arc<Asked>,
    pressure: Weak<Pressure>,
    elapsed: Elapsed,
    workers: Workers,
    are_at_work: bool,
}

impl Asker {
    /// Asks as long as anybody wants to know.
    fn run(mut self) {
        while let Some(pressure) = self.pressure.upgrade() {
            let now = (self.elapsed)();
            if let Some(part) = self.workers.look(now) {
                self.are_at_work = part >= AT_WORK;
                pressure.look(now);
            }
            // One that is open says what it has to say by being late.
            if !self.asked.is_open.load(Ordering::Acquire) {
                if !self.are_at_work && !pressure.is_alert(now) {
                    pressure.waited(Duration::ZERO, now);
                } else if self.ask(now).is_err() {
                    return;
                }
            }
            let pause = if pressure.is_alert(now) { BUSY } else { CALM };
            drop(pressure);
            thread::park_timeout(pause);
        }
    }

    fn ask(&mut self, now: Duration) -> std::io::Result<()> {
        self.asked.at_ns.store(now.as_nanos() as u64, Ordering::Relaxed);
        self.asked.is_open.store(true, Ordering::Release);
        self.socket.write_all(&[0])
    }
}

/// The runtime's workers, as they were when they were last looked at.
struct Workers {
    metrics: RuntimeMetrics,
    looked_at: Duration,
    busy: Duration,
}

impl Workers {
    /// Which part of their time they were at work, once enough of it has passed.
    fn look(&mut self, now: Duration) -> Option<f64> {
        let passed = now.saturating_sub(self.looked_at);
        if passed < LOOK {
            return None;
        }
        let number = self.metrics.num_workers();
        let busy = (0..number).map(|at| self.metrics.worker_total_busy_duration(at)).sum();
        let worked = self.busy.abs_diff(busy).as_secs_f64();
        (self.looked_at, self.busy) = (now, busy);
        Some(worked / passed.as_secs_f64() / number as f64)
    }
}

async fn answer(
    mut socket: tokio::net::UnixStream,
    asked: Arc<Asked>,
    pressure: Weak<Pressure>,
    elapsed: Elapsed,
) {
    while socket.read_u8().await.is_ok() {
        // What has just been seen is looked at before what was seen earlier and waits.
        tokio::task::yield_now().await;
        let Some(pressure) = pressure.upgrade() else { return };
        let at = Duration::from_nanos(asked.at_ns.load(Ordering::Relaxed));
        let now = elapsed();
        pressure.waited(now.saturating_sub(at), now);
        asked.is_open.store(false, Ordering::Release);
    }
}
