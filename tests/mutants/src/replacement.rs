//! What may stand in place of what: each replacement is a mistake that somebody could make.

/// What an operator is replaced with, each by itself.
pub fn of_operator(operator: &str) -> &'static [&'static str] {
    match operator {
        "<" => &["<=", ">", "=="],
        "<=" => &["<", ">", "=="],
        ">" => &[">=", "<", "=="],
        ">=" => &[">", "<", "=="],
        "==" => &["!="],
        "!=" => &["=="],
        "&&" => &["||"],
        "||" => &["&&"],
        "+" => &["-", "*"],
        "-" => &["+", "/"],
        "*" => &["+", "/"],
        "/" => &["*", "%"],
        "%" => &["/", "+"],
        "&" => &["|", "^"],
        "|" => &["&", "^"],
        "^" => &["|", "&"],
        "<<" => &[">>"],
        ">>" => &["<<"],
        "+=" => &["-="],
        "-=" => &["+="],
        "*=" => &["+="],
        "|=" => &["&=", "^="],
        "&=" => &["|="],
        _ => &[],
    }
}

/// Which methods a method is replaced with. Those that don't fit a type don't compile, and are
/// left out for it.
pub fn of_method(name: &str) -> &'static [&'static str] {
    match name {
        "min" => &["max"],
        "max" => &["min"],
        "min_by_key" => &["max_by_key"],
        "max_by_key" => &["min_by_key"],
        "saturating_add" => &["saturating_sub"],
        "saturating_sub" => &["saturating_add"],
        "checked_add" => &["checked_sub"],
        "checked_sub" => &["checked_add"],
        "wrapping_add" => &["wrapping_sub"],
        "wrapping_sub" => &["wrapping_add"],
        "div_euclid" => &["rem_euclid"],
        "is_lt" => &["is_le"],
        "is_le" => &["is_lt"],
        "is_gt" => &["is_ge"],
        "is_ge" => &["is_gt"],
        "is_eq" => &["is_ne"],
        "is_ne" => &["is_eq"],
        "is_some" => &["is_none"],
        "is_none" => &["is_some"],
        "is_some_and" => &["is_none_or"],
        "is_none_or" => &["is_some_and"],
        "any" => &["all"],
        "all" => &["any"],
        "first" => &["last"],
        "last" => &["first", "next"],
        "next" => &["last"],
        "next_back" => &["next"],
        "pop_first" => &["pop_last"],
        "pop_last" => &["pop_first"],
        _ => &[],
    }
}

/// The numbers beside a number.
pub fn of_number(number: u128) -> impl Iterator<Item = u128> {
    number.checked_add(1).into_iter().chain(number.checked_sub(1))
}
