//! Places: flags that ask where somebody is, told by the address that the request comes from.
//!
//! `places.mmdb` has 203.0.113.0/24 in Linköping, 198.51.100.0/24 in New Zealand, 2001:db8::/32 in
//! Mexico and, which nobody may see, 127.0.0.0/8 in XX. mmdb-writer 0.2.7 of PyPI made it.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};

use crate::shop::{Shop, TOKEN};

const SWEDEN: &str = "203.0.113.7:4711";

fn shop() -> Shop {
    let flag = |place: &str| format!("rules: [ {{ when: {{ person: {{ {place} }} }} }} ]\n");
    Shop::with(&[
        ("shop/flags/city.yaml", &flag("$geoip_city_name: Linköping")),
        ("shop/flags/mexico.yaml", &flag("$geoip_country_name: Mexico")),
        ("shop/flags/oceania.yaml", &flag("$geoip_continent_code: OC")),
        ("shop/flags/post.yaml", &flag("$geoip_postal_code: 582 22")),
        ("shop/flags/sweden.yaml", &flag("$geoip_country_code: SE")),
        ("shop/flags/unplaced.yaml", &flag("$geoip_time_zone: { set: false }")),
        ("shop/flags/xx.yaml", &flag("$geoip_country_code: XX")),
    ])
}

/// The flags that are on for somebody who asks from this address.
fn on(shop: &Shop, from: &str, more: Value) -> Vec<String> {
    let mut asked = json!({ "token": TOKEN, "distinct_id": "ann" });
    asked.as_object_mut().expect("an object").append(&mut more.as_object().expect("one").clone());
    let from: SocketAddr = from.parse().expect("an address");
    let request = Request::post("/flags/?v=2").extension(ConnectInfo(from));
    let answer = shop.send(request.body(Body::from(asked.to_string())).expect("a request"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let flags = answer.json()["flags"].as_object().expect("flags").clone();
    let on = flags.into_iter().filter(|(_, flag)| flag["enabled"] == true);
    on.map(|(key, _)| key).collect()
}

#[test]
fn an_address_tells_where_somebody_is() {
    let shop = shop();
    assert_eq!(on(&shop, SWEDEN, json!({})), ["city", "post", "sweden"]);
    assert_eq!(on(&shop, "[::ffff:203.0.113.7]:1", json!({})), ["city", "post", "sweden"]);
    assert_eq!(on(&shop, "198.51.100.9:1", json!({})), ["oceania", "unplaced"]);
    assert_eq!(on(&shop, "[2001:db8::9]:1", json!({})), ["mexico", "unplaced"]);
    for nowhere in ["192.0.2.1:1", "[2001:db9::9]:1", "127.0.0.1:1"] {
        assert_eq!(on(&shop, nowhere, json!({})), ["unplaced"], "{nowhere}");
    }
}

/// A server asks from where it stands, and says so; or it knows better.
#[test]
fn what_the_request_says_of_a_place_stays() {
    let shop = shop();
    assert_eq!(on(&shop, SWEDEN, json!({ "geoip_disable": true })), ["unplaced"]);
    for filled in [json!(false), json!(null)] {
        let asked = json!({ "geoip_disable": filled });
        assert_eq!(on(&shop, SWEDEN, asked), ["city", "post", "sweden"]);
    }
    let told = json!({ "$geoip_country_code": "XX", "$geoip_city_name": null });
    let told = json!({ "person_properties": told });
    assert_eq!(on(&shop, SWEDEN, told), ["city", "post", "xx"]);
    let wrong = json!({ "token": TOKEN, "distinct_id": "ann", "geoip_disable": 7 });
    assert_eq!(shop.post("/flags/?v=2", &wrong).status, 400);
}

/// Where somebody is now is worth more than where they once were.
#[test]
fn a_place_wins_over_what_is_kept() {
    let shop = shop();
    let properties = json!({ "$set": { "$geoip_country_name": "Mexico" } });
    let event = json!({ "api_key": TOKEN, "event": "$identify", "distinct_id": "ann",
        "properties": properties });
    assert_eq!(shop.post("/e/", &event).status, 200);
    assert_eq!(on(&shop, "192.0.2.1:1", json!({})), ["mexico", "unplaced"]);
    assert_eq!(on(&shop, SWEDEN, json!({})), ["city", "post", "sweden"]);
    let disabled = json!({ "geoip_disable": true });
    assert_eq!(on(&shop, SWEDEN, disabled), ["mexico", "unplaced"]);
}
