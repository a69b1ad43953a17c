//! Forgetting, as whoever has the project's secret asks for it.

use schemas::append::AppendError;
use schemas::unknown::Unknown;
use serde_json::{Value, json};

use crate::shop::{Answer, NOON_MS, Shop, TOKEN};

const OFFER: &str = "rules:\n  - when: { did: added to cart, within: 5m }\n";

fn shop() -> Shop {
    let project = "token: phc_shop\nsecrets: [ old, new ]\n";
    Shop::with(&[("shop/project.yaml", project), ("shop/flags/offer.yaml", OFFER)])
}

fn forget(shop: &Shop, secret: &str, body: &Value) -> Answer {
    let secret = format!("Bearer {secret}");
    let headers = [("authorization", secret.as_str()), ("content-type", "application/json")];
    shop.post_with("/api/forget", &headers, body.to_string().into_bytes())
}

#[test]
fn every_id_is_told_in_every_partition_and_dated_behind_what_is_known() {
    let shop = shop();
    shop.state().distinct_ids = vec!["ann".to_owned(), "phone".to_owned()];
    shop.did("phone", "added to cart", 3_000);
    let answer = forget(&shop, "new", &json!({ "distinct_id": "phone", "project": "shop" }));
    assert_eq!(answer.json(), json!({ "forgotten": ["phone", "ann"], "complete": true }));
    assert_eq!(answer.header("sluice-position"), Some("0:5"));
    let told: Vec<_> = shop.log().split_off(1);
    let told = told.iter().map(|event| {
        assert_eq!(event["event"], "$sluice_forget");
        assert_eq!(
            (&event["token"], &event["timestamp"]),
            (&json!(TOKEN), &json!(NOON_MS + 3_000))
        );
        event["distinct_id"].as_str().expect("an id").to_owned()
    });
    assert_eq!(told.collect::<Vec<_>>(), ["phone", "phone", "ann", "ann"]);
    let placed: Vec<(String, Option<i32>)> =
        shop.state().appended[1..].iter().map(|r| (r.key.clone(), r.partition)).collect();
    let expected = [("phone", 0), ("phone", 2), ("ann", 0), ("ann", 2)];
    let expected = expected.map(|(id, partition)| (format!("{TOKEN}:{id}"), Some(partition)));
    assert_eq!(placed, expected);
}

#[test]
fn whoever_has_no_secret_or_asks_for_nobody_is_refused() {
    let shop = shop();
    let ann = json!({ "distinct_id": "ann" });
    for (secret, code) in [("", "failed"), ("phc_shop", "failed"), ("ne", "failed")] {
        let answer = forget(&shop, secret, &ann);
        assert_eq!(answer.status, 401, "{secret:?}");
        assert!(answer.text().contains(&format!("authentication_{code}")), "{}", answer.text());
    }
    assert_eq!(shop.post("/api/forget", &ann).status, 401, "no header at all");
    for (body, said) in [
        (json!({}), "distinct_id"),
        (json!({ "distinct_id": "" }), "must not be empty"),
        (json!({ "distinct_id": 7 }), "string"),
        (json!({ "distinct_id": "ann", "project": "zoo" }), "opens the project \"shop\""),
    ] {
        let answer = forget(&shop, "old", &body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().contains(said), "{}", answer.text());
    }
    assert!(shop.log().is_empty());
}

/// Nobody is told that a person is gone who isn't.
#[test]
fn what_cannot_be_done_now_is_said() {
    let shop = shop();
    let ann = json!({ "distinct_id": "ann" });
    shop.state().unknown = Some(Unknown::CatchingUp);
    let answer = forget(&shop, "old", &ann);
    assert_eq!((answer.status, answer.text().contains("catching up")), (503, true));
    shop.state().unknown = None;
    shop.state().incomplete = Some(Unknown::TooManyIds);
    assert_eq!(forget(&shop, "old", &ann).json()["complete"], false);
    shop.state().refuses = Some(AppendError::ReadOnly("events".to_owned()));
    assert_eq!(forget(&shop, "old", &ann).status, 400);
    shop.state().refuses = Some(AppendError::Unavailable("gone".to_owned()));
    assert_eq!(forget(&shop, "old", &ann).status, 503);
}
