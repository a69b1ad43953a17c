//! A file written anew, with its mutants behind their numbers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use crate::site::{Piece, Site};

/// What becomes of a file.
pub struct Rewritten {
    pub text: String,
    /// Where in the text each mutant is.
    arms: Vec<(Range<usize>, u32)>,
    /// Where in the text the sites are, with the numbers of their mutants.
    sites: Vec<(Range<usize>, Range<u32>)>,
}

/// Writes a file anew, without the mutants that are left out.
pub fn rewrite(source: &str, sites: &[Site], left_out: &BTreeSet<u32>) -> Rewritten {
    let out = Rewritten { text: String::new(), arms: Vec::new(), sites: Vec::new() };
    let mut writer = Writer { source, sites, left_out, out };
    writer.copy(0..source.len(), 0);
    writer.out
}

impl Rewritten {
    /// The mutant that a part of the text lies in.
    pub fn mutant_at(&self, part: &Range<usize>) -> Option<u32> {
        let around = self.arms.iter().find(|(range, _)| is_around(range, part));
        around.map(|(_, number)| *number)
    }

    /// The mutants of the innermost site that a part of the text lies in.
    pub fn site_at(&self, part: &Range<usize>) -> Option<Range<u32>> {
        let around = self.sites.iter().filter(|(range, _)| is_around(range, part));
        around.min_by_key(|(range, _)| range.len()).map(|(_, numbers)| numbers.clone())
    }
}

fn is_around(range: &Range<usize>, part: &Range<usize>) -> bool {
    range.start <= part.start && part.end <= range.end
}

struct Writer<'s> {
    source: &'s str,
    sites: &'s [Site],
    left_out: &'s BTreeSet<u32>,
    out: Rewritten,
}

impl Writer<'_> {
    /// Copies a part of the source, with the sites in it from the index on.
    fn copy(&mut self, part: Range<usize>, from: usize) {
        let (source, sites) = (self.source, self.sites);
        let mut done = part.start;
        for (at, site) in sites.iter().enumerate().skip(from) {
            if site.range.start < done || site.range.end > part.end {
                continue;
            }
            self.out.text.push_str(&source[done..site.range.start]);
            self.write(at, site);
            done = site.range.end;
        }
        self.out.text.push_str(&source[done..part.end]);
    }

    fn write(&mut self, at: usize, site: &Site) {
        let count = u32::try_from(site.replacements.len()).expect("a site has a few");
        let numbers = site.first..site.first + count;
        let built = numbers.clone().zip(&site.replacements);
        let built: Vec<_> = built.filter(|(number, _)| !self.left_out.contains(number)).collect();
        let begin = self.out.text.len();
        if !built.is_empty() {
            let _ =
                write!(self.out.text, "(match crate::mutant::chosen({}, {count}) {{", site.first);
        }
        for (number, replacement) in &built {
            let _ = write!(self.out.text, "\n{number} => {{ ");
            let start = self.out.text.len();
            for piece in &replacement.pieces {
                self.out.text.push_str(match piece {
                    Piece::Text(text) => text,
                    Piece::Source(range) => &self.source[range.clone()],
                });
            }
            self.out.arms.push((start..self.out.text.len(), *number));
            // On a line of its own, since the source may end in a comment.
            self.out.text.push_str("\n}");
        }
        if !built.is_empty() {
            self.out.text.push_str("\n_ => ");
        }
        for piece in &site.original {
            match piece {
                Piece::Text(text) => self.out.text.push_str(text),
                Piece::Source(range) => self.copy(range.clone(), at + 1),
            }
        }
        if !built.is_empty() {
            self.out.text.push_str("})");
            self.out.sites.push((begin..self.out.text.len(), numbers));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site;

    fn check(source: &str, left_out: &[u32], expected: &str) -> Rewritten {
        let sites = site::find(source, 1).expect("Rust");
        let rewritten = rewrite(source, &sites, &left_out.iter().copied().collect());
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(squeezed(&rewritten.text), squeezed(expected));
        rewritten
    }

    #[test]
    fn each_mutant_is_an_arm_and_what_is_inside_is_changed_where_it_was() {
        check(
            "fn is_new(a: u8) -> bool { !(a < 7) }",
            &[],
            "fn is_new(a: u8) -> bool { (match crate::mutant::chosen(1, 1) {
               1 => { (a < 7) }
               _ => !((match crate::mutant::chosen(2, 3) {
                 2 => { (a) <= (7) } 3 => { (a) > (7) } 4 => { (a) == (7) }
                 _ => (a) < ((match crate::mutant::chosen(5, 2) {
                   5 => { 8 } 6 => { 6 } _ => 7})) })) }) }",
        );
    }

    #[test]
    fn constants_tests_and_macros_stay_as_they_are() {
        let source = "const A: u8 = 1 + 2; #[cfg(test)] mod tests { fn a() { 1 < 2; } }
            fn a() -> [u8; 4] { assert!(1 < 2); }";
        check(source, &[], source);
    }

    #[test]
    fn what_does_not_compile_is_found_by_where_that_is_told() {
        let expected = "fn a() { (match crate::mutant::chosen(1, 1) {
            1 => { b.max(c) } _ => b.min(c)}) }";
        let rewritten = check("fn a() { b.min(c) }", &[], expected);
        let place = |text: &str| {
            let start = rewritten.text.find(text).expect("a part of it");
            start..start + text.len()
        };
        assert_eq!(rewritten.mutant_at(&place("max")), Some(1));
        assert_eq!(rewritten.mutant_at(&place("b.min")), None);
        assert_eq!(rewritten.site_at(&place("b.min")), Some(1..2));
        assert_eq!(rewritten.site_at(&place("fn")), None);
        check("fn a() { b.min(c) }", &[1], "fn a() { b.min(c) }");
    }
}
