//! Records of a log, in both shapes: an event or a reason why not, an event is told whole, and a
//! glance tells what reading does.

#![no_main]

use libfuzzer_sys::fuzz_target;
use schemas::event::Format;

fuzz_target!(|bytes: &[u8]| {
    for format in [Format::Sluice, Format::Clickhouse] {
        let Ok(event) = format.parse(bytes) else { continue };
        if let Some(glance) = format.glance(bytes) {
            assert_eq!(glance.name, event.name);
            assert!(glance.token.is_none() || glance.token == event.token.as_deref());
        }
        let time = event.time_ms(1_790_000_000_000, 5_000);
        if let Ok(time) = time {
            assert!(time.time_ms <= 1_790_000_005_000, "ahead of the log");
        }
        assert_eq!(event.id_hash(0, 1, 2), event.id_hash(0, 1, 2));
        for object in [event.properties, event.person_properties].into_iter().flatten() {
            let Ok(text) = object.open() else { continue };
            assert!(text.trim_start().starts_with('{'), "no object: {text}");
        }
    }
});
