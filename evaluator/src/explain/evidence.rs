//! Evidence: which of a person's events a question looks at, and what they come to.

use schemas::behaviour::{Aggregate, Ago, Behaviour, Number, Operand, Sequence, Watched};
use schemas::catalog::Project;
use schemas::lookup::Coverage;
use schemas::matcher::Matcher;
use schemas::window::{Hit, Keep, Range};

use crate::behaviour::{Seen, Span};

/// How many hits are told of one matcher.
pub const HITS_MAX: usize = 20;

/// What events are looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A number is made of them.
    Number,
    /// The number that another one is compared with is.
    ComparedWith,
    /// When the first was.
    First,
    /// When the last was.
    Last,
    /// Which value the newest had.
    Latest,
    /// In which periods they were.
    Periods,
    /// They are this step of a sequence, counted from 1.
    Step(usize),
    /// They must not lie between this step and the one before it.
    Without(usize),
}

/// The events of one matcher that are looked at now.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// What for.
    pub role: Role,
    /// Which events.
    pub matcher: Option<&'a Matcher>,
    /// From when until when.
    pub range: Range,
    /// The newest of those in that range, at most [`HITS_MAX`] of them, newest first.
    pub hits: Vec<Hit>,
    /// How many are kept of that range.
    pub hits_in_all: usize,
    /// The number that they make.
    pub number: Option<Span>,
    /// When the first or the last was, in epoch milliseconds, in the range or not.
    pub moment_ms: Option<i64>,
    /// In how many periods they were, at least.
    pub periods: Option<u16>,
    /// Since when all are known; none while nothing is known of it.
    pub coverage: Option<Coverage>,
}

/// What a question looks at.
pub(super) fn of<'a>(
    project: &'a Project,
    seen: Seen<'a>,
    asked: &Behaviour<Watched>,
) -> Vec<Evidence<'a>> {
    let look = Look { project, seen };
    match asked {
        Behaviour::Number(asked) => {
            let right = match &asked.right {
                Operand::Given(_) => None,
                Operand::Of(right, _) => Some(look.number(Role::ComparedWith, right)),
            };
            [look.number(Role::Number, &asked.left)].into_iter().chain(right).collect()
        }
        Behaviour::When(asked) => {
            let role = if asked.of.kept.keep == Keep::Earliest { Role::First } else { Role::Last };
            let hits = seen.kept(asked.of).into_iter().take(1).collect();
            let range = seen.then(asked.then);
            let moment_ms = seen.moment_ms(asked.of);
            vec![Evidence { moment_ms, ..look.at(role, asked.of, range, hits) }]
        }
        Behaviour::Latest(asked) => {
            let hits = seen.counted(asked.of);
            vec![look.at(Role::Latest, asked.of, seen.range_of(asked.of, asked.ago), hits)]
        }
        Behaviour::Regularly(asked) => {
            let (range, hits) = (seen.periods_range(asked), seen.counted(asked.of));
            let periods = Some(seen.periods_with(asked));
            vec![Evidence { periods, ..look.at(Role::Periods, asked.of, range, hits) }]
        }
        Behaviour::Sequence(asked) => look.sequence(asked),
    }
}

#[derive(Clone, Copy)]
struct Look<'a> {
    project: &'a Project,
    seen: Seen<'a>,
}

impl<'a> Look<'a> {
    fn number(self, role: Role, number: &Number<Watched>) -> Evidence<'a> {
        let hits = match number.aggregate {
            Aggregate::Count => self.seen.counted(number.of),
            _ => self.seen.kept(number.of),
        };
        let known = self.seen.facts.unknown.is_none();
        let span = known.then(|| self.seen.number(number));
        let range = self.seen.range_of(number.of, number.ago);
        Evidence { number: span, ..self.at(role, number.of, range, hits) }
    }

    fn sequence(self, asked: &Sequence<Watched>) -> Vec<Evidence<'a>> {
        let inside = |role, of| self.inside(role, of, asked.ago);
        let steps = (1..).zip(&asked.steps);
        let evidence = steps.flat_map(|(number, step)| {
            let without = step.without.map(|of| inside(Role::Without(number), of));
            without.into_iter().chain([inside(Role::Step(number), step.of)])
        });
        evidence.collect()
    }

    fn inside(self, role: Role, of: Watched, ago: Ago) -> Evidence<'a> {
        self.at(role, of, self.seen.range_of(of, ago), self.seen.counted(of))
    }

    fn at(self, role: Role, of: Watched, range: Range, mut hits: Vec<Hit>) -> Evidence<'a> {
        hits.retain(|hit| range.contains(hit.entry.time_ms()));
        let hits_in_all = hits.len();
        hits.truncate(HITS_MAX);
        Evidence {
            role,
            matcher: self.project.matchers.iter().find(|matcher| matcher.id == of.matcher),
            range,
            hits,
            hits_in_all,
            number: None,
            moment_ms: None,
            periods: None,
            coverage: self.seen.facts.coverage.get(&of.matcher).copied(),
        }
    }
}
