//! Rollout by hash, as PostHog does it, so that nobody changes sides when a host name changes.

use schemas::flag::{Holdout, Variant};
use sha1::{Digest, Sha1};

/// 15 hex digits of ones; as a binary64 it is exactly 2^60.
const SCALE: f64 = 0x0FFF_FFFF_FFFF_FFFF_u64 as f64;

/// Where `<seed>.<identifier><salt>` falls between 0 and 1; a flag's seed is its key, unless it
/// says another. An empty identifier is at 0.
pub fn hash(seed: &str, identifier: &str, salt: &str) -> f64 {
    if identifier.is_empty() {
        return 0.0;
    }
    hash_of(&[seed, ".", identifier, salt])
}

/// Whether the identifier is held out; every flag that has the holdout asks the same, and an empty
/// identifier falls somewhere like any other.
pub fn is_held_out(holdout: &Holdout, identifier: &str) -> bool {
    let percent = holdout.percent;
    percent >= 100.0 || hash_of(&[&holdout.seed, identifier]) <= percent / 100.0
}

fn hash_of(parts: &[&str]) -> f64 {
    let mut digest = Sha1::new();
    parts.iter().for_each(|part| digest.update(part));
    let digest = digest.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    (u64::from_be_bytes(first) >> 4) as f64 / SCALE
}

/// Whether the identifier is within the rollout; the boundary is.
pub fn is_within(seed: &str, identifier: &str, rollout_percent: f64) -> bool {
    rollout_percent >= 100.0 || hash(seed, identifier, "") <= rollout_percent / 100.0
}

/// The variant that the identifier falls on; none if the shares don't reach so far.
pub fn variant<'a>(seed: &str, identifier: &str, variants: &'a [Variant]) -> Option<&'a Variant> {
    if variants.is_empty() {
        return None;
    }
    let at = hash(seed, identifier, "variant");
    let mut end = 0.0;
    for variant in variants {
        end += variant.percent / 100.0;
        if at < end {
            return Some(variant);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(key: &str, percent: f64) -> Variant {
        Variant { key: key.to_owned(), percent, value: None }
    }

    /// Nobody's hash is zero, and a variant of no share has nobody.
    #[test]
    fn a_variant_begins_where_the_one_before_ends() {
        let variant_of = |shares: [f64; 2]| {
            let named = ["a", "b"].into_iter().zip(shares);
            let variants: Vec<Variant> = named.map(|(key, percent)| arm(key, percent)).collect();
            variant("flag", "", &variants).map(|variant| variant.key.clone())
        };
        assert_eq!(variant_of([0.0, 100.0]).as_deref(), Some("b"));
        assert_eq!(variant_of([1.0, 99.0]).as_deref(), Some("a"));
    }

    #[test]
    fn the_published_vectors() {
        for (key, identifier, salt, expected) in [
            ("beta-search", "user-17", "", 0.009_101_217_133_290_002),
            ("checkout-layout", "user-61", "variant", 0.569_825_222_454_771_3),
            ("org-dashboard", "42", "", 0.599_746_605_166_016_7),
            ("beta-search", "ünïcødé-😀", "", 0.741_521_257_800_715_2),
            // Of a seed apart from the key, by Python's hashlib:
            // int(sha1(b"spring-sale.annvariant").hexdigest()[:15], 16) / 2**60
            ("spring-sale", "ann", "", 0.046_111_336_254_334_04),
            ("spring-sale", "ann", "variant", 0.617_409_983_050_200_2),
            ("checkout-2026", "ann", "variant", 0.476_247_480_098_833_05),
        ] {
            assert_eq!(hash(key, identifier, salt), expected, "{key}.{identifier}{salt}");
        }
    }

    #[test]
    fn the_published_vectors_of_holdouts() {
        for (identifier, expected) in
            [("user-31", 0.019_474_541_300_759_9), ("", 0.926_882_948_392_029_4)]
        {
            assert_eq!(hash_of(&["holdout-", identifier]), expected, "holdout-{identifier}");
        }
        let is_held_out = |identifier: &str, percent| {
            let (variant, seed) = ("holdout-1".to_owned(), "holdout-".to_owned());
            is_held_out(&Holdout { variant, percent, seed }, identifier)
        };
        assert!(is_held_out("user-31", 2.0) && !is_held_out("user-31", 1.9));
        assert!(is_held_out("", 100.0) && !is_held_out("", 0.0));
        // The edge is in, as that of a rollout is.
        let edge = hash_of(&["holdout-", "user-31"]) * 100.0;
        assert_eq!(edge / 100.0, hash_of(&["holdout-", "user-31"]));
        assert!(is_held_out("user-31", edge));
    }

    #[test]
    fn shares_decide_in_their_order() {
        let variant_of = |percents: [f64; 2]| {
            let [a, b] = percents;
            let variants = [arm("a", a), arm("b", b)];
            let variant = variant("checkout-layout", "user-61", &variants);
            variant.map(|variant| variant.key.clone())
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
