//! Random questions: every kind there is, over lengths that meet the events' times.

use crate::dice::Dice;
use crate::naive::history::{Wanted, Which};
use crate::naive::question::{Against, Ago, Number, Period, Question, Sequence, Side, Step, What};

pub const NAMES: [&str; 3] = ["viewed", "added", "bought"];
pub const SIGNS: [&str; 6] = ["=", "!=", ">", ">=", "<", "<="];
pub const TEXTS: [&str; 4] = ["shoes", "Shoes", "hats", "coats"];
/// The id that is asked for.
pub const PERSON: &str = "ann";

/// Asks at random; lengths are whole numbers of `step_ms`, and dates are halves of it after
/// `start_ms`, as events are.
pub struct Chance<'a> {
    pub dice: &'a mut Dice,
    pub step_ms: i64,
    pub start_ms: i64,
}

impl Chance<'_> {
    pub fn question(&mut self, depth: u8) -> Question {
        let many = |chance: &mut Self| -> Vec<Question> {
            (0..chance.dice.below(4)).map(|_| chance.question(depth - 1)).collect()
        };
        match self.dice.below(if depth > 0 { 26 } else { 23 }) {
            0..=6 => self.number(),
            7 | 8 if self.dice.per_mille(250) => {
                Question::FirstBy(self.which(), self.side(), self.date_ms())
            }
            7 | 8 => Question::First(self.which(), self.ago(true)),
            9 | 10 if self.dice.per_mille(250) => {
                Question::LastBy(self.which(), self.side(), self.date_ms())
            }
            9 | 10 => Question::Last(self.which(), self.ago(true)),
            11 => {
                let (within_ms, quiet_ms) = self.two_lengths();
                Question::Stopped { which: self.which(), within_ms, quiet_ms }
            }
            12 => {
                let (after_ms, within_ms) = self.two_lengths();
                Question::Restarted { which: self.which(), after_ms, within_ms }
            }
            13 | 14 => {
                let (which, within_ms) = self.dated();
                Question::Latest {
                    which,
                    key: self.dice.pick::<&str>(&["category", "price"]),
                    wanted: self.wanted().1,
                    nth: 1 + self.dice.below(3) as u16,
                    within_ms,
                }
            }
            15..=17 => self.regularly(),
            18..=20 => Question::Sequence(self.sequence()),
            21 => Question::Unfinished(self.sequence()),
            22 if self.dice.per_mille(500) => {
                Question::Person("plan", self.dice.pick::<&str>(&["free", "paid"]))
            }
            22 => {
                let listed = [PERSON, "ben", "cleo"];
                Question::Listed(listed.into_iter().filter(|_| self.dice.per_mille(400)).collect())
            }
            23 => Question::All(many(self)),
            24 => Question::Any(many(self)),
            _ => Question::Not(Box::new(self.question(depth - 1))),
        }
    }

    fn length(&mut self) -> i64 {
        self.step_ms * (1 + self.dice.below(12) as i64)
    }

    fn date_ms(&mut self) -> i64 {
        self.start_ms + self.dice.below(40) as i64 * self.step_ms / 2
    }

    fn side(&mut self) -> Side {
        *self.dice.pick(&[Side::Before, Side::At, Side::After])
    }

    /// The longer one first.
    fn two_lengths(&mut self) -> (i64, i64) {
        let shorter_ms = self.length();
        (shorter_ms + self.length(), shorter_ms)
    }

    fn ago(&mut self, forever: bool) -> Ago {
        let (from_ms, until_ms) = self.two_lengths();
        match self.dice.below(3) {
            0 if forever => Ago { from_ms: None, until_ms },
            1 => Ago { from_ms: Some(from_ms), until_ms },
            _ => Ago::within(from_ms),
        }
    }

    pub fn which(&mut self) -> Which {
        let name = (!self.dice.per_mille(100)).then(|| *self.dice.pick::<&str>(&NAMES));
        let filter = self.dice.per_mille(250).then(|| self.wanted());
        Which { name, filter, ..Which::ANY }
    }

    /// Within so long a time, or between dates, or both.
    fn dated(&mut self) -> (Which, Option<i64>) {
        let (which, length_ms) = (self.which(), self.length());
        if !self.dice.per_mille(300) {
            return (which, Some(length_ms));
        }
        let mut date = || self.dice.per_mille(700).then(|| self.date_ms());
        let (mut after_ms, mut before_ms) = (date(), date());
        if before_ms.is_some_and(|before_ms| after_ms.is_some_and(|after_ms| after_ms > before_ms))
        {
            std::mem::swap(&mut after_ms, &mut before_ms);
        }
        let within_ms = self.dice.per_mille(250).then_some(length_ms);
        (Which { after_ms, before_ms, ..which }, within_ms)
    }

    fn wanted(&mut self) -> (&'static str, Wanted) {
        match self.dice.below(2) {
            0 => ("category", Wanted::Is(self.dice.pick::<&str>(&["shoes", "hats"]))),
            _ => ("price", Wanted::MoreThan(self.cents())),
        }
    }

    fn cents(&mut self) -> i64 {
        self.dice.below(12) as i64 * 50 - 100
    }

    fn number(&mut self) -> Question {
        let left = self.made();
        let sign = *self.dice.pick(&SIGNS);
        let against = match (self.dice.below(3), left.what) {
            (0, _) => {
                let thousandths = *self.dice.pick(&[1_000, 2_000, 500, 1_500, 3_000, 333, 0]);
                Against::Number(self.against(&left), thousandths)
            }
            (_, What::Count | What::Distinct(_)) => Against::Cents(self.dice.below(6) as i64 * 100),
            (_, What::Sum(_)) => Against::Cents(self.cents() * 3),
            _ => Against::Cents(self.cents()),
        };
        Question::Number(left, sign, against)
    }

    fn made(&mut self) -> Number {
        let key = *self.dice.pick::<&str>(&["price", "category"]);
        let what = match self.dice.below(9) {
            0..=3 => What::Count,
            4 => What::Distinct(self.dice.pick::<&str>(&["category", "price"])),
            5 => What::Sum(key),
            6 => What::Average(key),
            7 => What::Smallest(key),
            _ => What::Largest(key),
        };
        let (which, within_ms) = self.dated();
        let until_ms = if self.dice.per_mille(200) { self.length() } else { 0 };
        let ago = match within_ms {
            // What is counted back from now to an earlier time is so long as a whole.
            Some(_) if which.after_ms.or(which.before_ms).is_none() => self.ago(false),
            Some(_) => Ago { from_ms: within_ms, until_ms: 0 },
            None => Ago { from_ms: None, until_ms },
        };
        Number { which, what, ago }
    }

    /// Another number, or the same in the window before.
    fn against(&mut self, left: &Number) -> Number {
        let Some(from_ms) = left.ago.from_ms.filter(|_| self.dice.per_mille(500)) else {
            return self.made();
        };
        let before = Ago { from_ms: Some(2 * from_ms), until_ms: from_ms };
        Number { ago: before, ..left.clone() }
    }

    fn regularly(&mut self) -> Question {
        let period = match self.dice.below(5) {
            0 => Period::Hour,
            1 | 2 => Period::Day,
            3 => Period::Week,
            _ => Period::Back(self.length()),
        };
        let of_last = 1 + self.dice.below(8) as u16;
        let at_least = 1 + self.dice.below(of_last.min(4).into()) as u16;
        Question::Regularly { which: self.which(), at_least, of_last, period }
    }

    fn sequence(&mut self) -> Sequence {
        let same =
            self.dice.per_mille(300).then(|| *self.dice.pick::<&str>(&["category", "price"]));
        let mut steps: Vec<Step> =
            (0..2 + self.dice.below(4)).map(|at| self.step(at > 0)).collect();
        let (Which { after_ms, before_ms, .. }, within_ms) = self.dated();
        for step in &mut steps {
            for which in [Some(&mut step.which), step.without.as_mut()].into_iter().flatten() {
                (which.after_ms, which.before_ms) = (after_ms, before_ms);
            }
        }
        Sequence { steps, within_ms: within_ms.map(|within_ms| 2 * within_ms), same }
    }

    fn step(&mut self, later: bool) -> Step {
        let (mut after_ms_min, mut after_ms_max) = (0, None);
        if later && self.dice.per_mille(300) {
            after_ms_min = self.length() / 2;
        }
        if later && self.dice.per_mille(300) {
            after_ms_max = Some(after_ms_min + self.length());
        }
        let without = (later && self.dice.per_mille(250)).then(|| self.which());
        Step { which: self.which(), after_ms_min, after_ms_max, without }
    }
}
