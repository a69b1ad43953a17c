//! What is wrong with a definition: where, what, and how to mend it.

use std::fmt;

/// A mistake in a definition file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was given.
    pub file: String,
    /// Counted from 1; 0 where the whole file is meant.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {} (fix: {})", self.message, self.fix)
    }
}

/// Where in a file something stands; line 0 is the whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub line: usize,
    pub column: usize,
}

/// The problems of one file as they are found.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    file: &'a str,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub fn of(file: &'a str) -> Self {
        Problems { file, found: Vec::new() }
    }

    pub fn file(&self) -> &'a str {
        self.file
    }

    pub fn add(&mut self, place: Place, message: impl Into<String>, fix: impl Into<String>) {
        self.found.push(Problem {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            message: message.into(),
            fix: fix.into(),
        });
    }

    pub fn into_found(self) -> Vec<Problem> {
        self.found
    }
}

/// The name among `names` that was probably meant.
pub(crate) fn nearest<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let near = names.into_iter().map(|name| {
        let likeness = strsim::jaro_winkler(&wrong, &name.to_lowercase());
        (likeness, name)
    });
    let (likeness, name) = near.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (likeness >= 0.75).then_some(name)
}

/// How many names a suggestion lists.
const NAMES_MAX: usize = 12;

/// The sentence that offers the nearest of `names`, or all of them.
pub fn suggestion<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = nearest(wrong, names.clone()) {
        return format!("did you mean `{name}`?");
    }
    let more = if names.clone().into_iter().nth(NAMES_MAX).is_some() { ", ..." } else { "" };
    let names: Vec<String> =
        names.into_iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "there is none yet".to_owned(),
        [only] => format!("only {only} can stand here"),
        names => format!("one of {}{more}", names.join(", ")),
    }
}
