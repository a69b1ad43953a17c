//! Pressure: how long requests wait before anybody looks at them, and who is turned away while
//! that is too long.
//!
//! A wait that stays, rather than one that passes, is overload. Then a part of the requests is
//! turned away at once: so many that workers have a little time left, since a queue is short only
//! then, and more as soon as the wait is too long all the same (CoDel's standing queue). Projects
//! share what is left evenly, so that a flood of one is turned away before anything of another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use schemas::ids::ProjectId;

/// For how long all waits have to be too long before anybody is turned away.
const BEGINS_AFTER: Duration = Duration::from_millis(20);
/// How many have to be: a thread that stood still for a moment makes one of them long.
const BEGINS_AFTER_WAITS: u32 = 2;
/// For how long they are looked at together from then on.
const LOOK: Duration = Duration::from_millis(5);
/// For how long after everybody is answered again one look is enough to begin anew: whoever asks
/// too much pauses now and then, and comes back with all that piled up.
const ALERT: Duration = Duration::from_secs(2);
/// What the share that is answered is multiplied by at least and at most while the wait is too
/// long: the longer, the less.
const SHRINKS: (f64, f64) = (0.1, 0.95);
/// Which part of their time workers are to be at work, and how far the share that is answered may
/// move towards that at a time.
const AT_WORK: f64 = 0.85;
const MOVES: (f64, f64) = (0.5, 1.5);
const SHARE_LEAST: f64 = 0.01;
/// How much of what projects asked before counts, each time.
const REMEMBERED: f64 = 0.9;
/// What is always answered of a project, of what is remembered of it.
const SELDOM: f64 = 1.0;
/// Projects that asked for less than this lately are forgotten.
const ASKED_LEAST: f64 = 0.01;

/// Who is turned away.
pub struct Pressure {
    /// None where nobody ever is.
    wait_max: Option<Duration>,
    is_high: AtomicBool,
    /// Nanoseconds since the process began.
    alert_until_ns: AtomicU64,
    state: Mutex<State>,
}

struct State {
    /// Those that are looked at together, once there is one.
    waits: Option<Waits>,
    /// Of all requests, the share that is answered.
    share: f64,
    projects: FxHashMap<ProjectId, Asking>,
}

/// Waits that are looked at together.
#[derive(Clone, Copy)]
struct Waits {
    shortest: Duration,
    number: u32,
    /// When the first began.
    since: Duration,
}

/// What a project asks under pressure.
#[derive(Clone, Copy)]
struct Asking {
    /// Requests lately, the newest counting most.
    asked: f64,
    /// The share of them that is answered.
    share: f64,
    /// What is left over of it.
    credit: f64,
}

impl Default for Asking {
    /// Whoever comes new is answered.
    fn default() -> Self {
        Asking { asked: 0.0, share: 1.0, credit: 0.0 }
    }
}

impl Pressure {
    /// Turns requests away once they wait for longer than `wait_max`; never, if there is none.
    pub fn new(wait_max: Option<Duration>) -> Self {
        let state = State { waits: None, share: 1.0, projects: FxHashMap::default() };
        let (is_high, alert_until_ns) = (AtomicBool::new(false), AtomicU64::new(0));
        Pressure { wait_max, is_high, alert_until_ns, state: Mutex::new(state) }
    }

    /// One with the same bound that knows nothing yet.
    pub fn another(&self) -> Self {
        Pressure::new(self.wait_max)
    }

    /// Whether anybody is turned away now.
    pub fn is_high(&self) -> bool {
        self.is_high.load(Ordering::Relaxed)
    }

    /// Whether anybody is turned away, or was a moment ago.
    pub fn is_alert(&self, now: Duration) -> bool {
        self.is_high() || now.as_nanos() < self.alert_until_ns.load(Ordering::Relaxed).into()
    }

    /// Whether it ever looks at waits.
    pub fn looks(&self) -> bool {
        self.wait_max.is_some()
    }

    /// Tells how long something waited, as requests do, until `now`: since the process began.
    pub fn waited(&self, wait: Duration, now: Duration) {
        let Some(wait_max) = self.wait_max else { return };
        let mut state = self.state.lock();
        let since = now.saturating_sub(wait);
        let waits = state.waits.get_or_insert(Waits { shortest: wait, number: 0, since });
        waits.shortest = waits.shortest.min(wait);
        waits.number += 1;
        let Waits { shortest, number, since } = *waits;
        let (is_short, looked) = (shortest <= wait_max, now.saturating_sub(since));
        if !self.is_high() {
            if is_short {
                state.waits = None;
                return;
            }
            let begins_after = if self.is_alert(now) { LOOK } else { BEGINS_AFTER };
            if looked >= begins_after && number >= BEGINS_AFTER_WAITS {
                self.is_high.store(true, Ordering::Relaxed);
            }
            return;
        }
        if looked < LOOK {
            return;
        }
        let by = wait_max.as_secs_f64() / shortest.as_secs_f64();
        let factor = if is_short { 1.0 } else { by.sqrt().clamp(SHRINKS.0, SHRINKS.1) };
        state.waits = None;
        self.answer(&mut state, factor, now);
    }

    /// Tells which part of their time workers were at work lately.
    pub fn worked(&self, part: f64, now: Duration) {
        if self.is_high() {
            let factor = (AT_WORK / part.max(0.01)).clamp(MOVES.0, MOVES.1);
            self.answer(&mut self.state.lock(), factor, now);
        }
    }

    /// Answers so many times as many requests.
    fn answer(&self, state: &mut State, factor: f64, now: Duration) {
        state.share = (state.share * factor).max(SHARE_LEAST);
        if state.share >= 1.0 {
            state.share = 1.0;
            state.projects.clear();
            self.alert_until_ns.store((now + ALERT).as_nanos() as u64, Ordering::Relaxed);
            self.is_high.store(false, Ordering::Relaxed);
        } else {
            state.divide();
        }
    }

    /// Whether a request of this project is answered.
    pub fn admits(&self, project: ProjectId) -> bool {
        if !self.is_high() {
            return true;
        }
        let mut state = self.state.lock();
        let asking = state.projects.entry(project).or_default();
        asking.asked += 1.0;
        asking.credit += asking.share;
        let is_admitted = asking.credit >= 1.0;
        if is_admitted {
            asking.credit -= 1.0;
        }
        is_admitted
    }
}

impl State {
    /// Gives each project as much as any other gets, or all it asks for if that is less.
    fn divide(&mut self) {
        let mut asked: Vec<f64> = self.projects.values().map(|asking| asking.asked).collect();
        asked.sort_by(f64::total_cmp);
        let mut left = self.share * asked.iter().sum::<f64>();
        let mut each = f64::INFINITY;
        for (at, asked_here) in asked.iter().enumerate() {
            each = left / (asked.len() - at) as f64;
            if *asked_here > each {
                break;
            }
            left -= asked_here;
            each = f64::INFINITY;
        }
        // Whoever asks seldom is answered in any case.
        let each = each.max(SELDOM);
        self.projects.retain(|_, asking| {
            asking.share = (each / asking.asked).min(1.0);
            asking.asked *= REMEMBERED;
            asking.asked > ASKED_LEAST
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_micros(1_500);
    const SHORT: Duration = Duration::from_micros(100);
    const BUSY: ProjectId = ProjectId(1);
    const QUIET: ProjectId = ProjectId(2);

    fn pressure() -> Pressure {
        Pressure::new(Some(Duration::from_millis(1)))
    }

    /// A wait each millisecond, for so long.
    fn under(pressure: &Pressure, now_ms: &mut u64, ms: u64, wait: Duration) {
        for _ in 0..ms {
            *now_ms += 1;
            pressure.waited(wait, Duration::from_millis(*now_ms));
        }
    }

    fn admitted(pressure: &Pressure, project: ProjectId, requests: u32) -> u32 {
        (0..requests).map(|_| u32::from(pressure.admits(project))).sum()
    }

    #[test]
    fn a_wait_that_passes_turns_nobody_away() {
        let (pressure, mut now_ms) = (pressure(), 0);
        for _ in 0..100 {
            under(&pressure, &mut now_ms, 18, LONG);
            under(&pressure, &mut now_ms, 1, SHORT);
        }
        assert!(!pressure.is_high());
        assert_eq!(admitted(&pressure, BUSY, 1_000), 1_000);
        under(&pressure, &mut now_ms, 20, LONG);
        assert!(pressure.is_high());
        let never = Pressure::new(None);
        under(&never, &mut now_ms, 1_000, LONG);
        assert!(!never.is_high() && never.admits(BUSY));
    }

    #[test]
    fn a_thread_that_stood_still_once_turns_nobody_away() {
        let (pressure, mut now_ms) = (pressure(), 100);
        for _ in 0..10 {
            pressure.waited(Duration::from_millis(50), Duration::from_millis(now_ms));
            under(&pressure, &mut now_ms, 50, SHORT);
            assert!(!pressure.is_high());
        }
        for wait_ms in [30, 40] {
            pressure.waited(Duration::from_millis(wait_ms), Duration::from_millis(now_ms));
            now_ms += wait_ms;
        }
        assert!(pressure.is_high(), "twice in a row is a queue");
    }

    #[test]
    fn who_is_answered_becomes_fewer_until_the_wait_is_short_and_then_all_again() {
        let (pressure, mut now_ms) = (pressure(), 0);
        under(&pressure, &mut now_ms, 20, LONG);
        let mut last = 1_001;
        for _ in 0..20 {
            under(&pressure, &mut now_ms, 6, LONG);
            let answered = admitted(&pressure, BUSY, 1_000);
            assert!(answered < last || answered == 10, "{answered} after {last}");
            last = answered;
        }
        assert!(last < 60, "{last}");
        under(&pressure, &mut now_ms, 100, SHORT);
        assert_eq!(admitted(&pressure, BUSY, 1_000), last, "no shorter, no longer");
        pressure.worked(0.5, Duration::from_millis(now_ms));
        let more = admitted(&pressure, BUSY, 1_000);
        assert!(more > last, "workers have time left");
        pressure.worked(1.0, Duration::from_millis(now_ms));
        assert!(admitted(&pressure, BUSY, 1_000) < more, "now they have none");
        let mut steps = 0;
        while pressure.is_high() {
            pressure.worked(0.2, Duration::from_millis(now_ms));
            steps += 1;
        }
        assert!((5..20).contains(&steps), "{steps}");
        assert_eq!(admitted(&pressure, BUSY, 1_000), 1_000);
    }

    #[test]
    fn who_comes_back_soon_is_met_sooner() {
        for (away_ms, begins_after_ms) in [(1_900, 5), (2_000, 20)] {
            let (pressure, mut now_ms) = (pressure(), 0);
            under(&pressure, &mut now_ms, 20, LONG);
            while pressure.is_high() {
                pressure.worked(0.2, Duration::from_millis(now_ms));
            }
            under(&pressure, &mut now_ms, away_ms, SHORT);
            under(&pressure, &mut now_ms, begins_after_ms - 2, LONG);
            assert!(!pressure.is_high(), "{away_ms} ms after the last time");
            under(&pressure, &mut now_ms, 2, LONG);
            assert!(pressure.is_high(), "{away_ms} ms after the last time");
        }
    }

    #[test]
    fn a_flood_of_one_project_is_turned_away_before_anything_of_another() {
        let (pressure, mut now_ms) = (pressure(), 0);
        under(&pressure, &mut now_ms, 20, LONG);
        let (mut busy, mut quiet) = (0, 0);
        for round in 0..20 {
            let wait = if round < 10 { LONG } else { Duration::from_micros(500) };
            under(&pressure, &mut now_ms, 6, wait);
            busy = admitted(&pressure, BUSY, 1_000);
            quiet = admitted(&pressure, QUIET, 20);
        }
        assert!((50..300).contains(&busy), "{busy} of 1,000");
        assert_eq!(quiet, 20);
    }

    #[test]
    fn projects_that_ask_for_more_than_there_is_get_the_same() {
        let (pressure, mut now_ms) = (pressure(), 0);
        under(&pressure, &mut now_ms, 20, LONG);
        let (mut one, mut other) = (0, 0);
        for round in 0..60 {
            let wait = if round < 10 { LONG } else { Duration::from_micros(1_000) };
            under(&pressure, &mut now_ms, 6, wait);
            one = admitted(&pressure, BUSY, 10_000);
            other = admitted(&pressure, QUIET, 30_000);
            // What grows is left out here: two shares of the same pressure are compared.
            pressure.state.lock().share = 0.2;
        }
        assert!(one.abs_diff(other) <= 100, "{one} and {other}");
    }
}
