//! Several threads that do the same at once.

use std::thread;

/// Does it so many times at once, each with its number, and waits for all.
///
/// # Errors
/// What the first of them that failed said.
pub fn together<T: Send, E: ToString>(
    number: u64,
    each: impl Fn(u64) -> Result<T, E> + Sync,
) -> Result<Vec<T>, String> {
    let each = |number| each(number).map_err(|error| error.to_string());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..number).map(|number| scope.spawn(move || each(number))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).collect()
    })
}
