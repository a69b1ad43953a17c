//! Records of a log, in both shapes: an event or a reason why not, an event is told whole, and a
//! glance tells what reading does, as does what is picked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use schemas::event::{Brief, Event, Format, Picked};

fuzz_target!(|bytes: &[u8]| {
    let wanted = WANTED.map(str::to_owned);
    for format in [Format::Sluice, Format::Clickhouse] {
        let Ok(event) = format.parse(bytes) else {
            let picked = format.glance(bytes).and_then(|glance| glance.pick(&wanted));
            assert!(picked.is_none(), "picked of what is no event");
            continue;
        };
        if let Some(glance) = format.glance(bytes) {
            assert_eq!(glance.name(), event.name);
            assert!(glance.token().is_none() || glance.token() == event.token.as_deref());
            let may_write = glance.may_write();
            let picked = glance.pick(&wanted);
            assert!(may_write || !writes(&event), "a write that isn't seen");
            if let Some((brief, picked)) = picked {
                assert!(!writes(&event), "a write that is passed over");
                agree(&event, &brief, &picked, &wanted);
            }
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

const WANTED: [&str; 3] = ["price", "a", "$lib"];

/// Whether an event, read whole, writes properties of somebody.
fn writes(whole: &Event) -> bool {
    let names = ["$set", "$set_once", "$unset"].map(str::to_owned);
    let properties = whole.properties.as_ref().and_then(|object| object.open().ok());
    let written = Picked::from_text(properties.as_deref().unwrap_or("{}"), &names);
    names.iter().any(|name| written.value(name).is_some())
}

/// Whether an event that was read for some of its properties is the one that was read whole.
fn agree(whole: &Event, brief: &Brief, picked: &Picked, wanted: &[String]) {
    assert_eq!(brief.uuid, whole.uuid.as_deref());
    assert_eq!(brief.token, whole.token.as_deref());
    assert_eq!(brief.name, whole.name);
    assert_eq!(brief.distinct_id, whole.distinct_id);
    assert_eq!(brief.timestamp_ms, whole.timestamp_ms);
    assert_eq!(brief.time_ms(7, 5), whole.time_ms(7, 5));
    assert_eq!(brief.id_hash(0, 1, 2), whole.id_hash(0, 1, 2));
    let properties = whole.properties.as_ref().and_then(|object| object.open().ok());
    let properties = Picked::from_text(properties.as_deref().unwrap_or("{}"), wanted);
    for name in wanted {
        assert_eq!(picked.value(name), properties.value(name), "{name}");
    }
}
