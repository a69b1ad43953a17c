//! Pressure: how long requests wait before anybody looks at them, and who is turned away while
//! that is too long.
//!
//! A wait that stays, rather than one that passes, is overload (CoDel's standing queue). From then
//! on it is known of each request how long it has waited at least: since the turn began in which
//! its worker comes to it. Whoever has waited too long is turned away at once, so that whoever
//! comes in the next turn hasn't. Projects share what is left evenly, so that a flood of one is
//! turned away before anything of another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use schemas::ids::ProjectId;

/// For how long all waits have to be too long before anybody is turned away.
const BEGINS_AFTER: Duration = Duration::from_millis(20);
/// How many have to be: a thread that stood still for a moment makes one of them long.
const BEGINS_AFTER_WAITS: u32 = 2;
/// The same soon after everybody is answered again: whoever asks too much pauses now and then, and
/// comes back with all that piled up.
const BEGINS_ANEW_AFTER: Duration = Duration::from_millis(5);
/// How soon that is.
const ALERT: Duration = Duration::from_secs(2);
/// Whoever is met may have waited as long before the turn began as the turn lasts.
const TURN: u32 = 2;
/// By how much more the share that is let in becomes each time, of what would have been in time:
/// about so many are too late in the end.
const GROWS: f64 = 1.1;
/// How far it moves at a time.
const MOVES: (f64, f64) = (0.5, 1.2);
const SHARE_LEAST: f64 = 0.01;
/// How much of what projects asked before counts, each time.
const REMEMBERED: f64 = 0.8;
/// What is always answered of a project, of what is remembered of it.
const SELDOM: f64 = 2.0;
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

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Whether it is answered.
    pub is_in: bool,
    /// Whether it begins a turn, whose end is to be told: [`Pressure::turned`].
    pub begins: bool,
}

struct State {
    /// Those that are looked at together, once there is one.
    waits: Option<Waits>,
    /// When the turn began that lasts.
    turn: Option<Duration>,
    /// Of all requests, the share that is let in.
    share: f64,
    /// How many of those were in time, and how many too late, since it last moved.
    in_time: u32,
    late: u32,
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
    /// The share of them that is let in.
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
        let (waits, turn, projects) = Default::default();
        let state = State { waits, turn, share: 1.0, in_time: 0, late: 0, projects };
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
        if self.is_high() {
            return;
        }
        let mut state = self.state.lock();
        let since = now.saturating_sub(wait);
        let waits = state.waits.get_or_insert(Waits { shortest: wait, number: 0, since });
        waits.shortest = waits.shortest.min(wait);
        waits.number += 1;
        let Waits { shortest, number, since } = *waits;
        if shortest <= wait_max {
            state.waits = None;
            return;
        }
        let begins_after = if self.is_alert(now) { BEGINS_ANEW_AFTER } else { BEGINS_AFTER };
        if now.saturating_sub(since) >= begins_after && number >= BEGINS_AFTER_WAITS {
            state.waits = None;
            self.is_high.store(true, Ordering::Relaxed);
        }
    }

    /// Lets a larger or a smaller share in, by how many of it came in time. To be called at
    /// intervals long enough for some to have come.
    pub fn look(&self, now: Duration) {
        if !self.is_high() {
            return;
        }
        let mut state = self.state.lock();
        let (in_time, late) = (f64::from(state.in_time), f64::from(state.late));
        (state.in_time, state.late) = (0, 0);
        let factor = match late {
            0.0 => MOVES.1,
            _ => (in_time / (in_time + late) * GROWS).clamp(MOVES.0, MOVES.1),
        };
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

    /// What becomes of a request of this project, which its worker comes to `now`.
    pub fn admit(&self, project: ProjectId, now: Duration) -> Admission {
        let Some(wait_max) = self.wait_max.filter(|_| self.is_high()) else {
            return Admission { is_in: true, begins: false };
        };
        let mut state = self.state.lock();
        let begins = state.turn.is_none();
        let turn = *state.turn.get_or_insert(now);
        let is_late = now.saturating_sub(turn) > wait_max / TURN;
        let (is_let_in, is_seldom) = state.ask(project);
        if is_let_in {
            let counted = if is_late { &mut state.late } else { &mut state.in_time };
            *counted += 1;
        }
        Admission { is_in: is_let_in && (is_seldom || !is_late), begins }
    }

    /// Tells that a turn is over: its worker has come to everything that was there when it began.
    pub fn turned(&self) {
        self.state.lock().turn = None;
    }
}

impl State {
    /// A request of this project: whether it is of the share that is let in, and whether few of
    /// the project's came lately.
    fn ask(&mut self, project: ProjectId) -> (bool, bool) {
        let asking = self.projects.entry(project).or_default();
        let is_seldom = asking.asked <= SELDOM;
        asking.asked += 1.0;
        asking.credit += asking.share;
        let is_let_in = asking.credit >= 1.0;
        if is_let_in {
            asking.credit -= 1.0;
        }
        (is_let_in, is_seldom)
    }

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

    #[test]
    fn a_wait_that_passes_turns_nobody_away() {
        let (pressure, mut now_ms) = (pressure(), 0);
        for _ in 0..100 {
            under(&pressure, &mut now_ms, 18, LONG);
            under(&pressure, &mut now_ms, 1, SHORT);
        }
        assert!(!pressure.is_high());
        let free = Admission { is_in: true, begins: false };
        assert!((0..1_000).all(|_| pressure.admit(BUSY, Duration::ZERO) == free));
        under(&pressure, &mut now_ms, 20, LONG);
        assert!(pressure.is_high());
        let never = Pressure::new(None);
        under(&never, &mut now_ms, 1_000, LONG);
        assert!(!never.is_high() && never.admit(BUSY, Duration::ZERO).is_in);
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

    /// A worker that takes a millisecond for an answer, and all that comes to it meanwhile.
    struct Worker {
        pressure: Pressure,
        now: Duration,
        looked: Duration,
    }

    /// What became of a project's requests, and the longest that one of those answered waited.
    #[derive(Clone, Copy, Debug, Default)]
    struct Became {
        answered: u32,
        refused: u32,
        longest: Duration,
    }

    const ANSWERING: Duration = Duration::from_millis(1);
    const REFUSING: Duration = Duration::from_micros(25);

    impl Worker {
        fn under_pressure() -> Worker {
            let (pressure, mut now_ms) = (pressure(), 0);
            under(&pressure, &mut now_ms, 20, LONG);
            assert!(pressure.is_high());
            let now = Duration::from_millis(now_ms);
            Worker { pressure, now, looked: now }
        }

        /// Works for so long while so many requests come each millisecond, of each project.
        fn work(&mut self, ms: u64, each_ms: [f64; 2]) -> [Became; 2] {
            let mut became = [Became::default(); 2];
            let mut open = [0.0; 2];
            let (end, mut came) = (self.now + Duration::from_millis(ms), self.now);
            while self.now < end {
                self.now += Duration::from_micros(10);
                let since = (self.now - came).as_secs_f64() * 1_000.0;
                let met_since = std::mem::replace(&mut came, self.now);
                for (open, each_ms) in open.iter_mut().zip(each_ms) {
                    *open += each_ms * since;
                }
                // In turns, as a crowd comes.
                while let Some(at) = (0..2)
                    .filter(|at| open[*at] >= 1.0)
                    .max_by(|a, b| (open[*a] / each_ms[*a]).total_cmp(&(open[*b] / each_ms[*b])))
                {
                    open[at] -= 1.0;
                    let project = [BUSY, QUIET][at];
                    if self.pressure.admit(project, self.now).is_in {
                        self.now += ANSWERING;
                        became[at].answered += 1;
                        became[at].longest = became[at].longest.max(self.now - met_since);
                    } else {
                        self.now += REFUSING;
                        became[at].refused += 1;
                    }
                }
                self.pressure.turned();
                if self.now - self.looked >= Duration::from_millis(20) {
                    self.looked = self.now;
                    self.pressure.look(self.now);
                }
            }
            became
        }
    }

    #[test]
    fn whoever_waited_too_long_is_turned_away_and_the_others_are_answered_soon() {
        let mut worker = Worker::under_pressure();
        worker.work(200, [5.0, 0.0]);
        let [busy, _] = worker.work(2_000, [5.0, 0.0]);
        assert!(busy.answered > 1_500, "it is at work nearly all the time: {busy:?}");
        assert!(busy.longest < 3 * ANSWERING, "{busy:?}");
        assert!(worker.pressure.is_high());
    }

    #[test]
    fn a_turn_ends_when_it_is_told() {
        let Worker { pressure, now, .. } = Worker::under_pressure();
        let at = |after_us| pressure.admit(BUSY, now + Duration::from_micros(after_us));
        assert_eq!(at(0), Admission { is_in: true, begins: true });
        for after_us in [100, 200, 500] {
            assert_eq!(at(after_us), Admission { is_in: true, begins: false }, "{after_us}");
        }
        assert_eq!(at(501), Admission { is_in: false, begins: false }, "half of a millisecond");
        pressure.turned();
        assert_eq!(at(502), Admission { is_in: true, begins: true });
    }

    #[test]
    fn all_are_answered_again_once_all_are_in_time() {
        let mut worker = Worker::under_pressure();
        worker.work(500, [5.0, 0.0]);
        assert!(worker.pressure.state.lock().share < 0.5);
        worker.work(500, [0.3, 0.0]);
        assert!(!worker.pressure.is_high());
        let [busy, _] = worker.work(500, [0.3, 0.0]);
        assert_eq!(busy.refused, 0);
    }

    #[test]
    fn who_comes_back_soon_is_met_sooner() {
        for (away_ms, begins_after_ms) in [(1_900, 5), (2_000, 20)] {
            let mut worker = Worker::under_pressure();
            while worker.pressure.is_high() {
                worker.work(1, [0.0, 0.0]);
            }
            let (pressure, mut now_ms) = (worker.pressure, worker.now.as_millis() as u64);
            under(&pressure, &mut now_ms, away_ms, SHORT);
            under(&pressure, &mut now_ms, begins_after_ms - 2, LONG);
            assert!(!pressure.is_high(), "{away_ms} ms after the last time");
            under(&pressure, &mut now_ms, 2, LONG);
            assert!(pressure.is_high(), "{away_ms} ms after the last time");
        }
    }

    #[test]
    fn a_flood_of_one_project_is_turned_away_before_anything_of_another() {
        let mut worker = Worker::under_pressure();
        let [busy, quiet] = worker.work(3_000, [5.0, 0.02]);
        assert!(busy.refused > 10_000 && busy.answered > 2_000, "{busy:?}");
        assert!(quiet.answered >= 55 && quiet.refused == 0, "{quiet:?}");
    }

    #[test]
    fn projects_that_ask_for_more_than_there_is_get_the_same() {
        let mut worker = Worker::under_pressure();
        worker.work(1_000, [2.0, 6.0]);
        let [one, other] = worker.work(5_000, [2.0, 6.0]);
        let apart = one.answered.abs_diff(other.answered);
        assert!(apart < 600, "where the other asks for thrice as much: {one:?} and {other:?}");
        assert!(one.answered + other.answered > 3_500, "{one:?} and {other:?}");
    }
}
