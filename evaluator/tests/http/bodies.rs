//! Bodies in every form that SDKs send them in.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::json;

use crate::shop::{Shop, TOKEN, gzip};

const FORM: &str = "application/x-www-form-urlencoded";

fn asked() -> String {
    json!({ "token": TOKEN, "distinct_id": "ann ünï?>" }).to_string()
}

fn is_read(what: &str, query: &str, header: Option<(&str, &str)>, body: impl Into<Vec<u8>>) {
    let shop = Shop::open();
    let path = format!("/flags/?v=2{query}");
    let answer = shop.post_with(&path, header.as_slice(), body.into());
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    assert_eq!(answer.json()["flags"]["everybody"]["enabled"], true, "{what}");
}

#[test]
fn plain_bodies_are_read() {
    let json = asked();
    is_read("no content type", "", None, json.clone());
    is_read("space around", "", None, format!(" \n{json}\n"));
    for kind in ["application/json", "application/json; charset=utf-8", "Text/Plain"] {
        is_read(kind, "", Some(("content-type", kind)), json.clone());
    }
}

#[test]
fn gzip_is_read_however_it_is_announced() {
    let zipped = || gzip(asked().as_bytes());
    let text = Some(("content-type", "text/plain"));
    is_read("as posthog-js sends it, not at all", "", text, zipped());
    is_read("by header", "", Some(("content-encoding", "gzip")), zipped());
    is_read("by query", "&compression=gzip-js", None, zipped());
}

#[test]
fn base64_and_forms_are_read() {
    let packed = STANDARD.encode(asked());
    let escaped = packed.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
    is_read("base64", "&compression=base64", None, packed.clone());
    is_read("base64, unasked and unpadded", "", None, STANDARD_NO_PAD.encode(asked()));
    is_read("base64, escaped", "", None, escaped.clone());
    let form = Some(("content-type", FORM));
    is_read("a form", "", form, format!("data={escaped}"));
    is_read("a form without a name", "", form, escaped);
    is_read("a form and more", "", form, format!("ver=1&data={packed}&ip=0"));
}

#[test]
fn capture_reads_gzip_by_its_first_bytes() {
    let shop = Shop::open();
    let event = json!({ "event": "e", "distinct_id": "ann" });
    let batch = json!({ "api_key": TOKEN, "batch": [event] }).to_string();
    let answer = shop.post_with("/e/", &[("content-type", "text/plain")], gzip(batch.as_bytes()));
    assert_eq!((answer.status, shop.log().len()), (200, 1));
}

#[test]
fn what_cannot_be_read_is_refused_in_words() {
    let zipped = gzip(asked().as_bytes());
    let torn = zipped[..zipped.len() / 2].to_vec();
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for path in ["/flags/?v=2", "/batch/", "/e/"] {
        for (what, query, headers, body) in [
            ("nothing", "", vec![], vec![]),
            ("no JSON", "", vec![], b"<html>".to_vec()),
            ("cut off", "", vec![], asked().as_bytes()[..20].to_vec()),
            ("more behind", "", vec![], format!("{}x", asked()).into_bytes()),
            ("NUL bytes", "", vec![], vec![0; 64]),
            ("half a gzip", "", vec![], torn.clone()),
            ("gzip of nothing", "", vec![], gzip(b"")),
            ("gzip that is none", "", vec![("content-encoding", "gzip")], asked().into_bytes()),
            ("gzip within a form", "", vec![("content-type", FORM)], zipped.clone()),
            ("an unknown compression", "compression=lz4", vec![], asked().into_bytes()),
            ("an unknown type", "", vec![("content-type", "image/png")], asked().into_bytes()),
        ] {
            let sign = if path.contains('?') { '&' } else { '?' };
            let shop = Shop::open();
            let answer = shop.post_with(&format!("{path}{sign}{query}"), &headers, body);
            assert_eq!(answer.status, 400, "{what} at {path}: {}", answer.text());
            let words = answer.text();
            assert!(words.starts_with("Failed to decode request: "), "{what}: {words}");
        }
    }
    let shop = Shop::open();
    assert_eq!(shop.post_raw("/flags/?v=2", deep).status, 400);
}

#[test]
fn a_gzip_that_swells_is_stopped() {
    let spaces = |bytes: usize| {
        let mut text = vec![b' '; bytes];
        text.extend_from_slice(asked().as_bytes());
        gzip(&text)
    };
    let shop = Shop::open();
    for (path, bytes, status) in
        [("/flags/?v=2", 1 << 20, 200), ("/flags/?v=2", 2 << 20, 413), ("/batch/", 20 << 20, 413)]
    {
        let answer = shop.post_with(path, &[], spaces(bytes));
        assert_eq!(answer.status, status, "{bytes} at {path}: {}", answer.text());
    }
}

/// Python writes them, and no JSON has them.
#[test]
fn numbers_that_json_has_not_are_null() {
    let odd = |value: &str| {
        format!(r#"{{"token":"{TOKEN}","distinct_id":"ann","person_properties":{{"a":{value}}}}}"#)
    };
    for value in ["NaN", "Infinity", "-Infinity", r#"[NaN, "NaN", -Infinity]"#] {
        is_read(value, "", None, odd(value));
        is_read("the same in base64", "", None, STANDARD.encode(odd(value)));
    }
    let shop = Shop::open();
    let event = |value: &str| {
        format!(r#"{{"event":"e","distinct_id":"NaN","properties":{{"a":{value}}}}}"#)
    };
    let events = [event("NaN"), event("\"-Infinity\""), event("[1,-Infinity]")].join(",");
    let batch = format!(r#"{{"api_key":"{TOKEN}","batch":[{events}]}}"#);
    assert_eq!(shop.post_raw("/batch/", batch).status, 200);
    let kept: Vec<_> = shop.log().iter().map(|event| event["properties"]["a"].clone()).collect();
    assert_eq!(kept, [json!(null), json!("-Infinity"), json!([1, null])]);
    assert!(shop.log().iter().all(|event| event["distinct_id"] == "NaN"));
    for wrong in [odd("NaNa"), odd("--Infinity"), odd("Nan"), odd("NaN").replace('}', "")] {
        assert_eq!(shop.post_raw("/flags/?v=2", wrong.clone()).status, 400, "{wrong}");
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let shop = Shop::open();
    let mut event =
        format!(r#"{{"api_key":"{TOKEN}","event":"e","distinct_id":"ann","#).into_bytes();
    event.extend_from_slice(b"\"properties\":{\"a\":\"x\xffy\"}}");
    let form = [b"data=".as_slice(), STANDARD.encode(&event).as_bytes()].concat();
    for (headers, body) in [
        (vec![], event.clone()),
        (vec![], gzip(&event)),
        (vec![("content-type", FORM)], form),
        (vec![("content-type", FORM)], [b"data=".as_slice(), event.as_slice()].concat()),
    ] {
        assert_eq!(shop.post_with("/e/", &headers, body).status, 200, "{headers:?}");
        assert_eq!(shop.log().last().expect("it")["properties"]["a"], "x\u{fffd}y", "{headers:?}");
    }
}

#[test]
fn old_clients_have_addresses_of_their_own() {
    let shop = Shop::open();
    let event = json!({ "api_key": TOKEN, "event": "e", "distinct_id": "ann" });
    for path in ["/track", "/track/", "/engage/", "/i/v0/ai/batch/"] {
        assert_eq!(shop.post(path, &event).status, 200, "{path}");
        assert_eq!(shop.log().last().expect("it")["event"], "e", "{path}");
    }
    let person = json!({ "$token": TOKEN, "$distinct_id": "ann", "$set": { "plan": "pro" } });
    assert_eq!(shop.post("/engage/", &person).status, 200);
    assert_eq!(shop.log().last().expect("it")["event"], "$identify");
    assert_eq!(shop.flag("ann", "pro")["enabled"], true);
    assert_eq!(shop.post("/track/", &person).status, 400, "only there an event may lack its name");
}
