//! Usage while not all is known.

use schemas::unknown::Unknown;
use serde_json::{Value, json};

use crate::shop::{NOON_MS, Shop};

#[test]
fn what_may_be_missing_is_said() {
    let shop = Shop::open();
    shop.state().calls_since_ms = i64::MIN;
    let ask = || {
        let answer = shop.ask_privately("/api/flags/offer/usage");
        assert_eq!(answer.status, 200);
        let json = answer.json();
        (json["since"].clone(), json["unknown"].clone(), json["now"].clone())
    };
    assert_eq!(ask(), (Value::Null, Value::Null, json!(NOON_MS)));
    shop.state().calls_since_ms = NOON_MS - 7;
    shop.state().unknown = Some(Unknown::CatchingUp);
    assert_eq!(ask(), (json!(NOON_MS - 7), json!("catching_up"), json!(NOON_MS)));
}
