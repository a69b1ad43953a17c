//! Rollout by hash, as PostHog does it, so that nobody changes sides when a host name changes.

use schemas::flag::Variant;
use sha1::{Digest, Sha1};

/// 15 hex digits of ones; as a binary64 it is exactly 2^60.
const SCALE: f64 = 0x0FFF_FFFF_FFFF_FFFF_u64 as f64;

/// Where `<flag key>.<identifier><salt>` falls between 0 and 1. An empty identifier is at 0.
pub fn hash(flag_key: &str, identifier: &str, salt: &str) -> f64 {
    if identifier.is_empty() {
        return 0.0;
    }
    let mut digest = Sha1::new();
    digest.update(flag_key);
    digest.update(".");
    digest.update(identifier);
    digest.update(salt);
    let digest = digest.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    (u64::from_be_bytes(first) >> 4) as f64 / SCALE
}

/// Whether the identifier is within the rollout; the boundary is.
pub fn is_within(flag_key: &str, identifier: &str, rollout_percent: f64) -> bool {
    rollout_percent >= 100.0 || hash(flag_key, identifier, "") <= rollout_percent / 100.0
}

/// The variant that the identifier falls on; none if the shares don't reach so far.
pub fn variant<'a>(flag_key: &str, identifier: &str, variants: &'a [Variant]) -> Option<&'a str> {
    if variants.is_empty() {
        return None;
    }
    let at = hash(flag_key, identifier, "variant");
    let mut end = 0.0;
    for variant in variants {
        end += variant.percent / 100.0;
        if at < end {
            return Some(&variant.key);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors() {
        for (key, identifier, salt, expected) in [
            ("beta-search", "user-17", "", 0.009_101_217_133_290_002),
            ("checkout-layout", "user-61", "variant", 0.569_825_222_454_771_3),
            ("org-dashboard", "42", "", 0.599_746_605_166_016_7),
            ("beta-search", "ünïcødé-😀", "", 0.741_521_257_800_715_2),
        ] {
            assert_eq!(hash(key, identifier, salt), expected, "{key}.{identifier}{salt}");
        }
    }

    #[test]
    fn shares_decide_in_their_order() {
        let variant_of = |percents: [f64; 2]| {
            let [a, b] = percents;
            let variants =
                [("a", a), ("b", b)].map(|(key, percent)| Variant { key: key.to_owned(), percent });
            variant("checkout-layout", "user-61", &variants).map(str::to_owned)
        };
        assert_eq!(variant_of([57.0, 43.0]).as_deref(), Some("a"));
        assert_eq!(variant_of([56.0, 44.0]).as_deref(), Some("b"));
        assert_eq!(variant_of([20.0, 20.0]), None);
    }

    #[test]
    fn a_full_rollout_needs_no_hash_and_nobody_is_at_zero() {
        assert!(is_within("any", "", 0.0));
        assert!(is_within("beta-search", "user-17", 0.92));
        assert!(!is_within("beta-search", "user-17", 0.91));
    }
}
