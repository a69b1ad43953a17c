//! An event as the log has it: a record's bytes become an [`Event`], or a named [`Skip`].

mod brief;
mod clickhouse;
mod glance;
mod marks;
mod object;
mod picked;
mod plain;
mod scalar;
mod sluice;

use std::borrow::Cow;

pub use brief::Brief;
pub use glance::Glance;
pub(crate) use marks::any_dollar;
pub use object::Object;
pub use picked::Picked;

use crate::time::YEAR_2000_MS;

/// The largest record that is read, in bytes.
pub const RECORD_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The shape of a topic's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Sluice's own: `schemas/event.schema.json`.
    #[default]
    Sluice,
    /// That of PostHog's `clickhouse_events_json`: `schemas/clickhouse.schema.json`.
    Clickhouse,
}

/// A parsed event, borrowing from its record where it can.
#[derive(Debug)]
pub struct Event<'a> {
    /// The event id; where absent, partition and offset identify the event.
    pub uuid: Option<Text<'a>>,
    /// The project's token; where there is no team either, the topic's project is meant.
    pub token: Option<Text<'a>>,
    /// The project's number at PostHog.
    pub team_id: Option<i64>,
    /// What happened.
    pub name: Text<'a>,
    /// Who did it, cut to 200 characters.
    pub distinct_id: Text<'a>,
    /// When, in epoch milliseconds, as the sender says; where absent, the record's time.
    pub timestamp_ms: Option<i64>,
    /// What is known of it.
    pub properties: Option<Object<'a>>,
    /// The person whom the pipeline took the sender for.
    pub person_id: Option<Text<'a>>,
    /// The person's properties, all of them, as the pipeline knew them then.
    pub person_properties: Option<Object<'a>>,
}

/// Text of a record, borrowed unless it had escapes.
pub type Text<'a> = Cow<'a, str>;

/// Why a record, or a hit, is left out. Each is a label of `sluice_events_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skip {
    /// A record without a value.
    Tombstone,
    /// Not a JSON object.
    NotJson,
    /// Larger than [`RECORD_BYTES_MAX`].
    TooLarge,
    /// `event` is missing, empty or no text.
    NoEvent,
    /// `distinct_id` is missing, empty, or neither text nor a number.
    NoDistinctId,
    /// `timestamp` is neither RFC 3339 nor epoch milliseconds.
    BadTimestamp,
    /// The token opens no project, or none is given where there are several projects.
    UnknownToken,
    /// No project has the record's `team_id`, or it is no whole number.
    UnknownTeam,
    /// `properties` or `person_properties` is no text that holds a JSON object.
    BadProperties,
    /// Before the year 2000, or further back than any window and the lateness reach.
    Late,
}

impl Skip {
    /// Every reason, for metrics that are there from the start.
    pub const ALL: [Skip; 10] = [
        Skip::Tombstone,
        Skip::NotJson,
        Skip::TooLarge,
        Skip::NoEvent,
        Skip::NoDistinctId,
        Skip::BadTimestamp,
        Skip::UnknownToken,
        Skip::UnknownTeam,
        Skip::BadProperties,
        Skip::Late,
    ];

    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Skip::Tombstone => "tombstone",
            Skip::NotJson => "not_json",
            Skip::TooLarge => "too_large",
            Skip::NoEvent => "no_event",
            Skip::NoDistinctId => "no_distinct_id",
            Skip::BadTimestamp => "bad_timestamp",
            Skip::UnknownToken => "unknown_token",
            Skip::UnknownTeam => "unknown_team",
            Skip::BadProperties => "bad_properties",
            Skip::Late => "late",
        }
    }
}

impl Format {
    /// Reads a record's value.
    ///
    /// # Errors
    /// The reason why the record is no event; nothing else of the log is affected.
    pub fn parse(self, value: &[u8]) -> Result<Event<'_>, Skip> {
        if value.len() > RECORD_BYTES_MAX {
            return Err(Skip::TooLarge);
        }
        match self {
            Format::Sluice => sluice::parse(value),
            Format::Clickhouse => clickhouse::parse(value),
        }
    }

    /// Reads a record's value up to the name of its event, if it is written so that this can be
    /// done; never where [`Format::parse`] reads another token or name.
    pub fn glance(self, value: &[u8]) -> Option<Glance<'_>> {
        // PostHog's records bear their project behind the properties.
        if self != Format::Sluice || value.len() > RECORD_BYTES_MAX {
            return None;
        }
        Glance::at(str::from_utf8(value).ok()?)
    }
}

impl Event<'_> {
    /// When the event counts as having happened, bounded by its record's own time: at most
    /// `skew_ms` ahead of it, never before the year 2000.
    ///
    /// # Errors
    /// [`Skip::Late`] before the year 2000.
    pub fn time_ms(&self, record_ms: i64, skew_ms: i64) -> Result<EventTime, Skip> {
        time_ms(self.timestamp_ms, record_ms, skew_ms)
    }

    /// What stands for the event's id in windows: a stable hash of its uuid, or of where and
    /// when the log has it: in a log that was made anew, another event lies there.
    pub fn id_hash(&self, partition: i32, offset: i64, record_ms: i64) -> u64 {
        id_hash(self.uuid.as_deref(), partition, offset, record_ms)
    }
}

fn time_ms(stated_ms: Option<i64>, record_ms: i64, skew_ms: i64) -> Result<EventTime, Skip> {
    let latest_ms = record_ms.saturating_add(skew_ms);
    let stated_ms = stated_ms.unwrap_or(record_ms);
    let time_ms = stated_ms.min(latest_ms);
    if time_ms < YEAR_2000_MS {
        return Err(Skip::Late);
    }
    Ok(EventTime { time_ms, clamped: stated_ms > latest_ms })
}

fn id_hash(uuid: Option<&str>, partition: i32, offset: i64, record_ms: i64) -> u64 {
    match uuid {
        Some(uuid) => xxhash_rust::xxh3::xxh3_64(uuid.as_bytes()),
        None => {
            let mut place = [0; 20];
            place[..4].copy_from_slice(&partition.to_le_bytes());
            place[4..12].copy_from_slice(&offset.to_le_bytes());
            place[12..].copy_from_slice(&record_ms.to_le_bytes());
            xxhash_rust::xxh3::xxh3_64(&place)
        }
    }
}

/// An event's time, bounded by its record's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTime {
    /// Epoch milliseconds.
    pub time_ms: i64,
    /// Whether the sender's clock ran ahead by more than the skew.
    pub clamped: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip_of(record: &str) -> Option<Skip> {
        Format::Sluice.parse(record.as_bytes()).err()
    }

    #[test]
    fn an_event_is_read_whole() {
        let record = br#"{"uuid":"u","token":"shop","event":"purchase","distinct_id":"ann",
            "timestamp":1700000000000,"properties":{"price":5},"more":[1,{"deep":null}]}"#;
        let event = Format::Sluice.parse(record).expect("an event");
        assert_eq!((event.name.as_ref(), event.distinct_id.as_ref()), ("purchase", "ann"));
        assert_eq!(event.timestamp_ms, Some(1_700_000_000_000));
        let properties = event.properties.expect("an object");
        assert_eq!(properties.open().as_deref(), Ok(r#"{"price":5}"#));
    }

    #[test]
    fn what_is_no_event_is_skipped_by_name() {
        for (record, skip) in [
            ("", Skip::NotJson),
            ("garbage", Skip::NotJson),
            ("[]", Skip::NotJson),
            ("{}", Skip::NoEvent),
            (r#"{"event":7,"distinct_id":"a"}"#, Skip::NoEvent),
            (r#"{"event":"e"}"#, Skip::NoDistinctId),
            (r#"{"event":"e","distinct_id":""}"#, Skip::NoDistinctId),
            (r#"{"event":"e","distinct_id":{"a":1,"b":2}}"#, Skip::NoDistinctId),
            (r#"{"event":"e","distinct_id":["a","b"]}"#, Skip::NoDistinctId),
            (r#"{"event":"e","distinct_id":"a","timestamp":"noon"}"#, Skip::BadTimestamp),
            (r#"{"event":"e","distinct_id":"a","timestamp":[]}"#, Skip::BadTimestamp),
        ] {
            assert_eq!(skip_of(record), Some(skip), "{record}");
        }
    }

    #[test]
    fn a_record_may_be_as_large_as_the_bound() {
        let bytes = vec![b' '; RECORD_BYTES_MAX + 1];
        assert_eq!(Format::Sluice.parse(&bytes).err(), Some(Skip::TooLarge));
        assert_eq!(Format::Sluice.parse(&bytes[1..]).err(), Some(Skip::NotJson));
    }

    /// Else what is too large would pass for an event that nobody watches.
    #[test]
    fn a_glance_sees_no_larger_records_than_reading_does() {
        let mut bytes = br#"{"event":"e","distinct_id":"a"}"#.to_vec();
        bytes.resize(RECORD_BYTES_MAX + 1, b' ');
        assert!(Format::Sluice.glance(&bytes).is_none());
        bytes.pop();
        let glance = Format::Sluice.glance(&bytes).expect("no larger than the bound");
        assert_eq!(glance.name(), "e");
    }

    #[test]
    fn a_clock_may_be_as_fast_as_the_skew_and_an_event_as_old_as_the_year_2000() {
        let time = |stated_ms, record_ms| {
            let time = Event { timestamp_ms: Some(stated_ms), ..event() }.time_ms(record_ms, 5_000);
            time.map(|time| (time.time_ms, time.clamped))
        };
        assert_eq!(time(1_700_000_005_000, 1_700_000_000_000), Ok((1_700_000_005_000, false)));
        assert_eq!(time(1_700_000_005_001, 1_700_000_000_000), Ok((1_700_000_005_000, true)));
        assert_eq!(time(YEAR_2000_MS, YEAR_2000_MS), Ok((YEAR_2000_MS, false)));
        assert_eq!(time(YEAR_2000_MS - 1, YEAR_2000_MS), Err(Skip::Late));
    }

    #[test]
    fn a_fast_clock_is_bounded_by_the_log_and_the_year_1_is_late() {
        let at = |stated_ms| Event { timestamp_ms: Some(stated_ms), ..event() };
        let record_ms = 1_700_000_000_000;
        let ahead = at(253_402_300_799_000).time_ms(record_ms, 5_000);
        assert_eq!(ahead, Ok(EventTime { time_ms: record_ms + 5_000, clamped: true }));
        assert_eq!(at(-62_135_596_800_000).time_ms(record_ms, 5_000), Err(Skip::Late));
    }

    #[test]
    fn a_long_id_is_cut_and_a_number_is_text() {
        let long = "é".repeat(1_000);
        let record = format!(r#"{{"event":"e","distinct_id":"{long}"}}"#);
        let event = Format::Sluice.parse(record.as_bytes()).expect("an event");
        assert_eq!(event.distinct_id.chars().count(), 200);
        let event =
            Format::Sluice.parse(br#"{"event":"e","distinct_id":123.45}"#).expect("an event");
        assert_eq!(event.distinct_id, "123.45");
    }

    fn event() -> Event<'static> {
        Format::Sluice.parse(br#"{"event":"e","distinct_id":"a"}"#).expect("an event")
    }
}
