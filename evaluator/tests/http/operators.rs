//! What operators, their machines and browsers ask.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::shop::{Shop, TOKEN};

#[test]
fn a_node_is_alive_before_it_is_ready() {
    let shop = Shop::open();
    assert_eq!(shop.ask(Method::GET, "/health/ready").json(), json!({ "ready": true }));
    shop.state().unready = Some("12 records behind".to_owned());
    let answer = shop.ask(Method::GET, "/health/ready");
    assert_eq!(answer.status, 503);
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(body, json!({ "ready": false, "reason": "12 records behind" }));
    assert_eq!(shop.ask(Method::GET, "/health/live").status, 200);
}

#[test]
fn checks_and_answers_are_counted() {
    let shop = Shop::open();
    shop.state().coverage.clear();
    shop.flag("ann", "offer");
    shop.ask(Method::GET, "/nowhere");
    shop.post("/flags/?v=2", &json!({ "token": "phc_other" }));
    let counted = shop.ask(Method::GET, "/metrics").text();
    for line in [
        r#"sluice_flag_checks_total{outcome="on"} 1"#,
        r#"sluice_flag_checks_total{outcome="off"} 1"#,
        r#"sluice_flag_checks_total{outcome="failed"} 1"#,
        r#"sluice_flag_failures_total{reason="condition_filling"} 1"#,
        r#"sluice_http_answers_total{route="flags",status="200"} 1"#,
        r#"sluice_http_answers_total{route="flags",status="401"} 1"#,
        r#"sluice_http_answers_total{route="none",status="404"} 1"#,
        r#"sluice_http_request_seconds_count{route="flags"} 2"#,
    ] {
        assert!(counted.lines().any(|counted| counted == line), "{line} in {counted}");
    }
}

#[test]
fn browsers_may_ask_from_anywhere() {
    let shop = Shop::open();
    for path in ["/flags/", "/e/", "/batch"] {
        let preflight = Request::options(path)
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "content-type,sluice-position,sluice-wait-ms",
            );
        let answer = shop.send(preflight.body(Body::empty()).expect("a request"));
        assert_eq!(answer.status, 200);
        let said = |name: &str| answer.header(&format!("access-control-allow-{name}"));
        assert_eq!(said("origin"), Some("https://shop.example"));
        assert_eq!(said("headers"), Some("content-type,sluice-position,sluice-wait-ms"));
        assert_eq!(said("credentials"), Some("true"));
        assert!(said("methods").is_some_and(|methods| methods.contains("POST")));
    }
    let asked = json!({ "token": TOKEN, "distinct_id": "ann" }).to_string();
    let origin = [("origin", "https://shop.example")];
    let answer = shop.post_with("/flags/?v=2", &origin, asked.into_bytes());
    let allowed = answer.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://shop.example"));
    let exposed = answer.header("access-control-expose-headers").expect("some");
    assert!(exposed.contains("sluice-position"), "{exposed}");
    // Operators' routes are not for browsers.
    let answer = shop.send(
        Request::get("/metrics")
            .header("origin", "https://shop.example")
            .body(Body::empty())
            .expect("a request"),
    );
    assert_eq!(answer.header("access-control-allow-origin"), None);
}
