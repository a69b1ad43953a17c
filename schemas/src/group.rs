//! A group: what people belong to together, such as a company, named by its type and its key.

/// The event that sets properties of a group: `$group_set`, of the group that `$group_type` and
/// `$group_key` name.
pub const EVENT: &str = "$groupidentify";

/// The longest type, and the longest key, of which anything is kept, in Unicode scalar values, as
/// at PostHog.
pub const NAME_CHARS_MAX: usize = 400;

/// A group of one project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group<'a> {
    /// What kind of group, such as `company`.
    pub of: &'a str,
    /// Which one.
    pub key: &'a str,
}

impl<'a> Group<'a> {
    /// The group of this type and key; none where either is empty, or longer than is kept.
    pub fn named(of: &'a str, key: &'a str) -> Option<Self> {
        // What is as long in bytes isn't longer in characters.
        let is_kept = |name: &str| {
            let is_long = name.len() > NAME_CHARS_MAX && name.chars().count() > NAME_CHARS_MAX;
            !name.is_empty() && !is_long
        };
        (is_kept(of) && is_kept(key)).then_some(Group { of, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_type_and_a_key_that_are_not_too_long() {
        let long = "é".repeat(NAME_CHARS_MAX);
        assert_eq!(Group::named("company", &long), Some(Group { of: "company", key: &long }));
        for (of, key) in [("", "acme"), ("company", ""), ("company", &format!("{long}é"))] {
            assert_eq!(Group::named(of, key), None, "{of:?} {key:?}");
        }
    }
}
