//! The list of mutants that are known to survive, each with the reason.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

/// What a reason begins with: nobody could tell, or nobody does.
const KINDS: [&str; 2] = ["equivalent: ", "not told apart: "];

/// Names, and why nothing tells.
pub type Survivors = BTreeMap<String, String>;

/// Reads the list: a name a line, its reason on the next, indented.
pub fn read(list: &str) -> Result<Survivors> {
    let mut survivors = Survivors::new();
    let mut lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    while let Some(name) = lines.next() {
        let reason = lines.next().unwrap_or_default();
        let is_told = KINDS.iter().any(|kind| reason.trim_start().starts_with(kind));
        ensure!(is_told, "{name}: the next line has to begin with one of {KINDS:?}");
        let before = survivors.insert(name.to_owned(), reason.trim_start().to_owned());
        ensure!(before.is_none(), "{name} is listed twice");
    }
    Ok(survivors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survivor_needs_a_reason() {
        let list = "# Why.\n\na: < with <=\n    equivalent: never asked\n";
        let read_back = read(list).expect("a list");
        assert_eq!(read_back["a: < with <="], "equivalent: never asked");
        assert!(read("a: < with <=\nb: < with <=\n").is_err());
        assert!(read(&list.repeat(2)).is_err());
    }
}
