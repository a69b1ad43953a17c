//! Remote configuration, as SDKs fetch it with the project's secret.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::shop::{Answer, Shop};

fn shop() -> Shop {
    let flag = |id: i64, key: &str, more: Value| {
        let mut flag = json!({ "id": id, "key": key, "active": true, "filters": {},
            "is_remote_configuration": true });
        let more = more.as_object().expect("an object").clone();
        flag.as_object_mut().expect("an object").extend(more);
        flag
    };
    let payload = |payload: Value| json!({ "filters": { "payloads": { "true": payload } } });
    let mut plain = payload(json!("1"));
    plain["is_remote_configuration"] = json!(false);
    let mut sealed = payload(json!("c2VjcmV0"));
    sealed["has_encrypted_payloads"] = json!(true);
    let flags = [
        flag(1, "theme", payload(json!(r#"{"dark":true}"#))),
        flag(2, "odd name/ü", payload(json!({ "dark": true }))),
        flag(3, "1", payload(json!("by key"))),
        flag(4, "nothing", json!({})),
        flag(5, "empty", payload(json!(""))),
        flag(6, "plain", plain),
        flag(7, "sealed", sealed),
    ];
    let project = "token: phc_shop\nsecrets: [ phs_shop ]\nteam_id: 12\n";
    let body = json!({ "flags": flags, "cohorts": {} }).to_string();
    let written = "rules:\n  - rollout: 100%\n";
    let zoo = "token: phc_zoo\nsecrets: [ phs_zoo ]\n";
    Shop::with(&[
        ("shop/project.yaml", project),
        ("shop/posthog.json", &body),
        ("shop/flags/written.yaml", written),
        ("zoo/project.yaml", zoo),
    ])
}

fn ask(shop: &Shop, path: &str, secret: &str) -> Answer {
    let request = Request::get(format!("/api/projects/{path}"));
    let request = request.header("authorization", format!("Bearer {secret}"));
    shop.send(request.body(Body::empty()).expect("a request"))
}

#[test]
fn a_payload_is_answered_as_it_is_stored() {
    let shop = shop();
    for (flag, payload) in [
        ("theme", r#""{\"dark\":true}""#),
        ("odd%20name%2F%C3%BC", r#"{"dark":true}"#),
        ("2", r#"{"dark":true}"#),
        ("1", r#""by key""#),
        ("nothing", ""),
        ("empty", ""),
    ] {
        for path in [
            format!("@current/feature_flags/{flag}/remote_config?token=phc_shop"),
            format!("@current/feature_flags/{flag}/remote_config/?token=phc_shop"),
            format!("12/feature_flags/{flag}/remote_config"),
            format!("@current/feature_flags/{flag}/remote_config/"),
        ] {
            let answer = ask(&shop, &path, "phs_shop");
            assert_eq!((answer.status, answer.text().as_str()), (200, payload), "{path}");
            let kind = (!payload.is_empty()).then_some("application/json");
            assert_eq!(answer.header("content-type"), kind, "{path}");
        }
    }
}

#[test]
fn what_is_no_remote_configuration_or_nobodys_business_is_refused() {
    let shop = shop();
    for (path, secret, status, said) in [
        ("@current/feature_flags/theme/remote_config", "phs_zoo", 404, "no flag \"theme\""),
        ("@current/feature_flags/theme/remote_config", "phs_none", 401, "authentication_failed"),
        ("13/feature_flags/theme/remote_config", "phs_shop", 404, "no project \"13\""),
        ("12/feature_flags/theme/remote_config", "phs_zoo", 403, "permission_denied"),
        ("12/feature_flags/theme/remote_config", "phs_none", 401, "authentication_failed"),
        ("@current/feature_flags/theme/remote_config?token=phc_x", "phs_shop", 401, "token"),
        ("@current/feature_flags/theme/remote_config?token=phc_zoo", "phs_shop", 403, "permission"),
        ("12/feature_flags/plain/remote_config", "phs_shop", 404, "no flag \"plain\""),
        ("12/feature_flags/written/remote_config", "phs_shop", 404, "no flag \"written\""),
        ("12/feature_flags/none/remote_config", "phs_shop", 404, "no flag \"none\""),
        ("12/feature_flags/sealed/remote_config", "phs_shop", 400, "encrypted"),
    ] {
        let answer = ask(&shop, path, secret);
        assert_eq!(answer.status, status, "{path} {secret}: {}", answer.text());
        assert!(answer.text().contains(said), "{path}: {}", answer.text());
        assert!(!answer.text().contains("c2VjcmV0"), "{path}");
    }
}
