//! Priority: which threads give way where every processor is taken, and which cut in.

/// How far a thread steps aside: it gets a sixth of what one that answers does.
const NICENESS: i32 = 8;
/// How far one steps aside that has time: it gets two thirds of that.
const FAR_NICENESS: i32 = 10;

/// Steps of a piece: some tenth of a millisecond of folding.
const STEPS: u32 = 64;

/// How long a thread means to run that cuts in or works in pieces: the shortest that Linux knows.
#[cfg(target_os = "linux")]
const SLICE_NS: u64 = 100_000;

/// Lets those who answer go before this thread, from now on.
pub fn step_aside() {
    be_nice(NICENESS);
}

/// Lets those who fold go before this thread too, from now on.
pub fn step_far_aside() {
    be_nice(FAR_NICENESS);
}

/// Linux alone knows priorities of threads. A process that was started with less keeps it.
fn be_nice(niceness: i32) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::getpriority_process(None).and_then(|before| {
        let thread = Some(rustix::thread::gettid());
        rustix::process::setpriority_process(thread, niceness.max(before))
    }) {
        tracing::debug!(%error, niceness, "a thread keeps the priority of everything else");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

/// Lets this thread begin at once when it has something to do, from now on, instead of when a
/// thread that folds has had its milliseconds. Its share of the processor stays what it was. Before
/// Linux 6.12 nothing changes.
pub fn cut_in() {
    #[cfg(target_os = "linux")]
    if let Err(error) = mean_to_run(SLICE_NS) {
        tracing::debug!(%error, "a thread waits its turn like everything else");
    }
}

/// Lets whoever cuts in go before this thread, which is to give up the processor after each piece
/// of its work, as [`Pieces`] does: they wait for the end of a piece then, and not for the next
/// tick of the clock, which may be 4 ms away. A thread that yields gives up the rest of its slice,
/// so that this one's is short.
pub fn work_in_pieces() {
    cut_in();
}

/// Work that is done in pieces, after each of which the processor is given up.
#[derive(Debug, Default)]
pub struct Pieces {
    steps: u32,
}

impl Pieces {
    /// One more step, such as a record, is done.
    pub fn step(&mut self) {
        self.steps += 1;
        if self.steps == STEPS {
            self.steps = 0;
            std::thread::yield_now();
        }
    }
}

/// How long this thread runs at a time, if the kernel has to choose: `sched_setattr(2)`.
#[cfg(target_os = "linux")]
fn mean_to_run(slice_ns: u64) -> std::io::Result<()> {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: 0,
        sched_flags: libc::SCHED_FLAG_KEEP_POLICY as u64,
        sched_nice: rustix::process::getpriority_process(None)?,
        sched_priority: 0,
        sched_runtime: slice_ns,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the attributes say how large they are, are only read, and outlive the call.
    let done = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{fs, thread};

    use super::*;

    /// What the kernel says of this thread, where it says anything.
    fn said(name: &str) -> Option<String> {
        let all = fs::read_to_string("/proc/thread-self/sched").ok()?;
        let line = all.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().last().map(str::to_owned)
    }

    #[test]
    fn who_cuts_in_keeps_the_share_it_has() {
        let nice = || rustix::process::getpriority_process(None).expect("a niceness");
        let before = nice();
        let other = thread::spawn(move || {
            step_aside();
            assert_eq!(nice(), before.max(NICENESS));
            mean_to_run(SLICE_NS).expect("no privilege is needed");
            assert_eq!(nice(), before.max(NICENESS));
            if let Some(slice) = said("se.slice") {
                assert!(slice == "100000" || is_before_slices(), "{slice}");
            }
            step_far_aside();
            assert_eq!(nice(), before.max(FAR_NICENESS));
            step_aside();
            assert_eq!(nice(), before.max(FAR_NICENESS), "nobody comes nearer again");
        });
        other.join().expect("it does as it is told");
        assert_eq!(nice(), before, "nobody else's changes");
    }

    fn is_before_slices() -> bool {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
        (next(), next()) < (6, 12)
    }
}
