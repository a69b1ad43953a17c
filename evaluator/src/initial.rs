//! `$initial_*`: where a person's first value of a property isn't known, the present one stands in.

/// The properties that have an initial value, without `$`: PostHog's, of campaigns and of clients
/// (`posthog.md` 4.4).
const OF_CAMPAIGNS: [&str; 24] = [
    "_kx",
    "dclid",
    "epik",
    "fbclid",
    "gad_source",
    "gbraid",
    "gclid",
    "gclsrc",
    "igshid",
    "irclid",
    "li_fat_id",
    "mc_cid",
    "msclkid",
    "qclid",
    "rdt_cid",
    "sccid",
    "ttclid",
    "twclid",
    "utm_campaign",
    "utm_content",
    "utm_medium",
    "utm_source",
    "utm_term",
    "wbraid",
];
const OF_CLIENTS: [&str; 19] = [
    "$app_build",
    "$app_name",
    "$app_namespace",
    "$app_version",
    "$browser",
    "$browser_version",
    "$current_url",
    "$device_type",
    "$os",
    "$os_name",
    "$os_version",
    "$pathname",
    "$raw_user_agent",
    "$referrer",
    "$referring_domain",
    "$screen_height",
    "$screen_width",
    "$viewport_height",
    "$viewport_width",
];

/// The property that stands in for this one, if it is an initial one.
pub fn counterpart(key: &str) -> Option<&'static str> {
    let name = key.strip_prefix("$initial_")?;
    let of_campaigns = OF_CAMPAIGNS.iter().find(|plain| **plain == name);
    of_campaigns.or_else(|| OF_CLIENTS.iter().find(|plain| plain[1..] == *name)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initial_property_has_a_plain_one() {
        assert_eq!(counterpart("$initial_utm_source"), Some("utm_source"));
        assert_eq!(counterpart("$initial_browser"), Some("$browser"));
        for key in ["$browser", "$initial_plan", "$initial_", "initial_browser"] {
            assert_eq!(counterpart(key), None, "{key}");
        }
    }
}
