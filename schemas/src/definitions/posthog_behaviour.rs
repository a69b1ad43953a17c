//! PostHog's behavioural conditions, with what its cohort queries mean by them.
//!
//! To the instant, the meaning is that of `ee/clickhouse/queries/enterprise_cohort_query.py`,
//! whose windows end now. `posthog/hogql_queries/hogql_cohort_query.py`, which fills cohorts
//! today, asks the same of calendar days; where only it says something, that is told here.

use serde_json::Value;

use super::behaviours::{self, Events, TooMuch};
use super::condition::COUNT_MAX;
use super::dates::{Dates, Stretch};
use super::draft::Draft;
use super::posthog_leaf::{json_of, property_filter};
use crate::behaviour::{Ago, Period, Step, Then};
use crate::comparison::Comparison;
use crate::fault::Fault;
use crate::filter::{Date, Filter, PropertyMatching};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, WINDOW_MS_MAX, parse_relative_ms};
use crate::window::FOREVER_MS;

/// The condition of a behavioural leaf, negation left aside. What PostHog can do and Sluice
/// can't is a fault in its place.
pub(super) fn condition(leaf: &Value, matching: PropertyMatching) -> Result<Draft, Fault> {
    match asked(leaf, matching) {
        Err(fault) if fault.is_unsupported() => Ok(Draft::Fault(fault)),
        read => read,
    }
}

fn asked(leaf: &Value, matching: PropertyMatching) -> Result<Draft, Fault> {
    let name = event(leaf, "key", "event_type")?;
    let filters = event_filters(leaf, matching)?;
    let kind = leaf.get("value").and_then(Value::as_str).unwrap_or_default();
    let filtered = !filters.is_empty();
    let events = Events { filters, ..Events::named(name) };
    match kind {
        "performed_event" => {
            let Stretch { dates, ago } = stretch(leaf)?;
            Ok(events.between(dates).count((Comparison::AtLeast, 1), ago)?)
        }
        "performed_event_multiple" => multiple(leaf, events),
        // HogQL asks `first_time_for_user`, whose filters are asked of the first event ever.
        "performed_event_first_time" if filtered => Err(Fault::unsupported(
            "`event_filters` on a first time aren't supported: PostHog asks them of the first \
             event alone, whose properties aren't kept",
        )),
        "performed_event_first_time" => {
            Ok(Draft::each(stretch(leaf)?.thens(), |then| events.clone().first(then)))
        }
        // It is the same question twice, of two windows, so filters belong to both.
        "stopped_performing_event" => Ok(events.last(Then::Ago(quiet(leaf)?))),
        // HogQL leaves filters out of these three without a word.
        "restarted_performing_event" | "performed_event_sequence" | "performed_event_regularly"
            if filtered =>
        {
            Err(Fault::unsupported(format!(
                "`event_filters` on `{kind}` aren't supported: PostHog ignores them, and somebody \
                 meant them"
            )))
        }
        "restarted_performing_event" => Ok(events.restarted(quiet(leaf)?)?),
        "performed_event_sequence" => sequence(leaf, events),
        "performed_event_regularly" => regularly(leaf, events),
        _ => Err(Fault::of_cohort(format!("`{}` isn't a behaviour", json_of(leaf.get("value"))))),
    }
}

/// How often. PostHog counts by person, so somebody without any such event isn't counted, and
/// "at most 3" is one, two or three; only where nothing but none can be meant, none is.
fn multiple(leaf: &Value, events: Events) -> Result<Draft, Fault> {
    let comparison = comparison(leaf);
    let n = whole(leaf, "operator_value", "a count")?.max(0);
    let n = u16::try_from(n).ok().filter(|n| *n <= COUNT_MAX).ok_or_else(|| {
        Fault::unsupported(format!("a count of {n} is more than the {COUNT_MAX} that Sluice keeps"))
    })?;
    let Stretch { dates, ago } = stretch(leaf)?;
    let events = events.between(dates);
    let some_may_be_meant = match comparison {
        Comparison::AtMost => n >= 1,
        Comparison::Less => n >= 2,
        _ => false,
    };
    let counted = events.clone().count((comparison, n), ago)?;
    if !some_may_be_meant {
        return Ok(counted);
    }
    Ok(Draft::All(vec![events.count((Comparison::AtLeast, 1), ago)?, counted]))
}

/// `key`, then `seq_event` later, at most the sequence's own time after it, both in the window:
/// `latest_0 < latest_1 AND latest_1 <= latest_0 + INTERVAL`.
fn sequence(leaf: &Value, first: Events) -> Result<Draft, Fault> {
    let then = event(leaf, "seq_event", "seq_event_type")?;
    let Stretch { dates, ago } = stretch(leaf)?;
    let after_ms_max = length_ms(leaf, "seq_time_value", "seq_time_interval")?;
    let step = |events: Events, after_ms_max| Step {
        of: events.between(dates).step(None, ago.from_ms),
        after_ms_min: 0,
        after_ms_max,
        without: None,
    };
    Ok(behaviours::sequence(
        vec![step(first, i64::MAX), step(Events::named(then), after_ms_max)],
        ago,
        false,
    ))
}

/// In at least `min_periods` of the last `total_periods`, counted back from now: period 0 is
/// `(now - time_value, now]`.
fn regularly(leaf: &Value, events: Events) -> Result<Draft, Fault> {
    let once = match (comparison(leaf), whole(leaf, "operator_value", "a count")?) {
        (Comparison::AtLeast, n) => n == 1,
        (Comparison::Greater, n) => n == 0,
        _ => false,
    };
    if !once {
        let message = "a period with another count than \"at least 1\" isn't supported: how often \
                       something happened in each of many periods isn't kept";
        return Err(Fault::unsupported(message));
    }
    let period_ms = length_ms(leaf, "time_value", "time_interval")?;
    let periods = |key| {
        let number = whole(leaf, key, "a number of periods")?;
        u16::try_from(number).ok().filter(|n| *n > 0).ok_or_else(|| {
            Fault::of_cohort(format!("`{}` isn't a number of periods", json_of(leaf.get(key))))
        })
    };
    let (at_least, of_last) = (periods("min_periods")?, periods("total_periods")?);
    if at_least > of_last {
        return Err(Fault::of_cohort(format!(
            "{at_least} of {of_last} periods is more than there are"
        )));
    }
    Ok(events.regularly(at_least, of_last, Period::Back(period_ms))?)
}

/// From `time_value` ago, which is further back, until `seq_time_value` ago.
fn quiet(leaf: &Value) -> Result<Ago, Fault> {
    if explicit(leaf, "explicit_datetime").is_some() {
        let message = "`explicit_datetime` isn't supported here: PostHog has no meaning for it";
        return Err(Fault::unsupported(message));
    }
    let from_ms = length_ms(leaf, "time_value", "time_interval")?;
    let until_ms = length_ms(leaf, "seq_time_value", "seq_time_interval")?;
    if from_ms <= until_ms {
        return Err(Fault::of_cohort("`seq_time_value` has to be more recent than `time_value`"));
    }
    Ok(Ago { from_ms, until_ms })
}

/// The event that a leaf names.
fn event(leaf: &Value, key: &str, kind: &str) -> Result<String, Fault> {
    let is_event = leaf.get(kind).is_none_or(|kind| kind.is_null() || kind == "events");
    match leaf.get(key) {
        Some(Value::String(event)) if is_event => Ok(event.clone()),
        Some(Value::String(_) | Value::Number(_)) => Err(Fault::unsupported(
            "conditions on actions aren't supported: PostHog's definitions don't say what an \
             action is",
        )),
        other => Err(Fault::of_cohort(format!("`{}` isn't an event", json_of(other)))),
    }
}

/// PostHog's default is equality, and an unknown operator means that too.
fn comparison(leaf: &Value) -> Comparison {
    match leaf.get("operator").and_then(Value::as_str) {
        Some("gte") => Comparison::AtLeast,
        Some("lte") => Comparison::AtMost,
        Some("gt") => Comparison::Greater,
        Some("lt") => Comparison::Less,
        _ => Comparison::Equal,
    }
}

fn explicit<'v>(leaf: &'v Value, key: &str) -> Option<&'v Value> {
    leaf.get(key).filter(|value| !value.is_null())
}

/// When it happened: `explicit_datetime`, which wins, until `explicit_datetime_to`; else
/// `time_value` of `time_interval`. Either end may be so long ago, or a date, by the clock of the
/// project's time zone where it has none, as `relative_date_parse` has it. A day that is the end
/// is in.
fn stretch(leaf: &Value) -> Result<Stretch, Fault> {
    let Some(since) = explicit(leaf, "explicit_datetime") else {
        if explicit(leaf, "explicit_datetime_to").is_some() {
            let message = "`explicit_datetime_to` without `explicit_datetime` isn't supported: \
                           PostHog's queries ignore it, and its realtime cohorts don't";
            return Err(Fault::unsupported(message));
        }
        return Ok(Ago::within(length_ms(leaf, "time_value", "time_interval")?).into());
    };
    let (after, from_ms) = match edge(since, Date::absolute)? {
        Edge::Date(date) => (Some(date), FOREVER_MS),
        Edge::Ago(from_ms) => (None, from_ms),
    };
    let until = explicit(leaf, "explicit_datetime_to").map(|until| edge(until, Date::end_of));
    let (before, until_ms) = match until.transpose()? {
        Some(Edge::Date(date)) => (Some(date), 0),
        Some(Edge::Ago(until_ms)) => (None, until_ms),
        None => (None, 0),
    };
    let dates = Dates { after, before };
    if from_ms <= until_ms || dates.are_nothing() {
        return Err(Fault::unsupported(format!(
            "the time since {since} has no end after its beginning"
        )));
    }
    Ok(Stretch { dates, ago: Ago { from_ms, until_ms } })
}

/// Where a stretch of time begins, or ends.
enum Edge {
    Date(Date),
    /// So many milliseconds ago.
    Ago(i64),
}

fn edge(value: &Value, date: impl Fn(&str) -> Option<Date>) -> Result<Edge, Fault> {
    let text = value.as_str().unwrap_or_default();
    let relative = || parse_relative_ms(text).map(Edge::Ago);
    date(text).map(Edge::Date).or_else(relative).ok_or_else(|| {
        Fault::unsupported(format!(
            "{value} isn't supported as an end of a window: only a date, or the like of `-5M`, up \
             to 400 days"
        ))
    })
}

/// A length of time. Months have 30 days, years 365: `INTERVAL_TO_SECONDS`.
fn length_ms(leaf: &Value, value: &str, interval: &str) -> Result<i64, Fault> {
    let (Some(_), Some(unit)) = (explicit(leaf, value), explicit(leaf, interval)) else {
        return Err(Fault::of_cohort(format!("a behavioural condition has no `{value}`")));
    };
    let unit_ms = match unit.as_str() {
        Some("second") => SECOND_MS,
        Some("minute") => MINUTE_MS,
        Some("hour") => HOUR_MS,
        Some("day") => DAY_MS,
        Some("week") => 7 * DAY_MS,
        Some("month") => 30 * DAY_MS,
        Some("year") => 365 * DAY_MS,
        _ => return Err(Fault::of_cohort(format!("`{unit}` isn't a unit of time"))),
    };
    let amount = whole(leaf, value, "a length")?;
    let length_ms = amount.checked_mul(unit_ms);
    let length_ms = length_ms.filter(|length| (SECOND_MS..=WINDOW_MS_MAX).contains(length));
    length_ms.ok_or_else(|| {
        Fault::unsupported(format!(
            "a window of {amount} {unit} isn't between 1 second and 400 days"
        ))
    })
}

fn event_filters(leaf: &Value, matching: PropertyMatching) -> Result<Vec<Filter>, Fault> {
    let filters = match leaf.get("event_filters") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(filters)) => filters,
        Some(_) => return Err(Fault::of_cohort("`event_filters` isn't a list")),
    };
    let one = |filter: &Value| match filter.get("type").and_then(Value::as_str) {
        None | Some("event") => {
            let filter = property_filter(filter, matching).map_err(Fault::in_cohort)?;
            match filter.is_relative() {
                true => Err(Fault::unsupported(format!(
                    "an event's `{}` and a relative date aren't compared: PostHog counts back \
                     from each query, and here an event is counted once, when it comes",
                    filter.key
                ))),
                false => Ok(filter),
            }
        }
        Some(other) => Err(Fault::unsupported(format!(
            "event filters of type `{other}` aren't supported: only an event's own properties \
             are known where it is counted"
        ))),
    };
    filters.iter().map(one).collect()
}

/// A whole number, which may be written as text or with a fraction of zero.
fn whole(leaf: &Value, key: &str, what: &str) -> Result<i64, Fault> {
    let number = match leaf.get(key) {
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(Value::Number(number)) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            (float.fract() == 0.0 && float.abs() < 1e15).then_some(float as i64)
        }),
        _ => None,
    };
    number.ok_or_else(|| Fault::of_cohort(format!("`{}` isn't {what}", json_of(leaf.get(key)))))
}

impl From<TooMuch> for Fault {
    fn from(TooMuch(why): TooMuch) -> Fault {
        Fault::unsupported(why)
    }
}
