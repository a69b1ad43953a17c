//! The copy of the repository that mutants are built in.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A copy of a repository.
pub struct Tree {
    pub from: PathBuf,
    pub to: PathBuf,
}

/// What stands in the copy in place of a file's text, by where the file is.
pub type Changes = BTreeMap<PathBuf, String>;

impl Tree {
    /// Brings the copy up to date. What is as it was stays untouched, so that it isn't built anew.
    pub fn bring(&self, changes: &Changes) -> io::Result<()> {
        let mut paths = files(&self.from, Path::new(""))?;
        for path in &paths {
            if !changes.contains_key(path) {
                self.put(path, &fs::read(self.from.join(path))?)?;
            }
        }
        for (path, text) in changes {
            self.put(path, text.as_bytes())?;
            paths.insert(path.clone());
        }
        for path in files(&self.to, Path::new(""))?.difference(&paths) {
            if path != Path::new("Cargo.lock") {
                fs::remove_file(self.to.join(path))?;
            }
        }
        Ok(())
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let path = self.to.join(path);
        if fs::read(&path).is_ok_and(|before| before == bytes) {
            return Ok(());
        }
        fs::create_dir_all(path.parent().expect("a file lies in a folder"))?;
        fs::write(path, bytes)
    }
}

/// The files in a folder, without what is hidden, built or installed.
fn files(root: &Path, folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return Ok(found) };
    for entry in entries {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let skipped = [".git", "target", "node_modules", ".sluice"].map(OsStr::new);
        let path = folder.join(&name);
        if kind.is_dir() && !skipped.contains(&name.as_os_str()) {
            found.extend(files(root, &path)?);
        } else if kind.is_file() && name != ".git" {
            found.insert(path);
        }
    }
    Ok(found)
}
