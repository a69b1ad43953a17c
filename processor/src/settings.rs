//! Settings: one table; each key is a line of `sluice.toml`, `SLUICE_<KEY>` and `--<key>`.
//!
//! A flag wins over the environment, the environment over the file, the file over the default.
//! Everything is checked before anything is used, and every mistake is reported.

mod check;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use evaluator::address::TrustedProxies;
use evaluator::limits::Allowed;
use schemas::event::Format;
use schemas::window::stretches::SKEW_MS_MAX;

use self::check::Check;
use crate::follow::Start;

/// One setting.
pub struct Setting {
    /// Its name in the file; upper case with `SLUICE_` before it in the environment.
    pub key: &'static str,
    /// What holds where nothing is said.
    pub default: &'static str,
    /// What it is for, with its unit.
    pub help: &'static str,
}

const fn setting(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { key, default, help }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    setting("listen", "127.0.0.1:7070", "address and port to answer on"),
    setting("data_dir", ".sluice", "folder for the store and the embedded log"),
    setting("definitions", "definitions", "folder with a folder for each project"),
    setting("log", "embedded", "where events come from: embedded or kafka"),
    setting(
        "start",
        "windows",
        "where to begin without a stored offset: windows (far enough \
        back for all of them), earliest or latest",
    ),
    setting("record_token", "", "token of records that have none; the only project's if empty"),
    setting("kafka_brokers", "127.0.0.1:9092", "host:port of brokers, separated by commas"),
    setting("kafka_topic", "events", "the topic that holds events"),
    setting(
        "kafka_format",
        "sluice",
        "the shape of its records: sluice, or clickhouse for PostHog's clickhouse_events_json",
    ),
    setting("kafka_group", "sluice", "the consumer group that names advisory commits"),
    setting("kafka_partitions", "8", "partitions of the topic if Sluice has to make it"),
    setting("checkpoint_interval_ms", "4000", "milliseconds from one checkpoint to the next"),
    setting("hot_bytes", "536870912", "bytes of people held in memory at most"),
    setting("cache_bytes", "16777216", "bytes of RocksDB's block cache"),
    setting("log_retention_ms", "604800000", "milliseconds the embedded log keeps records"),
    setting("log_retention_bytes", "4294967296", "bytes the embedded log takes at most"),
    setting("skew_ms", "5000", "milliseconds an event may be ahead of its record"),
    setting("lateness_ms", "3600000", "milliseconds an event may come after its window passed"),
    setting(
        "unknown_after_ms",
        "never",
        "milliseconds behind the log that make conditions unknown",
    ),
    setting("request_timeout_ms", "20000", "milliseconds a client may take to say its request"),
    setting(
        "rate_limits",
        "off",
        "how often flags may be asked for: off, posthog, or requests a second and at once, \
        address=50:1250,token=10:625",
    ),
    setting(
        "overload_wait_ms",
        "5",
        "milliseconds that requests wait before some are turned away with 503, or never",
    ),
    setting(
        "trusted_proxies",
        "127.0.0.0/8,::1",
        "addresses and networks whose X-Forwarded-For is believed",
    ),
    setting("geoip_database", "", "a MaxMind database that says in which city addresses are"),
    setting(
        "typed_records",
        "off",
        "whether /flags tells typed values from v=3 on: on, or off for the records of v=2",
    ),
    setting("log_level", "info", "what is logged: error, warn, info, debug, or a filter"),
];

/// What sets one librdkafka property: `kafka_property_security_protocol` in the environment,
/// `"security.protocol"` under `[kafka_properties]` in the file.
const PROPERTY: &str = "kafka_property_";
const PROPERTIES_TABLE: &str = "kafka_properties";
const ENVIRONMENT: &str = "SLUICE_";
/// What the environment tells besides settings: where their file is, and whom `explain` asks as.
const BESIDE: [&str; 2] = ["config", "secret"];

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// Our own, in the data folder.
    Embedded,
    /// Kafka.
    Kafka,
}

/// All settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "SETTINGS documents each by its key")]
pub struct Settings {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub definitions: PathBuf,
    pub log: LogKind,
    pub start: Start,
    pub record_token: Option<String>,
    pub kafka_brokers: String,
    pub kafka_topic: String,
    pub kafka_format: Format,
    pub kafka_group: String,
    pub kafka_partitions: i32,
    pub kafka_properties: BTreeMap<String, String>,
    pub checkpoint_interval_ms: u64,
    pub hot_bytes: usize,
    pub request_timeout: Duration,
    pub rate_limits: Allowed,
    pub overload_wait: Option<Duration>,
    pub trusted_proxies: TrustedProxies,
    pub geoip_database: Option<PathBuf>,
    pub cache_bytes: usize,
    pub log_retention_ms: i64,
    pub log_retention_bytes: u64,
    pub skew_ms: i64,
    pub lateness_ms: i64,
    pub unknown_after_ms: Option<i64>,
    pub typed_records: bool,
    pub log_level: String,
}

/// Where settings come from; each by key.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file's path and text.
    pub file: Option<(PathBuf, String)>,
    /// The process's environment.
    pub environment: Vec<(String, String)>,
    /// The command line's flags.
    pub flags: BTreeMap<String, String>,
}

/// Settings, and what deserves a warning.
#[derive(Debug)]
pub struct Read {
    /// What holds.
    pub settings: Settings,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// A value and where it was said, for messages.
type Said = BTreeMap<String, (String, String)>;

/// The key that sets a librdkafka property.
pub fn property_key(name: &str) -> String {
    format!("{PROPERTY}{name}")
}

/// Reads all sources.
///
/// # Errors
/// With every mistake, one sentence each, naming the place and the fix.
pub fn read(sources: &Sources) -> Result<Read, Vec<String>> {
    let mut mistakes = Vec::new();
    let mut warnings = Vec::new();
    let mut said: Said = SETTINGS
        .iter()
        .map(|setting| (setting.key.to_owned(), (setting.default.to_owned(), String::new())))
        .collect();
    if let Some((path, text)) = &sources.file {
        let place = path.display().to_string();
        read_file(&place, text, &mut said, &mut mistakes);
    }
    for (name, value) in &sources.environment {
        let Some(key) = name.strip_prefix(ENVIRONMENT).map(str::to_lowercase) else {
            continue;
        };
        if key.starts_with(PROPERTY) || said.contains_key(&key) {
            said.insert(key, (value.clone(), name.clone()));
        } else if !BESIDE.contains(&key.as_str()) {
            // Kubernetes sets SLUICE_SERVICE_HOST, SLUICE_PORT and the like by itself.
            let nearest = format!("{ENVIRONMENT}{}", nearest(&key).to_uppercase());
            warnings.push(format!("{name} is no setting; did you mean {nearest}?"));
        }
    }
    for (key, value) in &sources.flags {
        let flag = format!("--{}", key.replace('_', "-"));
        said.insert(key.clone(), (value.clone(), flag));
    }
    let settings = check(&said, &mut mistakes);
    if mistakes.is_empty() { Ok(Read { settings, warnings }) } else { Err(mistakes) }
}

fn read_file(place: &str, text: &str, said: &mut Said, mistakes: &mut Vec<String>) {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return mistakes.push(format!("{place}: {error}")),
    };
    for (key, value) in table {
        let text = |value: &toml::Value| match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match value {
            toml::Value::Table(properties) if key == PROPERTIES_TABLE => {
                for (name, value) in properties {
                    let key = property_key(&name);
                    said.insert(key, (text(&value), format!("{place}: {name}")));
                }
            }
            value if said.contains_key(&key) && !key.starts_with(PROPERTY) => {
                let place = format!("{place}: {key}");
                said.insert(key, (text(&value), place));
            }
            _ => mistakes
                .push(format!("{place}: {key:?} is no setting; did you mean {:?}?", nearest(&key))),
        }
    }
}

fn nearest(key: &str) -> &'static str {
    let far = |setting: &&Setting| (strsim::jaro_winkler(setting.key, key) * 1e6) as i64;
    SETTINGS.iter().max_by_key(far).map_or("listen", |setting| setting.key)
}

fn check(said: &Said, mistakes: &mut Vec<String>) -> Settings {
    let mut check = Check { said, mistakes };
    let properties = said.iter().filter_map(|(key, (value, _))| {
        let name = key.strip_prefix(PROPERTY)?;
        Some((name.replace('_', "."), value.clone()))
    });
    Settings {
        kafka_properties: properties.collect(),
        listen: check
            .parse("listen", "an address and a port such as 0.0.0.0:7070")
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 7070))),
        data_dir: check.text("data_dir").into(),
        definitions: check.text("definitions").into(),
        log: check.one_of("log", &[("embedded", LogKind::Embedded), ("kafka", LogKind::Kafka)]),
        start: check.one_of(
            "start",
            &[
                ("windows", Start::Windows),
                ("earliest", Start::Earliest),
                ("latest", Start::Latest),
            ],
        ),
        record_token: check.text_if_any("record_token"),
        kafka_brokers: check.text("kafka_brokers"),
        kafka_topic: check.text("kafka_topic"),
        kafka_format: check.one_of(
            "kafka_format",
            &[("sluice", Format::Sluice), ("clickhouse", Format::Clickhouse)],
        ),
        kafka_group: check.text("kafka_group"),
        kafka_partitions: check.number("kafka_partitions", 1, 10_000),
        checkpoint_interval_ms: check.number("checkpoint_interval_ms", 10, 3_600_000),
        hot_bytes: check.number("hot_bytes", 1 << 20, i64::MAX),
        request_timeout: Duration::from_millis(check.number("request_timeout_ms", 1, 3_600_000)),
        rate_limits: check
            .parse("rate_limits", "off, posthog, or such as address=50:1250,token=10:625")
            .unwrap_or_default(),
        trusted_proxies: check
            .parse("trusted_proxies", "addresses and networks, such as 10.0.0.0/8,::1")
            .unwrap_or_default(),
        geoip_database: check.text_if_any("geoip_database").map(PathBuf::from),
        cache_bytes: check.number("cache_bytes", 1 << 20, i64::MAX),
        log_retention_ms: check.number("log_retention_ms", 1_000, i64::MAX),
        log_retention_bytes: check.number("log_retention_bytes", 1 << 20, i64::MAX),
        skew_ms: check.number("skew_ms", 0, SKEW_MS_MAX),
        lateness_ms: check.number("lateness_ms", 0, 34_560_000_000),
        unknown_after_ms: check.number_or_never("unknown_after_ms"),
        overload_wait: check
            .number_or_never("overload_wait_ms")
            .map(|wait_ms| Duration::from_millis(wait_ms.unsigned_abs())),
        typed_records: check.one_of("typed_records", &[("off", false), ("on", true)]),
        log_level: check.text("log_level"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Sources {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Sources { environment: pairs.iter().map(pair).collect(), ..Sources::default() }
    }

    #[test]
    fn every_default_is_valid() {
        let read = read(&Sources::default()).expect("defaults");
        assert_eq!(read.settings.listen.port(), 7070);
        assert_eq!(read.settings.unknown_after_ms, None);
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let mut sources = environment(&[("SLUICE_SKEW_MS", "2"), ("SLUICE_HOT_BYTES", "2000000")]);
        let text = "skew_ms = 1\nhot_bytes = 1_100_000\ncache_bytes = 1200000".to_owned();
        sources.file = Some(("sluice.toml".into(), text));
        sources.flags.insert("skew_ms".to_owned(), "3".to_owned());
        let settings = read(&sources).expect("settings").settings;
        assert_eq!((settings.skew_ms, settings.hot_bytes), (3, 2_000_000));
        assert_eq!(settings.cache_bytes, 1_200_000);
    }

    #[test]
    fn all_mistakes_are_reported_together_with_their_places() {
        let mut sources = environment(&[("SLUICE_LOG", "kafkaesque")]);
        sources.file = Some(("sluice.toml".into(), "skew_ms = -1\nlissten = 'x'".to_owned()));
        let mistakes = read(&sources).expect_err("three mistakes");
        assert_eq!(
            mistakes,
            [
                "sluice.toml: \"lissten\" is no setting; did you mean \"listen\"?",
                "SLUICE_LOG: \"kafkaesque\" is not one of embedded, kafka",
                "sluice.toml: skew_ms: \"-1\" is not a whole number from 0 to 3600000",
            ]
        );
    }

    #[test]
    fn an_unknown_name_in_the_environment_is_warned_about() {
        let read = read(&environment(&[("SLUICE_KAFKA_BROKER", "k:9092")])).expect("a warning");
        assert_eq!(
            read.warnings,
            ["SLUICE_KAFKA_BROKER is no setting; did you mean SLUICE_KAFKA_BROKERS?"]
        );
    }

    #[test]
    fn librdkafka_properties_pass_through() {
        let mut sources = environment(&[("SLUICE_KAFKA_PROPERTY_SECURITY_PROTOCOL", "SSL")]);
        let text = "[kafka_properties]\n\"sasl.mechanism\" = \"PLAIN\"".to_owned();
        sources.file = Some(("sluice.toml".into(), text));
        let properties = read(&sources).expect("settings").settings.kafka_properties;
        assert_eq!(properties["security.protocol"], "SSL");
        assert_eq!(properties["sasl.mechanism"], "PLAIN");
    }
}
