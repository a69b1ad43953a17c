//! Numbers that events make, as spans: from what they are at least to what they may be at most.

use std::cmp::Ordering;

use rustc_hash::FxHashSet;
use schemas::behaviour::{Aggregate, Compared, Number, Operand, Watched};
use schemas::comparison::Comparison;
use schemas::decimal::ONE;
use schemas::unknown::Unknown;
use schemas::window::{Hit, Keep, Range, stretches};

use super::Seen;

/// Whether the comparison holds, or why that can't be known.
pub(super) fn holds(seen: Seen<'_>, asked: &Compared<Watched>) -> Result<bool, Unknown> {
    let left = span(seen, &asked.left);
    let right = match &asked.right {
        Operand::Given(number) => Span::exactly(number.units()),
        Operand::Of(number, thousandths) => span(seen, number).times(*thousandths),
    };
    if left.is_nothing() || right.is_nothing() {
        return Ok(false);
    }
    let decided = match compare(left, asked.comparison, right) {
        // Where there may be no number at all, it isn't certain that anything holds.
        Some(true) if left.maybe_nothing || right.maybe_nothing => None,
        decided => decided,
    };
    decided.ok_or(left.why.or(right.why).unwrap_or(Unknown::Overflow))
}

/// From `low` to `high`, in units of [`schemas::decimal::Decimal`] divided by `of`, so that a mean
/// is exact; the ends of `i128` stand for no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// It is at least this.
    pub low: i128,
    /// It is at most this.
    pub high: i128,
    /// What both are divided by; 1 or more.
    pub of: i128,
    /// Whether there may be no number.
    pub maybe_nothing: bool,
    /// Why it isn't one number.
    pub why: Option<Unknown>,
}

impl Span {
    /// One number, known.
    pub fn exactly(units: i128) -> Span {
        Span { low: units, high: units, of: 1, maybe_nothing: false, why: None }
    }

    const NOTHING: Span =
        Span { low: i128::MAX, high: i128::MIN, of: 1, maybe_nothing: true, why: None };

    fn anything(why: Unknown) -> Span {
        Span { low: i128::MIN, high: i128::MAX, of: 1, maybe_nothing: false, why: Some(why) }
    }

    /// Whether there is no number.
    pub fn is_nothing(self) -> bool {
        self.low > self.high
    }

    fn times(self, thousandths: u32) -> Span {
        let scaled = |bound: i128| match bound {
            i128::MIN | i128::MAX => bound,
            units => match units.checked_mul(thousandths.into()) {
                Some(product) => product,
                None if units < 0 => i128::MIN,
                None => i128::MAX,
            },
        };
        let (low, high) = (scaled(self.low), scaled(self.high));
        // What doesn't fit is no number that could be compared exactly.
        let overflowed = low == high && matches!(low, i128::MIN | i128::MAX);
        if overflowed && !self.is_nothing() {
            return Span { maybe_nothing: self.maybe_nothing, ..Span::anything(Unknown::Overflow) };
        }
        Span { low, high, of: self.of * 1_000, ..self }
    }
}

fn compare(left: Span, comparison: Comparison, right: Span) -> Option<bool> {
    let low = order((left.low, left.of), (right.high, right.of));
    let high = order((left.high, left.of), (right.low, right.of));
    let apart = high.is_lt() || low.is_gt();
    let point = left.low == left.high && right.low == right.high && low.is_eq();
    match comparison {
        Comparison::AtLeast if low.is_ge() => Some(true),
        Comparison::AtLeast if high.is_lt() => Some(false),
        Comparison::Less if high.is_lt() => Some(true),
        Comparison::Less if low.is_ge() => Some(false),
        Comparison::Greater if low.is_gt() => Some(true),
        Comparison::Greater if high.is_le() => Some(false),
        Comparison::AtMost if high.is_le() => Some(true),
        Comparison::AtMost if low.is_gt() => Some(false),
        Comparison::Equal if point => Some(true),
        Comparison::Equal if apart => Some(false),
        Comparison::NotEqual if apart => Some(true),
        Comparison::NotEqual if point => Some(false),
        _ => None,
    }
}

/// How two fractions compare: by their whole parts, then by what is left over, of which products
/// always fit.
fn order(left: (i128, i128), right: (i128, i128)) -> Ordering {
    let unbounded = |bound| matches!(bound, i128::MIN | i128::MAX);
    if unbounded(left.0) || unbounded(right.0) {
        return left.0.cmp(&right.0);
    }
    let parts = |(over, of): (i128, i128)| (over.div_euclid(of), over.rem_euclid(of));
    let (left_parts, right_parts) = (parts(left), parts(right));
    let rest = || (left_parts.1 * right.1).cmp(&(right_parts.1 * left.1));
    left_parts.0.cmp(&right_parts.0).then_with(rest)
}

/// What the number is, or may be.
pub fn span(seen: Seen<'_>, number: &Number<Watched>) -> Span {
    let range = seen.range_of(number.of, number.ago);
    match number.aggregate {
        Aggregate::Count => count(seen, number.of, range),
        Aggregate::Distinct => distinct(seen, number.of, range),
        _ => summary(seen, number.of, range, number.aggregate),
    }
}

fn count(seen: Seen<'_>, of: Watched, range: Range) -> Span {
    let (counted, gap) = match of.kept.keep {
        Keep::Stretches(length_ms) => {
            let counted = stretches::count(seen.window(of), of.kept.k, length_ms, range);
            let covered = seen.uncovered(of).filter(|gap| gap.reaches(range));
            let why = covered.map(|gap| gap.why).or(counted.more.then_some(Unknown::Overflow));
            (counted.seen, why)
        }
        Keep::Values | Keep::Numbers => {
            let inside = |hit: &Hit| range.contains(hit.entry.time_ms());
            let counted = seen.values(of).newest().filter(inside).count();
            (counted, seen.gap(of, range).map(|gap| gap.why))
        }
        _ => (seen.window(of).count_in(range), seen.gap(of, range).map(|gap| gap.why)),
    };
    at_least(counted, gap)
}

fn at_least(counted: usize, gap: Option<Unknown>) -> Span {
    let low = counted as i128 * ONE;
    let high = if gap.is_some() { i128::MAX } else { low };
    Span { low, high, of: 1, maybe_nothing: false, why: gap }
}

fn distinct(seen: Seen<'_>, of: Watched, range: Range) -> Span {
    let values = seen.values(of);
    let inside = values.all().filter(|hit| range.contains(hit.entry.time_ms()));
    let different: FxHashSet<_> = inside.map(|hit| hit.value).collect();
    // Of what was pushed out, the newest hit of each value is kept, of so many values. Before a
    // range's end that is enough only if nothing newer is a hit.
    let full = values.older().len() >= usize::from(of.kept.k);
    let oldest = if full { values.older().last() } else { None };
    let unseen = if range.until_ms == of.during.until_ms { oldest } else { values.older().next() };
    let pushed_out = unseen.filter(|hit| hit.entry.time_ms() > range.after_ms);
    let covered = seen.uncovered(of).filter(|gap| gap.reaches(range)).map(|gap| gap.why);
    at_least(different.len(), covered.or(pushed_out.map(|_| Unknown::Overflow)))
}

/// Sum, mean and extremes of the numbers in a range.
fn summary(seen: Seen<'_>, of: Watched, range: Range, aggregate: Aggregate) -> Span {
    let values = seen.values(of);
    let inside = |hit: &Hit| range.contains(hit.entry.time_ms());
    let mut known = Numbers::default();
    values.all().filter(inside).for_each(|hit| known.add(hit.value.units()));
    let maybe_nothing = known.count == 0 && aggregate != Aggregate::Sum;
    if let Some(gap) = seen.uncovered(of).filter(|gap| gap.reaches(range)) {
        let low = if aggregate == Aggregate::Largest { known.largest() } else { None };
        let high = if aggregate == Aggregate::Smallest { known.smallest() } else { None };
        let (low, high) = (low.unwrap_or(i128::MIN), high.unwrap_or(i128::MAX));
        return Span { low, high, of: 1, maybe_nothing, why: Some(gap.why) };
    }
    if !values.older().any(|hit| hit.entry.time_ms() > range.after_ms) {
        return known.exactly(aggregate);
    }
    // Any number of what was pushed out may lie inside, each between the extremes.
    let mut possible = known;
    values.older().for_each(|hit| possible.widen(hit.value.units()));
    let (smallest, largest) = (possible.smallest, possible.largest);
    let (low, high) = match aggregate {
        Aggregate::Sum => (
            if smallest < 0 { i128::MIN } else { known.sum },
            if largest > 0 { i128::MAX } else { known.sum },
        ),
        Aggregate::Smallest => (smallest, known.smallest().unwrap_or(largest)),
        Aggregate::Largest => (known.largest().unwrap_or(smallest), largest),
        _ => (smallest, largest),
    };
    let why = (low != high || maybe_nothing).then_some(Unknown::Overflow);
    Span { low, high, of: 1, maybe_nothing, why }
}

/// What numbers come to, in any order.
#[derive(Clone, Copy)]
struct Numbers {
    count: i128,
    sum: i128,
    smallest: i128,
    largest: i128,
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers { count: 0, sum: 0, smallest: i128::MAX, largest: i128::MIN }
    }
}

impl Numbers {
    fn add(&mut self, units: i128) {
        self.count += 1;
        self.sum += units;
        self.widen(units);
    }

    fn widen(&mut self, units: i128) {
        self.smallest = self.smallest.min(units);
        self.largest = self.largest.max(units);
    }

    fn smallest(self) -> Option<i128> {
        (self.count > 0).then_some(self.smallest)
    }

    fn largest(self) -> Option<i128> {
        (self.count > 0).then_some(self.largest)
    }

    fn exactly(self, aggregate: Aggregate) -> Span {
        let number = match aggregate {
            Aggregate::Sum => Some(self.sum),
            Aggregate::Smallest => self.smallest(),
            Aggregate::Largest => self.largest(),
            _ => (self.count > 0).then_some(self.sum),
        };
        let of = if aggregate == Aggregate::Average { self.count } else { 1 };
        number.map_or(Span::NOTHING, |number| Span { of, ..Span::exactly(number) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;
    use schemas::behaviour::Ago;
    use schemas::ids::MatcherId;
    use schemas::lookup::{Coverage, Facts};
    use schemas::record::Record;
    use schemas::window::{Entry, Kept, Value};

    use super::*;

    /// A sum of which four of five events were pushed out, each of so many units.
    fn sum_of_five(units: i128) -> Span {
        let kept = Kept { keep: Keep::Numbers, k: 1, horizon_ms: 1_000 };
        let of = Watched { matcher: MatcherId(1), kept, during: Range::EVER };
        let (now_ms, mut record) = (1_790_000_000_000, Record::default());
        for tag in 1..=5 {
            let hit = Hit { entry: Entry::new(now_ms, tag), value: Value::number(units) };
            record.fold(of.matcher, kept, hit);
        }
        let coverage = Arc::new([(of.matcher, Coverage::Since(i64::MIN))].into_iter().collect());
        let facts = Facts { record, coverage, ..Facts::default() };
        let seen = Seen { facts: &facts, zone: &TimeZone::UTC, now_ms };
        span(seen, &Number { of, aggregate: Aggregate::Sum, ago: Ago::within(1_000) })
    }

    #[test]
    fn the_least_that_was_pushed_out_is_not_taken_for_nothing() {
        assert_eq!(sum_of_five(1).high, i128::MAX);
        assert_eq!((sum_of_five(0).low, sum_of_five(0).high), (0, 0));
        assert_eq!(sum_of_five(-1).low, i128::MIN);
    }

    #[test]
    fn a_third_three_times_is_one_at_any_size() {
        let third = Span { of: 3, ..Span::exactly(ONE) };
        assert_eq!(compare(Span::exactly(ONE), Comparison::Equal, third.times(3_000)), Some(true));
        let most = Span { of: 255, ..Span::exactly(i128::MAX / 2) };
        let more = Span { of: 255, ..Span::exactly(i128::MAX / 2 + 1) };
        assert_eq!(compare(most, Comparison::Less, more), Some(true));
        assert_eq!(compare(most.times(1_000), Comparison::Less, more), None, "it doesn't fit");
        let (half, two_thirds) = (Span { of: 2, ..Span::exactly(1) }, Span::exactly(2));
        assert_eq!(compare(Span { of: 3, ..two_thirds }, Comparison::Greater, half), Some(true));
        let negative = Span { of: 3, ..Span::exactly(-ONE) };
        assert_eq!(compare(negative, Comparison::Greater, Span::exactly(-ONE)), Some(true));
    }

    #[test]
    fn what_does_not_fit_has_no_bound() {
        let times = |low, high| {
            let span = Span { low, high, ..Span::anything(Unknown::Overflow) }.times(3_000);
            (span.low, span.high)
        };
        assert_eq!(times(-i128::MAX / 2, ONE), (i128::MIN, 3_000 * ONE));
        assert_eq!(times(-ONE, i128::MAX / 2), (-3_000 * ONE, i128::MAX));
        let anything = Span::anything(Unknown::Overflow).times(1_000);
        let most = Span::exactly(i128::MAX / 2);
        assert_eq!(compare(anything, Comparison::AtMost, most), None);
        assert_eq!(compare(most, Comparison::AtLeast, anything), None);
    }

    #[test]
    fn a_span_decides_only_what_every_number_in_it_would() {
        use Comparison::*;
        let spans: Vec<(i128, i128)> =
            (0..4).flat_map(|low| (low..4).map(move |high| (low, high))).collect();
        for comparison in [Equal, NotEqual, Greater, AtLeast, Less, AtMost] {
            for (left, right) in spans.iter().flat_map(|a| spans.iter().map(move |b| (*a, *b))) {
                let pairs =
                    (left.0..=left.1).flat_map(|a| (right.0..=right.1).map(move |b| (a, b)));
                let (mut some, mut all) = (false, true);
                for (a, b) in pairs {
                    let holds = comparison.holds(a, b);
                    (some, all) = (some | holds, all & holds);
                }
                let expected = if all {
                    Some(true)
                } else if some {
                    None
                } else {
                    Some(false)
                };
                let of = |(low, high)| Span { low, high, of: 1, maybe_nothing: false, why: None };
                let compared = compare(of(left), comparison, of(right));
                assert_eq!(compared, expected, "{left:?} {comparison:?} {right:?}");
            }
        }
    }
}
