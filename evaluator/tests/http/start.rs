//! What posthog-js fetches when it starts.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::shop::{Answer, Shop};

fn from_browser(shop: &Shop, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("origin", "https://shop.example");
    shop.send(request.body(Body::from("{}")).expect("a request"))
}

#[test]
fn the_configuration_leaves_on_what_sluice_has() {
    let shop = Shop::open();
    let answer = from_browser(&shop, Method::GET, "/array/phc_shop/config");
    let allowed = answer.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://shop.example"));
    let config = answer.json();
    assert_eq!(config["token"], "phc_shop");
    assert_eq!(config["hasFeatureFlags"], true);
    assert_eq!(config["supportedCompression"], json!(["gzip", "gzip-js"]));
    assert_eq!(config["autocapture_opt_out"], false);
    assert_eq!(config["analytics"]["endpoint"], "/i/v0/e/");
    let off = [
        "sessionRecording",
        "heatmaps",
        "capturePerformance",
        "isAuthenticated",
        "autocaptureExceptions",
        "productTours",
        "conversations",
    ];
    off.iter().for_each(|key| assert_eq!(config[*key], false, "{key}"));
    assert_eq!(config.get("surveys"), None, "for `false` it would fetch a script that isn't there");
    let without = Shop::with(&[]);
    let config = from_browser(&without, Method::GET, "/array/phc_shop/config").json();
    assert_eq!(config["hasFeatureFlags"], false);
}

#[test]
fn the_same_configuration_comes_as_a_script() {
    let shop = Shop::open();
    let config = from_browser(&shop, Method::GET, "/array/phc_shop/config").json();
    let answer = from_browser(&shop, Method::GET, "/array/phc_shop/config.js");
    assert_eq!(answer.header("content-type"), Some("application/javascript"));
    let script = answer.text();
    let set = r#"window._POSTHOG_REMOTE_CONFIG["phc_shop"] = { config: "#;
    let (_, rest) = script.split_once(set).expect("the project's configuration is set");
    let (json, _) = rest.split_once(", siteApps: [] };").expect("and its site apps");
    assert_eq!(serde_json::from_str::<Value>(json).expect("JSON"), config);
}

#[test]
fn what_sluice_has_not_is_empty() {
    let shop = Shop::open();
    for (path, expected) in [
        ("/api/surveys", json!({ "surveys": [] })),
        ("/api/web_experiments", json!({ "experiments": [] })),
        ("/api/product_tours", json!({ "product_tours": [] })),
    ] {
        for path in [format!("{path}?token=phc_shop"), format!("{path}/?token=phc_shop")] {
            let answer = from_browser(&shop, Method::GET, &path);
            assert_eq!(answer.json(), expected, "{path}");
            assert!(answer.header("access-control-allow-origin").is_some(), "{path}");
        }
    }
    for path in ["/s", "/s/?compression=gzip-js&ip=0"] {
        let answer = from_browser(&shop, Method::POST, path);
        assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"status":1}"#), "{path}");
    }
    assert_eq!(from_browser(&shop, Method::POST, "/s/?beacon=1").status, 204);
    assert_eq!(shop.post_raw("/s/", vec![b'x'; (20 << 20) + 1]).status, 413);
    assert!(shop.log().is_empty(), "recordings are forgotten");
}

#[test]
fn what_is_not_there_says_where_it_is() {
    let shop = Shop::open();
    for path in ["/static/array.js", "/static/1.2.3/recorder.js", "/array/phc_shop/array.js"] {
        let answer = from_browser(&shop, Method::GET, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("posthog-js"), "{path}: {}", answer.text());
    }
    for path in ["/array/phc_other/config", "/array/phc_other/config.js"] {
        let answer = from_browser(&shop, Method::GET, path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.text().contains("authentication_failed"), "{path}");
    }
    for (path, allow) in [
        ("/api/surveys/", "GET, OPTIONS, HEAD"),
        ("/s/", "POST, OPTIONS"),
        ("/e/", "POST, OPTIONS"),
    ] {
        let options = shop.ask(Method::OPTIONS, path);
        assert_eq!((options.status, options.header("allow")), (204, Some(allow)), "{path}");
    }
}

#[test]
fn browsers_may_ask_from_anywhere_and_only_what_is_for_them() {
    let shop = Shop::open();
    let preflight = |path: &str| {
        let request = Request::builder().method(Method::OPTIONS).uri(path);
        let request = request
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,x-own");
        shop.send(request.body(Body::empty()).expect("a request"))
    };
    for path in ["/flags/?v=2", "/decide?v=3", "/array/phc_shop/config", "/e/", "/batch/", "/s/"] {
        let answer = preflight(path);
        let told = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(told("access-control-allow-origin"), "https://shop.example", "{path}");
        assert_eq!(told("access-control-allow-headers"), "content-type,x-own", "{path}");
        assert_eq!(told("access-control-allow-methods"), "GET,POST,OPTIONS", "{path}");
        assert_eq!(told("access-control-allow-credentials"), "true", "{path}");
    }
    for path in ["/flags/definitions?token=phc_shop", "/api/explain", "/api/forget", "/metrics"] {
        let answer = preflight(path);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}
