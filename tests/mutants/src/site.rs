//! The places of a file at which something can be replaced.

use std::cmp::Reverse;
use std::ops::Range;

use anyhow::{Context, Result};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, BinOp, Expr, Lit, Meta, Pat, UnOp};

use crate::replacement;

/// An expression that is written anew, with one arm for each of its mutants.
pub struct Site {
    /// The number of its first mutant; the others follow.
    pub first: u32,
    /// The bytes of the source that it takes.
    pub range: Range<usize>,
    /// Line and column of what is replaced, both from 1.
    pub at: (usize, usize),
    pub function: String,
    /// What stands there if none of its mutants is alive.
    pub original: Vec<Piece>,
    pub replacements: Vec<Replacement>,
}

/// One mutant of a site.
pub struct Replacement {
    /// Such as `< with <=`.
    pub what: String,
    pub pieces: Vec<Piece>,
}

/// What an arm is put together from.
#[derive(Clone)]
pub enum Piece {
    Text(String),
    Source(Range<usize>),
}

use Piece::{Source, Text};

/// The sites of a file, outermost first, with numbers from `first` on.
pub fn find(source: &str, first: u32) -> Result<Vec<Site>> {
    let file = syn::parse_file(source).context("no Rust that syn reads")?;
    let mut finder = Finder { source, functions: Vec::new(), sites: Vec::new() };
    finder.visit_file(&file);
    let mut sites = finder.sites;
    sites.sort_by_key(|site| (site.range.start, Reverse(site.range.end)));
    let mut next = first;
    for site in &mut sites {
        site.first = next;
        next += u32::try_from(site.replacements.len())?;
    }
    Ok(sites)
}

struct Finder<'s> {
    source: &'s str,
    /// The functions that are being read, innermost last.
    functions: Vec<String>,
    sites: Vec<Site>,
}

impl Finder<'_> {
    fn add(&mut self, place: (Range<usize>, Span), original: Vec<Piece>, to: Vec<Replacement>) {
        if to.is_empty() {
            return;
        }
        let (range, replaced) = place;
        let start = replaced.start();
        self.sites.push(Site {
            first: 0,
            range,
            at: (start.line, start.column + 1),
            function: self.functions.last().cloned().unwrap_or_default(),
            original,
            replacements: to,
        });
    }

    fn inside(&mut self, function: &syn::Ident, read: impl FnOnce(&mut Self)) {
        self.functions.push(function.to_string());
        read(self);
        self.functions.pop();
    }

    fn add_guard(&mut self, guard: &Expr) {
        if has_let(guard) {
            return;
        }
        let to = ["true", "false"].map(|text| Replacement {
            what: format!("guard with {text}"),
            pieces: vec![Text(text.into())],
        });
        let range = range(guard);
        self.add((range.clone(), guard.span()), vec![Source(range)], to.into());
    }
}

/// Constants aren't looked into: which mutant is alive is known only when the program runs. Nor are
/// macros, whose insides aren't always expressions, and patterns.
impl<'a> Visit<'a> for Finder<'_> {
    fn visit_attribute(&mut self, _: &'a Attribute) {}
    fn visit_type(&mut self, _: &'a syn::Type) {}
    fn visit_generic_argument(&mut self, _: &'a syn::GenericArgument) {}
    fn visit_item_const(&mut self, _: &'a syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'a syn::ItemStatic) {}
    fn visit_item_enum(&mut self, _: &'a syn::ItemEnum) {}
    fn visit_impl_item_const(&mut self, _: &'a syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'a syn::TraitItemConst) {}
    fn visit_expr_const(&mut self, _: &'a syn::ExprConst) {}

    fn visit_expr_repeat(&mut self, repeat: &'a syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        if !is_test(&function.attrs) && function.sig.constness.is_none() {
            self.inside(&function.sig.ident, |finder| visit::visit_item_fn(finder, function));
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        if !is_test(&function.attrs) && function.sig.constness.is_none() {
            self.inside(&function.sig.ident, |finder| visit::visit_impl_item_fn(finder, function));
        }
    }

    fn visit_trait_item_fn(&mut self, function: &'a syn::TraitItemFn) {
        self.inside(&function.sig.ident, |finder| visit::visit_trait_item_fn(finder, function));
    }

    fn visit_pat(&mut self, pattern: &'a Pat) {
        if let Pat::Guard(guarded) = pattern {
            self.add_guard(&guarded.guard);
            self.visit_expr(&guarded.guard);
        }
    }

    fn visit_expr_binary(&mut self, binary: &'a syn::ExprBinary) {
        let (left, right) = (range(&binary.left), range(&binary.right));
        // Where something is bound, what follows may use it, and can't go into an arm.
        if !has_let(&binary.left) && !has_let(&binary.right) {
            let operator = &self.source[range(binary.op)];
            let with = |operator: &str| {
                let sides = (Source(left.clone()), Source(right.clone()));
                match assigns(&binary.op) {
                    true => vec![sides.0, Text(format!(" {operator} ")), sides.1],
                    false => vec![
                        Text("(".into()),
                        sides.0,
                        Text(format!(") {operator} (")),
                        sides.1,
                        Text(")".into()),
                    ],
                }
            };
            let to = replacement::of_operator(operator).iter().map(|other| Replacement {
                what: format!("{operator} with {other}"),
                pieces: with(other),
            });
            let to = to.collect();
            self.add((range(binary), binary.op.span()), with(operator), to);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'a syn::ExprUnary) {
        if matches!(unary.op, UnOp::Not(_)) {
            let inner = Source(range(&unary.expr));
            let original = vec![Text("!".into()), inner.clone()];
            let to = Replacement { what: "! with nothing".into(), pieces: vec![inner] };
            self.add((range(unary), unary.span()), original, vec![to]);
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_lit(&mut self, literal: &'a syn::ExprLit) {
        let Lit::Int(int) = &literal.lit else { return };
        let Ok(number) = int.base10_parse::<u128>() else { return };
        let to = replacement::of_number(number).map(|other| Replacement {
            what: format!("{number} with {other}"),
            pieces: vec![Text(format!("{other}{}", int.suffix()))],
        });
        let range = range(literal);
        self.add((range.clone(), literal.span()), vec![Source(range)], to.collect());
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        let (whole, name) = (range(call), range(&call.method));
        let with = |method: &str| {
            let before = Source(whole.start..name.start);
            vec![before, Text(method.to_owned()), Source(name.end..whole.end)]
        };
        let method = &self.source[name.clone()];
        let to = replacement::of_method(method).iter().map(|other| Replacement {
            what: format!(".{method} with .{other}"),
            pieces: with(other),
        });
        let to = to.collect();
        self.add((whole.clone(), call.method.span()), with(method), to);
        visit::visit_expr_method_call(self, call);
    }
}

fn range(part: impl Spanned) -> Range<usize> {
    part.span().byte_range()
}

fn has_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

fn assigns(operator: &BinOp) -> bool {
    use BinOp::{AddAssign, BitAndAssign, BitOrAssign, MulAssign, SubAssign};
    matches!(
        operator,
        AddAssign(_) | BitAndAssign(_) | BitOrAssign(_) | MulAssign(_) | SubAssign(_)
    )
}

/// Whether it's there for tests alone: `#[test]`, `#[cfg(test)]` and the like.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string().contains("test"),
        Meta::NameValue(_) => false,
    })
}
