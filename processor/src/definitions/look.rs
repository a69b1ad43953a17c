//! A look at a folder: whether its files may have changed, by what the file system says of them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::files;

/// How many looks after one that found a change take everything for changed: what is written twice
/// within a tick of the file system's clock looks the same, and the slowest clocks tick each two
/// seconds.
const LOOKS_AFTER_CHANGE: u32 = 7;
/// Every so many looks everything is taken for changed, whatever the file system says.
const LOOKS_UNTIL_CERTAIN: u32 = 33;

/// What a folder looked like.
#[derive(Default)]
pub(super) struct Look {
    /// Nothing before the first look, and where the folder couldn't be looked at.
    stamps: Option<Vec<Stamp>>,
    doubtful: u32,
    believed: u32,
}

#[derive(PartialEq)]
struct Stamp {
    path: PathBuf,
    file: (u64, u64),
    bytes: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Look {
    /// Looks again, some time later: whether definitions below may have changed since.
    pub fn may_have_changed(&mut self, folder: &Path) -> bool {
        let stamps = files(folder).ok();
        let stamps =
            stamps.map(|files| files.iter().map(|(path, data)| Stamp::of(path, data)).collect());
        if stamps.is_none() || stamps != self.stamps {
            self.stamps = stamps;
            self.doubtful = LOOKS_AFTER_CHANGE;
        } else {
            self.doubtful = self.doubtful.saturating_sub(1);
        }
        self.believed += 1;
        if self.doubtful == 0 && self.believed < LOOKS_UNTIL_CERTAIN {
            return false;
        }
        self.believed = 0;
        true
    }
}

impl Stamp {
    fn of(path: &Path, data: &Metadata) -> Self {
        Stamp {
            path: path.to_owned(),
            file: (data.dev(), data.ino()),
            bytes: data.size(),
            written: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{rename, write};

    use super::*;

    /// Looks until nothing is in doubt.
    fn settled(folder: &Path) -> Look {
        let mut look = Look::default();
        let looks = (0..).take_while(|_| look.may_have_changed(folder)).count();
        assert!(looks > 1, "what was written twice at once is seen");
        look
    }

    #[test]
    fn what_is_saved_renamed_or_removed_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let (flag, other) = (folder.join("flag.yaml"), folder.join("other.yaml"));
        write(&flag, "rules: []").expect("saved");
        type Change<'c> = &'c dyn Fn() -> std::io::Result<()>;
        let changes: [(&str, Change<'_>); 4] = [
            ("saved at another length", &|| write(&flag, "rules: [ ]")),
            ("new", &|| write(&other, "rules: []")),
            ("put in the place of another", &|| rename(&other, &flag)),
            ("removed", &|| std::fs::remove_file(&flag)),
        ];
        for (what, change) in changes {
            let mut look = settled(folder);
            assert!(!look.may_have_changed(folder), "nothing has happened");
            change().expect(what);
            assert!(look.may_have_changed(folder), "{what}");
        }
    }

    #[test]
    fn what_a_file_system_hides_is_found_in_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut look = settled(folder.path());
        assert!((0..LOOKS_UNTIL_CERTAIN).any(|_| look.may_have_changed(folder.path())));
    }

    #[test]
    fn a_folder_that_is_gone_is_read_to_say_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut look = settled(folder.path());
        let gone = folder.path().join("gone");
        assert!((0..LOOKS_UNTIL_CERTAIN).all(|_| look.may_have_changed(&gone)));
    }
}
