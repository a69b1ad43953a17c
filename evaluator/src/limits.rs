//! Rate limits: how often an address may ask for flags and a project for what it has, by token
//! buckets.
//!
//! Off by default. PostHog's figures, and its warning when a fifth of a bucket is left, are those
//! of `posthog.md` 5.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use schemas::ids::ProjectId;

/// How long the process has run.
pub type Elapsed = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A bucket: how much is in it, and how quickly it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Requests a second.
    pub per_second: NonZeroU32,
    /// Requests at once, after a pause.
    pub burst: NonZeroU32,
}

/// What a project is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Flags.
    Flags,
    /// Definitions, by an SDK that has none.
    Definitions,
    /// Definitions, unless they are as the SDK has them.
    Changes,
    /// A remote configuration.
    RemoteConfig,
}

/// What each is called, in the order of [`For`].
const NAMES: [&str; 4] = ["token", "definitions", "changes", "remote_config"];

/// What is allowed; `off`, `posthog`, or `address=50:1250,token=10:625`: requests a second, and at
/// once after a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// To an address that asks for flags.
    pub address: Option<Bucket>,
    /// To a project, in the order of [`For`].
    pub project: [Option<Bucket>; 4],
}

const POSTHOG: &str =
    "address=50:1250,token=10:625,definitions=10:600,changes=100:6000,remote_config=10:600";

impl FromStr for Allowed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut allowed = Allowed::default();
        match text {
            "off" => return Ok(allowed),
            "posthog" => return POSTHOG.parse(),
            _ => {}
        }
        for limit in text.split(',') {
            let (name, bucket) = limit.trim().split_once('=').ok_or(())?;
            let (per_second, burst) = bucket.split_once(':').ok_or(())?;
            let per_second = per_second.trim().parse().map_err(|_| ())?;
            let burst = burst.trim().parse().map_err(|_| ())?;
            let place = match name.trim() {
                "address" => &mut allowed.address,
                name => {
                    let at = NAMES.iter().position(|known| *known == name).ok_or(())?;
                    &mut allowed.project[at]
                }
            };
            if place.replace(Bucket { per_second, burst }).is_some() {
                return Err(());
            }
        }
        Ok(allowed)
    }
}

/// Whether one more request may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admitted {
    /// It may.
    Freely,
    /// It may, and the bucket is nearly empty.
    Barely,
    /// It may not.
    No,
}

/// Buckets of everybody who asked lately.
pub struct Limits {
    addresses: Option<Buckets<IpAddr>>,
    projects: [Option<Buckets<ProjectId>>; 4],
}

impl Limits {
    /// Full buckets, by a clock.
    pub fn new(allowed: Allowed, elapsed: &Elapsed) -> Self {
        Limits {
            addresses: allowed.address.map(|bucket| Buckets::new(bucket, elapsed)),
            projects: allowed.project.map(|bucket| Some(Buckets::new(bucket?, elapsed))),
        }
    }

    /// Takes a request of an address.
    pub fn address(&self, address: IpAddr) -> Admitted {
        self.addresses.as_ref().map_or(Admitted::Freely, |buckets| buckets.take(address))
    }

    /// Takes a request for something of a project.
    pub fn project(&self, project: ProjectId, what: For) -> Admitted {
        let buckets = self.projects[what as usize].as_ref();
        buckets.map_or(Admitted::Freely, |buckets| buckets.take(project))
    }
}

/// How many buckets there may be before full ones, which nobody needs, are looked for.
const BUCKETS_MAX: usize = 65_536;

struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, ElapsedClock, StateInformationMiddleware>,
    burst: u32,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(bucket: Bucket, elapsed: &Elapsed) -> Self {
        let quota = Quota::per_second(bucket.per_second).allow_burst(bucket.burst);
        let clock = ElapsedClock(Arc::clone(elapsed));
        let limiter = RateLimiter::dashmap_with_clock(quota, clock).with_middleware();
        Buckets { limiter, burst: bucket.burst.get() }
    }

    fn take(&self, key: K) -> Admitted {
        if self.limiter.len() > BUCKETS_MAX {
            self.limiter.retain_recent();
        }
        match self.limiter.check_key(&key) {
            Ok(left) if left.remaining_burst_capacity() >= self.burst / 5 => Admitted::Freely,
            Ok(_) => Admitted::Barely,
            Err(_) => Admitted::No,
        }
    }
}

/// The process's own clock, as buckets want it.
#[derive(Clone)]
struct ElapsedClock(Elapsed);

impl Clock for ElapsedClock {
    type Instant = Since;

    fn now(&self) -> Since {
        Since((self.0)())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Since(Duration);

impl std::ops::Add<Nanos> for Since {
    type Output = Since;

    fn add(self, more: Nanos) -> Since {
        Since(self.0 + Duration::from(more))
    }
}

impl Reference for Since {
    fn duration_since(&self, earlier: Since) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, back: Nanos) -> Since {
        Since(self.0.saturating_sub(back.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn limits_are_read() {
        let bucket = |per_second, burst| {
            let number = |number| NonZeroU32::new(number).expect("a number");
            Some(Bucket { per_second: number(per_second), burst: number(burst) })
        };
        let allowed = |address, token| Ok(Allowed { address, project: [token, None, None, None] });
        for (text, expected) in [
            ("off", allowed(None, None)),
            (
                "posthog",
                Ok(Allowed {
                    address: bucket(50, 1250),
                    project: [bucket(10, 625), bucket(10, 600), bucket(100, 6000), bucket(10, 600)],
                }),
            ),
            ("token=100:1000", allowed(None, bucket(100, 1000))),
            (" address = 1:2 , token=3:4", allowed(bucket(1, 2), bucket(3, 4))),
            ("", Err(())),
            ("on", Err(())),
            ("address=0:5", Err(())),
            ("address=5", Err(())),
            ("address=1:1,address=1:1", Err(())),
            ("person=1:1", Err(())),
        ] {
            assert_eq!(text.parse::<Allowed>(), expected, "{text}");
        }
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let passed = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&passed);
        let elapsed: Elapsed =
            Arc::new(move || Duration::from_millis(clock.load(Ordering::Relaxed)));
        let allowed = "address=2:5".parse().expect("a limit");
        let limits = Limits::new(allowed, &elapsed);
        let (ann, ben) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let taken: Vec<Admitted> = (0..6).map(|_| limits.address(ann)).collect();
        let (freely, barely, no) = (Admitted::Freely, Admitted::Barely, Admitted::No);
        assert_eq!(taken, [freely, freely, freely, freely, barely, no]);
        assert_eq!(limits.address(ben), freely, "whoever else asks has a bucket of their own");
        passed.store(499, Ordering::Relaxed);
        assert_eq!(limits.address(ann), no);
        passed.store(500, Ordering::Relaxed);
        assert_eq!(limits.address(ann), barely, "two a second");
        assert_eq!(limits.project(ProjectId(1), For::Flags), freely, "nothing is said of projects");
    }
}
