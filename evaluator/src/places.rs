//! Places: where an address is, as a MaxMind database has it, for `$geoip_*` person properties.

use std::net::IpAddr;
use std::path::Path;

use maxminddb::{MaxMindDbError, Reader};
use schemas::catalog::Project;
use serde_json::{Map, Value};

/// The properties that PostHog's flag service fills, and where a database of cities has them.
const PROPERTIES: [(&str, &str); 7] = [
    ("$geoip_city_name", "/city/names/en"),
    ("$geoip_continent_code", "/continent/code"),
    ("$geoip_continent_name", "/continent/names/en"),
    ("$geoip_country_code", "/country/iso_code"),
    ("$geoip_country_name", "/country/names/en"),
    ("$geoip_postal_code", "/postal/code"),
    ("$geoip_time_zone", "/location/time_zone"),
];

/// Where addresses are.
pub struct Places(Reader<Vec<u8>>);

impl Places {
    /// Reads a database in MaxMind's format.
    ///
    /// # Errors
    /// When it can't be read, or is none.
    pub fn open(path: &Path) -> Result<Places, MaxMindDbError> {
        Reader::open_readfile(path).map(Places)
    }

    /// Whether some condition of the project asks where a person is.
    pub fn are_asked_for(project: &Project) -> bool {
        PROPERTIES.iter().any(|(key, _)| project.person_keys.contains(*key))
    }

    /// Adds to a person's properties where this address is. What they say themselves stays; null
    /// says nothing. Nothing is known of this machine's own addresses, as at PostHog.
    pub fn fill(&self, address: IpAddr, properties: &mut Map<String, Value>) {
        if address.is_loopback() {
            return;
        }
        let found = self.0.lookup(address).and_then(|found| found.decode::<Value>());
        let place = match found {
            Ok(Some(place)) => place,
            Ok(None) => return,
            Err(error) => return tracing::debug!(%error, "where an address is can't be read"),
        };
        for (key, path) in PROPERTIES {
            let Some(value @ Value::String(_)) = place.pointer(path) else { continue };
            let held = properties.entry(key).or_insert(Value::Null);
            if held.is_null() {
                *held = value.clone();
            }
        }
    }
}
