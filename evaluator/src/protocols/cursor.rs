//! The cursor of a list: the instant it is about, and the place where it goes on.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemas::scan::Place;
use sha1::{Digest, Sha1};

const NOW_BYTES: usize = size_of::<i64>();
const SEAL_BYTES: usize = 8;
/// The longest text that is read as one: an id has at most 200 characters.
const CHARS_MAX: usize = 2_048;

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The instant that everybody is asked about, in epoch milliseconds.
    pub now_ms: i64,
    /// After this place.
    pub after: Place,
}

impl Cursor {
    /// The cursor as text. `list` tells what is listed: it opens no other list.
    pub fn written(&self, list: &str) -> String {
        let mut bytes = self.now_ms.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.after.0);
        let seal = seal(&bytes, list);
        bytes.extend_from_slice(&seal);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor that is written so; none if it is damaged, or another list's.
    pub fn read(text: &str, list: &str) -> Option<Cursor> {
        let text = Some(text).filter(|text| text.len() <= CHARS_MAX)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (told, sealed) = bytes.split_last_chunk::<SEAL_BYTES>()?;
        if seal(told, list) != *sealed {
            return None;
        }
        let (now, after) = told.split_first_chunk::<NOW_BYTES>()?;
        Some(Cursor { now_ms: i64::from_be_bytes(*now), after: Place(after.to_vec()) })
    }
}

fn seal(bytes: &[u8], list: &str) -> [u8; SEAL_BYTES] {
    let digest = Sha1::new().chain_update(bytes).chain_update(list).finalize();
    std::array::from_fn(|at| digest[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_its_own_list_whole_and_no_other() {
        let cursor = Cursor { now_ms: -7, after: Place(vec![1, 2, 3, 255]) };
        let text = cursor.written("shop/hesitating");
        assert_eq!(Cursor::read(&text, "shop/hesitating"), Some(cursor));
        assert_eq!(Cursor::read(&text, "shop/leaving"), None);
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).expect("text");
            assert_eq!(Cursor::read(&damaged, "shop/hesitating"), None, "at {at}");
            assert_eq!(Cursor::read(&text[..at], "shop/hesitating"), None, "cut at {at}");
        }
    }
}
