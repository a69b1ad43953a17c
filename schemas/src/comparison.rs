//! How two numbers are compared, and how many entries that takes.

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `<`
    Less,
    /// `<=`
    AtMost,
}

impl Comparison {
    /// Every one; the longer signs come first, because the shorter ones begin them.
    pub const ALL: [Comparison; 6] = [
        Comparison::AtLeast,
        Comparison::AtMost,
        Comparison::NotEqual,
        Comparison::Greater,
        Comparison::Less,
        Comparison::Equal,
    ];

    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
        }
    }

    /// The comparison that `text` begins with, and what follows its sign.
    pub fn split(text: &str) -> Option<(Comparison, &str)> {
        let text = text.trim();
        Comparison::ALL.into_iter().find_map(|comparison| {
            let rest = text.strip_prefix(comparison.sign())?;
            Some((comparison, rest.trim_start()))
        })
    }

    /// Whether `left` compares so with `right`.
    pub fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Greater => left > right,
            Comparison::AtLeast => left >= right,
            Comparison::Less => left < right,
            Comparison::AtMost => left <= right,
        }
    }

    /// How many of the newest entries decide a comparison with `n` exactly.
    pub fn entries_needed(self, n: u16) -> u16 {
        match self {
            Comparison::AtLeast | Comparison::Less => n.max(1),
            _ => n + 1,
        }
    }
}
