//! Answers in the shapes that old SDKs ask for, to requests that come from anywhere.

use axum::http::Method;
use schemas::unknown::Unknown;
use serde_json::{Value, json};

use crate::shop::{NOON_MS, Shop, TOKEN};

const BANNER: &str = "variants: { red: 100% }\npayloads: { red: 7 }\nrules:\n  - rollout: 100%\n";

fn ask(shop: &Shop, path: &str) -> Value {
    shop.post(path, &json!({ "token": TOKEN, "distinct_id": "ann" })).json()
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn decide_answers_as_it_did_in_each_version() {
    let shop = Shop::open_beside(&[("shop/flags/banner.yaml", BANNER)]);
    // What fails is false to a legacy SDK, and absent to those before.
    shop.state().unknown = Some(Unknown::CatchingUp);
    let list = json!(["banner", "everybody"]);
    let on = json!({ "banner": "red", "everybody": true });
    let all = json!({ "banner": "red", "everybody": true, "offer": false, "pro": false });
    for (query, values) in [
        ("", &list),
        ("?v=1", &list),
        ("?v=0", &list),
        ("?v=-3", &list),
        ("?v=many", &list),
        ("?v=2.5", &list),
        ("?v=2", &on),
        ("?v=3", &all),
    ] {
        for path in ["/decide", "/decide/"] {
            let answer = ask(&shop, &format!("{path}{query}"));
            assert_eq!(&answer["featureFlags"], values, "{path}{query}");
            assert_eq!(answer["evaluatedAt"], NOON_MS);
            assert!(answer["requestId"].is_string() && answer.get("flags").is_none());
            let is_legacy = query == "?v=3";
            let errors = is_legacy.then_some(&json!(true)).cloned();
            assert_eq!(answer.get("errorsWhileComputingFlags").cloned(), errors, "{query}");
            let payloads = is_legacy.then(|| json!({ "banner": "7" }));
            assert_eq!(answer.get("featureFlagPayloads").cloned(), payloads, "{query}");
        }
    }
    for query in ["?v=4", "?v=99"] {
        let answer = ask(&shop, &format!("/decide{query}"));
        assert_eq!(keys(&answer["flags"]), ["banner", "everybody", "offer", "pro"]);
        assert_eq!(answer["flags"]["offer"]["failed"], true);
        assert_eq!(answer["errorsWhileComputingFlags"], true);
    }
}

#[test]
fn decide_has_the_configuration_unless_it_is_declined() {
    let shop = Shop::open();
    for query in ["", "?v=1", "?v=2", "?v=3", "?v=4", "?v=3&config=true"] {
        let answer = ask(&shop, &format!("/decide{query}"));
        assert_eq!(answer["supportedCompression"], json!(["gzip", "gzip-js"]), "{query}");
        assert_eq!(answer["hasFeatureFlags"], true, "{query}");
        assert_eq!(answer["sessionRecording"], false, "{query}");
    }
    assert_eq!(ask(&shop, "/decide?config=false").get("supportedCompression"), None);
    assert_eq!(ask(&shop, "/flags?v=1").get("supportedCompression"), None);
    let empty = Shop::with(&[("shop/flags/gone.yaml", "active: false\nrules: []\n")]);
    assert_eq!(ask(&empty, "/decide")["hasFeatureFlags"], false);
}

#[test]
fn decide_is_refused_and_counted_as_flags_are() {
    let shop = Shop::open();
    let nobody = shop.post("/decide?v=3", &json!({ "token": "phc_other", "distinct_id": "ann" }));
    assert_eq!(nobody.status, 401);
    assert_eq!(shop.post("/decide?v=3", &json!({ "token": TOKEN })).status, 400);
    assert_eq!(shop.ask(Method::PUT, "/decide").status, 405);
    let preflight = shop.ask(Method::OPTIONS, "/decide/");
    assert_eq!(
        (preflight.status, preflight.header("allow")),
        (204, Some("GET, POST, OPTIONS, HEAD"))
    );
    let counted = shop.ask(Method::GET, "/metrics").text();
    assert!(counted.contains(r#"answers_total{route="flags",status="401"} 1"#), "{counted}");
}

#[test]
fn surveys_may_be_asked_for_alone() {
    let everybody = "rules:\n  - rollout: 100%\n";
    let shop = Shop::open_beside(&[
        ("shop/flags/survey-targeting-1.yaml", everybody),
        ("shop/flags/survey-other.yaml", everybody),
    ]);
    let asked = |query: &str| keys(&ask(&shop, &format!("/flags?v=2{query}"))["flags"]);
    let only = "&only_evaluate_survey_feature_flags";
    assert_eq!(asked(&format!("{only}=true")), ["survey-targeting-1"]);
    assert_eq!(asked(&format!("{only}=1")), ["survey-targeting-1"]);
    for query in ["", only, &format!("{only}=false"), "&detailed_analysis=true&ver=1.2&unheard"] {
        assert_eq!(asked(query).len(), 5, "{query}");
    }
    assert_eq!(shop.state().lookups, 4, "surveys need nothing that is kept");
}

#[test]
fn where_a_request_comes_from_is_read_from_its_headers() {
    let flag = |id: i64, runtime: &str| {
        let filters = json!({ "groups": [] });
        json!({ "id": id, "key": runtime, "evaluation_runtime": runtime, "filters": filters })
    };
    let flags = [flag(1, "all"), flag(2, "client"), flag(3, "server")];
    let body = json!({ "flags": flags, "cohorts": {} }).to_string();
    let shop = Shop::with(&[("shop/posthog.json", &body)]);
    let (client, server, unknown) = (["all", "client"], ["all", "server"], ["all"]);
    let told = |headers: &[(&str, &str)], more: Value| {
        let mut asked = json!({ "token": TOKEN, "distinct_id": "ann" });
        let more = more.as_object().expect("an object").clone();
        asked.as_object_mut().expect("an object").extend(more);
        let answer = shop.post_with("/flags?v=2", headers, asked.to_string().into_bytes()).json();
        keys(&answer["flags"])
    };
    let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36";
    for (headers, expected) in [
        (vec![], unknown.as_slice()),
        (vec![("user-agent", chrome)], &client),
        (vec![("user-agent", "posthog-react-native/3.1")], &client),
        (vec![("user-agent", "posthog-android/3.1 (x)")], &client),
        (vec![("user-agent", "posthog-python/7.91.1")], &server),
        (vec![("user-agent", "posthog-node/5.70.0")], &server),
        (vec![("user-agent", "python-requests/2.32"), ("origin", "https://a")], &server),
        (vec![("user-agent", "curl/8.1")], &server),
        (vec![("user-agent", "posthog-python/"), ("x", "y")], &unknown),
        (vec![("user-agent", "posthog-basic/1")], &unknown),
        (vec![("user-agent", "okhttp/4"), ("origin", "https://a")], &client),
        (vec![("referer", "https://a/b")], &client),
        (vec![("sec-fetch-mode", "cors")], &client),
        (vec![("sec-fetch-site", "same-origin")], &client),
    ] {
        assert_eq!(told(&headers, json!({})), expected, "{headers:?}");
    }
    // What the body says goes before.
    let says =
        |runtime: &str| told(&[("user-agent", chrome)], json!({ "evaluation_runtime": runtime }));
    assert_eq!(says("server"), server);
    assert_eq!(says("toaster"), unknown);
}
