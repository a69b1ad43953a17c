//! Priority: which threads give way where every processor is taken.

/// How far: a thread that steps aside gets two fifths of what one that folds or answers does.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 4;

/// Lets others go before this thread, from now on.
pub fn step_aside() {
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS)
    {
        tracing::debug!(%error, "a thread keeps the priority of everything else");
    }
}
