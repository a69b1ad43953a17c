//! Why a cohort says what it says of somebody, in words: the part that decided.

use evaluator::behaviour::Seen;
use evaluator::cohort::Asked;
use evaluator::explain::words::{self, Words};
use evaluator::truth::Truth;
use schemas::behaviour::{Behaviour, Compared, Regularly, Watched};
use schemas::catalog::Project;
use schemas::cohort::Condition;
use schemas::time::length;
use schemas::window::Keep;

/// One person, asked, and what there is to explain it with.
#[derive(Clone, Copy)]
pub struct Why<'a> {
    /// The project whose condition is asked.
    pub project: &'a Project,
    /// The person.
    pub asked: &'a Asked<'a>,
    /// The person's events.
    pub seen: Seen<'a>,
}

impl<'a> Why<'a> {
    /// The part of the condition that decided, and how it came out.
    pub fn said(self, condition: &'a Condition) -> String {
        match condition {
            Condition::All(parts) => self.parts(parts, "all", Truth::False),
            Condition::Any(parts) => self.parts(parts, "any", Truth::True),
            Condition::Not(inner) => format!("`not` of: {}", self.said(inner)),
            Condition::Behaviour(behaviour) => self.behaviour(behaviour),
            Condition::Person(filter) => {
                let passes = self.asked.holds(condition) == Truth::True;
                let passes = if passes { "passes" } else { "doesn't pass" };
                format!("the person's `{}` {passes}", filter.key)
            }
            Condition::Group(group_type, filter) => {
                let passes = self.asked.holds(condition) == Truth::True;
                let passes = if passes { "passes" } else { "doesn't pass" };
                format!("`{}` of the person's {group_type} {passes}", filter.key)
            }
            Condition::Flag(index, _) => {
                let is = self.asked.holds(condition) == Truth::True;
                let is = if is { "is" } else { "isn't" };
                format!("flag `{}` {is} what it has to be", self.project.flags[*index].key)
            }
            Condition::Listed(_) => {
                let listed = self.asked.holds(condition) == Truth::True;
                format!("the person is {}", if listed { "listed" } else { "not listed" })
            }
            Condition::Cohort(index) => {
                let cohort = &self.project.cohorts[*index];
                let said = match self.asked.is_in(*index) {
                    Truth::True => "in",
                    Truth::False => "not in",
                    Truth::Open(_) => "perhaps in",
                };
                format!("{said} cohort `{}`, because {}", cohort.key, self.said(&cohort.members))
            }
            Condition::Fault(fault) => fault.message.clone(),
        }
    }

    /// The first part with the answer that decides alone; else how all of them came out.
    fn parts(self, parts: &'a [Condition], word: &str, alone: Truth<'_>) -> String {
        if let [only] = parts {
            return self.said(only);
        }
        let deciding = parts.iter().position(|part| self.asked.holds(part) == alone);
        if let Some(at) = deciding {
            let holds = if alone == Truth::True { "holds" } else { "doesn't hold" };
            let said = self.said(&parts[at]);
            return format!("part {} of `{word}` {holds}: {said}", at + 1);
        }
        let said: Vec<String> = parts.iter().map(|part| self.said(part)).collect();
        match alone {
            Truth::True => format!("no part of `{word}` holds: {}", said.join("; ")),
            _ => format!("every part of `{word}` holds: {}", said.join("; ")),
        }
    }

    fn behaviour(self, behaviour: &Behaviour<Watched>) -> String {
        let holds = self.seen.holds(behaviour) == Truth::True;
        match behaviour {
            Behaviour::Number(asked) => self.compared(asked),
            Behaviour::When(asked) => {
                let which = match asked.of.kept.keep {
                    Keep::Earliest => "first",
                    _ => "last",
                };
                let newest = self.seen.facts.record.window(asked.of.matcher).newest();
                let name = self.name(asked.of);
                let Some(entry) = newest else {
                    return format!("there was no {name}");
                };
                let ago = length((self.seen.now_ms - entry.time_ms()).max(0));
                let not = if holds { "" } else { "not " };
                format!("the {which} {name} was {ago} ago, {not}{}", words::then(asked.then))
            }
            Behaviour::Latest(asked) => {
                let passes = if holds { "passes" } else { "is missing or doesn't pass" };
                let (name, ago) = (self.name(asked.of), words::range(asked.ago));
                format!("value {} of {name}, counted from the newest {ago}, {passes}", asked.nth)
            }
            Behaviour::Regularly(asked) => self.regularly(asked, holds),
            Behaviour::Sequence(asked) => {
                let steps: Vec<String> =
                    asked.steps.iter().map(|step| self.words().event(step.of)).collect();
                let came = if holds { "came" } else { "didn't come" };
                format!("{} {came} so {}", steps.join(", then "), words::range(asked.ago))
            }
        }
    }

    fn compared(self, asked: &Compared<Watched>) -> String {
        let number = self.words().number(&asked.left);
        let is = words::span(self.seen.number(&asked.left));
        let (sign, right) = (asked.comparison.sign(), self.words().operand(&asked.right));
        format!("{number} is {is} (asked: {sign} {right})")
    }

    fn regularly(self, asked: &Regularly<Watched>, holds: bool) -> String {
        let (name, least, last) = (self.name(asked.of), asked.at_least, asked.of_last);
        let periods = words::periods(asked.period);
        let came = if holds { "came" } else { "didn't come" };
        format!("{name} {came} in {least} of the last {last} {periods}")
    }

    fn name(self, of: Watched) -> String {
        self.words().name(of)
    }

    fn words(self) -> Words<'a> {
        Words(self.project)
    }
}
