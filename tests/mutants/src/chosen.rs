//! Which mutant is alive: `mutants` puts this file into each crate that it changes.

use std::io::Write as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The mutant that this process is run with; none, if it isn't said.
static ALIVE: LazyLock<u32> =
    LazyLock::new(|| std::env::var("MUTANT").map_or(0, |text| text.parse().expect("a number")));
/// The file that gets the first number of each place that is reached, if somebody asks for it.
static REACHED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("MUTANTS_REACHED").ok());
static SEEN: [AtomicBool; 1 << 16] = [const { AtomicBool::new(false) }; 1 << 16];

/// Of the mutants of a place the one that is alive; 0 if none is.
#[inline]
pub(crate) fn chosen(first: u32, count: u32) -> u32 {
    if REACHED.is_some() {
        tell(first);
    }
    let alive = *ALIVE;
    if alive.wrapping_sub(first) < count { alive } else { 0 }
}

#[cold]
fn tell(first: u32) {
    let Some(path) = &*REACHED else { return };
    if !SEEN[first as usize].swap(true, Ordering::Relaxed) {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let told = file.and_then(|mut file| file.write_all(format!("{first}\n").as_bytes()));
        told.expect("the file is there to be written to");
    }
}
