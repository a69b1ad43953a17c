//! Questions as Sluice has them: compiled conditions, and the matchers that feed them.
//!
//! How much a matcher keeps follows the rules that definitions are compiled by.

use schemas::behaviour::{
    Aggregate, Ago, Behaviour, Compared, Latest, Number, Operand, Period, Regularly, Sequence,
    Step, Then, Watched, When,
};
use schemas::catalog::Project;
use schemas::cohort::{Cohort, Condition};
use schemas::comparison::Comparison;
use schemas::decimal::Decimal;
use schemas::filter::{Date, Filter, PropertyMatching};
use schemas::ids::{MatcherId, ProjectId};
use schemas::matcher::{Matcher, Take};
use schemas::window::{ENTRIES_SUMMED, FOREVER_MS, Keep, Kept, Range};
use serde_json::json;

use super::given;
use crate::naive::history::{Wanted, Which};
use crate::naive::question::{self, Against, Question, Side, What};

/// How much more, or less, than needed is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Room {
    /// What the rules say.
    Needed,
    /// For at least so many events and forever, so that none is ever left behind.
    AtLeast(u16),
    /// For so many only, so that they are pushed out.
    Only(u16),
}

/// Every question as a cohort of one project.
pub struct Compiled {
    pub project: Project,
    room: Room,
    canonical: Vec<String>,
}

impl Compiled {
    pub fn new(questions: &[Question], zone: &jiff::tz::TimeZone, room: Room) -> Compiled {
        let project = Project {
            id: ProjectId(1),
            name: "shop".to_owned(),
            token: "phc_shop".to_owned(),
            secrets: Vec::new(),
            time_zone: zone.clone(),
            property_matching: PropertyMatching::V2,
            flags: Vec::new(),
            cohorts: Vec::new(),
            matchers: Vec::new(),
            gate: Default::default(),
            group_types: Default::default(),
            team_id: None,
            person_keys: Default::default(),
            standing: Default::default(),
            feed: Default::default(),
        };
        let mut compiled = Compiled { project, room, canonical: Vec::new() };
        // Twice: what a matcher keeps is known once every question has said what it needs.
        for _ in 0..2 {
            let members: Vec<Condition> =
                questions.iter().map(|question| compiled.condition(question)).collect();
            let cohorts = members.into_iter().map(|members| Cohort {
                key: String::new(),
                description: String::new(),
                id: None,
                members,
                raw: None,
                examples: Vec::new(),
            });
            compiled.project.cohorts = cohorts.collect();
        }
        compiled
    }

    fn condition(&mut self, question: &Question) -> Condition {
        match question {
            Question::Number(left, sign, against) => {
                let behaviour = self.number(left, comparison(sign), against);
                Condition::Behaviour(Behaviour::Number(behaviour))
            }
            Question::First(which, ago) => self.ago(which, Keep::Earliest, *ago),
            Question::Last(which, ago) => self.ago(which, Keep::Newest, *ago),
            Question::FirstBy(which, side, instant_ms) => {
                self.when(which, Keep::Earliest, FOREVER_MS, dated(*side, *instant_ms))
            }
            Question::LastBy(which, side, instant_ms) => {
                self.when(which, Keep::Newest, FOREVER_MS, dated(*side, *instant_ms))
            }
            Question::Stopped { which, within_ms, quiet_ms } => {
                let ago = question::Ago { from_ms: Some(*within_ms), until_ms: *quiet_ms };
                self.ago(which, Keep::Newest, ago)
            }
            Question::Restarted { which, after_ms, within_ms } => {
                self.restarted(which, *after_ms, *within_ms)
            }
            Question::Latest { which, key, wanted, nth, within_ms } => {
                let ago = Ago::within(within_ms.unwrap_or(FOREVER_MS));
                let kept = Kept { keep: Keep::Values, k: *nth, horizon_ms: ago.from_ms };
                let of = self.watch(which, Take::Passes(filter(key, wanted)), kept);
                Condition::Behaviour(Behaviour::Latest(Latest { of, nth: *nth, ago }))
            }
            Question::Regularly { which, at_least, of_last, period } => {
                self.regularly(which, *at_least, *of_last, *period)
            }
            Question::Sequence(sequence) => self.sequence(sequence, sequence.steps.len()),
            Question::Unfinished(sequence) => {
                let steps = sequence.steps.len();
                let whole = Condition::Not(Box::new(self.sequence(sequence, steps)));
                Condition::All(vec![self.sequence(sequence, steps - 1), whole])
            }
            Question::Person(key, text) => Condition::Person(filter(key, &Wanted::Is(text))),
            Question::Listed(ids) => {
                Condition::Listed(ids.iter().map(|id| (*id).to_owned()).collect())
            }
            Question::All(inner) => Condition::All(self.conditions(inner)),
            Question::Any(inner) => Condition::Any(self.conditions(inner)),
            Question::Not(inner) => Condition::Not(Box::new(self.condition(inner))),
        }
    }

    fn conditions(&mut self, questions: &[Question]) -> Vec<Condition> {
        questions.iter().map(|question| self.condition(question)).collect()
    }

    fn ago(&mut self, which: &Which, keep: Keep, ago: question::Ago) -> Condition {
        let horizon_ms = match keep {
            Keep::Earliest => FOREVER_MS,
            _ => ago.from_ms.unwrap_or(FOREVER_MS),
        };
        self.when(which, keep, horizon_ms, Then::Ago(compiled(ago)))
    }

    fn when(&mut self, which: &Which, keep: Keep, horizon_ms: i64, then: Then) -> Condition {
        let of = self.watch(which, Take::Nothing, Kept { keep, k: 1, horizon_ms });
        Condition::Behaviour(Behaviour::When(When { of, then }))
    }

    fn restarted(&mut self, which: &Which, after_ms: i64, within_ms: i64) -> Condition {
        let before = question::Ago { from_ms: None, until_ms: after_ms };
        let between = question::Ago { from_ms: Some(after_ms), until_ms: within_ms };
        let mut counts = |ago, comparison, cents| {
            let number = question::Number { which: which.clone(), what: What::Count, ago };
            let compared = self.number(&number, comparison, &Against::Cents(cents));
            Condition::Behaviour(Behaviour::Number(compared))
        };
        let quiet = counts(between, Comparison::Equal, 0);
        let again = counts(question::Ago::within(within_ms), Comparison::AtLeast, 100);
        Condition::All(vec![self.ago(which, Keep::Earliest, before), quiet, again])
    }

    fn number(
        &mut self,
        left: &question::Number,
        comparison: Comparison,
        against: &Against,
    ) -> Compared<Watched> {
        let (k, right) = match against {
            Against::Cents(cents) => {
                let n = u16::try_from(cents / 100).unwrap_or_default();
                let given = Decimal::parse(&given::spelled(*cents)).expect("a number");
                (Some(comparison.entries_needed(n)), Operand::Given(given))
            }
            Against::Number(number, thousandths) => {
                (None, Operand::Of(self.made(number, None), *thousandths))
            }
        };
        Compared { left: self.made(left, k), comparison, right }
    }

    /// `k` entries are enough for a count that is compared with a given number.
    fn made(&mut self, number: &question::Number, k: Option<u16>) -> Number<Watched> {
        let ago = compiled(number.ago);
        let (take, keep, aggregate) = match number.what {
            What::Count => {
                let past = k.is_some() && ago.until_ms > 0 && ago.from_ms < FOREVER_MS;
                let stretches = Keep::Stretches(ago.from_ms.saturating_sub(ago.until_ms));
                let keep = if past { stretches } else { Keep::Newest };
                (Take::Nothing, keep, Aggregate::Count)
            }
            What::Distinct(key) => (Take::Value(key.into()), Keep::Values, Aggregate::Distinct),
            What::Sum(key) => (Take::Number(key.into()), Keep::Numbers, Aggregate::Sum),
            What::Average(key) => (Take::Number(key.into()), Keep::Numbers, Aggregate::Average),
            What::Smallest(key) => (Take::Number(key.into()), Keep::Numbers, Aggregate::Smallest),
            What::Largest(key) => (Take::Number(key.into()), Keep::Numbers, Aggregate::Largest),
        };
        // Of so long a time, what newer events push out may be asked for.
        let is_open = ago.until_ms > 0 && ago.from_ms == FOREVER_MS;
        let k = k.filter(|_| aggregate == Aggregate::Count).unwrap_or(ENTRIES_SUMMED);
        let k = if is_open { k.max(ENTRIES_SUMMED) } else { k };
        let of = self.watch(&number.which, take, Kept { keep, k, horizon_ms: ago.from_ms });
        Number { of, aggregate, ago }
    }

    fn regularly(
        &mut self,
        which: &Which,
        at_least: u16,
        of_last: u16,
        period: question::Period,
    ) -> Condition {
        let period = match period {
            question::Period::Hour => Period::Hour,
            question::Period::Day => Period::Day,
            question::Period::Week => Period::Week,
            question::Period::Back(length_ms) => Period::Back(length_ms),
        };
        let kept = Kept {
            keep: Keep::Stretches(period.stretch_ms()),
            k: 1,
            horizon_ms: period.reach_ms(of_last),
        };
        let of = self.watch(which, Take::Nothing, kept);
        Condition::Behaviour(Behaviour::Regularly(Regularly { of, at_least, of_last, period }))
    }

    fn sequence(&mut self, sequence: &question::Sequence, steps: usize) -> Condition {
        let horizon_ms = sequence.within_ms.unwrap_or(FOREVER_MS);
        let newest = Kept::newest(ENTRIES_SUMMED, horizon_ms);
        let (take, kept) = match sequence.same {
            None => (Take::Nothing, newest),
            Some(key) => (Take::Value(key.into()), Kept { keep: Keep::Values, ..newest }),
        };
        let steps = sequence.steps[..steps].iter().map(|step| Step {
            of: self.watch(&step.which, take.clone(), kept),
            after_ms_min: step.after_ms_min,
            after_ms_max: step.after_ms_max.unwrap_or(FOREVER_MS),
            without: step.without.as_ref().map(|which| self.watch(which, Take::Nothing, newest)),
        });
        let steps = steps.collect();
        let (ago, same) = (Ago::within(horizon_ms), sequence.same.is_some());
        Condition::Behaviour(Behaviour::Sequence(Sequence { steps, ago, same }))
    }

    /// The number of the matcher, and what it keeps; one matcher keeps enough for all.
    fn watch(&mut self, which: &Which, take: Take, kept: Kept) -> Watched {
        let k = match self.room {
            Room::Needed => kept.k,
            Room::AtLeast(k) => kept.k.max(k),
            // The n-th newest value is among what is kept, or definitions don't compile.
            Room::Only(k) if matches!(take, Take::Passes(_)) => kept.k.max(k),
            Room::Only(k) => k,
        };
        let Which { name, filter, after_ms, before_ms } = which;
        let canonical = format!("{name:?} {filter:?} {before_ms:?} {take:?} {:?}", kept.keep);
        let during = Range {
            after_ms: after_ms.unwrap_or(Range::EVER.after_ms),
            until_ms: before_ms.map_or(Range::EVER.until_ms, |before_ms| before_ms - 1),
        };
        let at = self.canonical.iter().position(|other| *other == canonical);
        let at = at.unwrap_or_else(|| {
            let filters = filter.iter().map(|(key, wanted)| self::filter(key, wanted));
            self.project.matchers.push(Matcher {
                id: MatcherId(self.canonical.len() as u32),
                event: name.unwrap_or_default().to_owned(),
                filters: filters.collect(),
                until_ms: during.until_ms,
                take,
                kept: Kept { k, ..kept },
            });
            self.canonical.push(canonical);
            self.canonical.len() - 1
        });
        let matcher = &mut self.project.matchers[at];
        matcher.kept.k = matcher.kept.k.max(k);
        matcher.kept.horizon_ms = match self.room {
            Room::AtLeast(_) => FOREVER_MS,
            _ => matcher.kept.horizon_ms.max(kept.horizon_ms),
        };
        Watched { matcher: matcher.id, kept: matcher.kept, during }
    }
}

fn filter(key: &str, wanted: &Wanted) -> Filter {
    let (operator, value) = match wanted {
        Wanted::Is(text) => ("exact", json!(text)),
        Wanted::MoreThan(cents) => ("gt", json!(given::spelled(*cents))),
    };
    Filter::compile(key, operator, &value, PropertyMatching::V2).expect("a filter")
}

fn compiled(ago: question::Ago) -> Ago {
    Ago { from_ms: ago.from_ms.unwrap_or(FOREVER_MS), until_ms: ago.until_ms }
}

fn dated(side: Side, instant_ms: i64) -> Then {
    let date = Date::of_ms(instant_ms);
    match side {
        Side::Before => Then::Before(date),
        Side::At => Then::At(date),
        Side::After => Then::After(date),
    }
}

fn comparison(sign: &str) -> Comparison {
    match sign {
        "=" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::AtLeast,
        "<" => Comparison::Less,
        _ => Comparison::AtMost,
    }
}
