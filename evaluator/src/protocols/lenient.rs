//! JSON read a second time, leniently: some senders write numbers that JSON hasn't.
//!
//! PostHog reads JSON5 then, of which no SDK sends more than this.

use super::refusal::Refusal;

/// Numbers that JSON hasn't; they stand for null.
const BARE: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// What `read` makes of a text, or where that can't be decoded, of the text without such numbers.
///
/// # Errors
/// As `read`.
pub fn leniently<T>(text: &str, read: impl Fn(&str) -> Result<T, Refusal>) -> Result<T, Refusal> {
    let refusal = match read(text) {
        Err(refusal @ Refusal::Undecodable(_)) => refusal,
        done => return done,
    };
    mended(text).map_or(Err(refusal), |mended| read(&mended))
}

/// The text with null in place of each such number; none if there is none.
fn mended(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut mended, mut from) = (String::new(), 0);
    let (mut at, mut in_text) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            _ => {
                let rest = &bytes[at..];
                if let Some(bare) = BARE.iter().find(|bare| rest.starts_with(bare.as_bytes())) {
                    mended.push_str(&text[from..at]);
                    mended.push_str("null");
                    from = at + bare.len();
                    at = from;
                    continue;
                }
            }
        }
        at += 1;
    }
    (from > 0).then(|| mended + &text[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_outside_text_is_mended() {
        for (text, expected) in [
            (r#"{"a":NaN}"#, Some(r#"{"a":null}"#)),
            (r#"[-Infinity,Infinity, NaN]"#, Some("[null,null, null]")),
            (r#"{"NaN":"\"NaN","ü\\":NaN}"#, Some(r#"{"NaN":"\"NaN","ü\\":null}"#)),
            (r#"{"a":"NaN","b":-1}"#, None),
            (r#"{"a":"NaN"#, None),
            ("\"\\", None),
            ("", None),
        ] {
            assert_eq!(mended(text).as_deref(), expected, "{text}");
        }
    }
}
