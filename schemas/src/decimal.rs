//! Decimal numbers with a fixed number of places: sums that no order can change.

/// Places after the point; what is finer is rounded half away from zero.
pub const PLACES: u32 = 18;
/// One, in units.
pub const ONE: i128 = 10i128.pow(PLACES);
/// Numbers reach up to here, not included: `10^17`. A sum of them then can't overflow.
const UNITS_MAX: i128 = 10i128.pow(17 + PLACES);

/// A number of units of 10⁻¹⁸, between -10¹⁷ and 10¹⁷.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

impl Decimal {
    /// The number that a JSON number, or a text around which there may be blanks, says.
    pub fn of(value: &serde_json::Value) -> Option<Decimal> {
        match value {
            serde_json::Value::Number(number) => Decimal::parse(&number.to_string()),
            serde_json::Value::String(text) => Decimal::parse(text.trim()),
            _ => None,
        }
    }

    /// Reads `-12.5`, `3e-2` and the like; none for anything else, or beyond the bounds.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        if whole.len() + fraction.len() == 0 || !all().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        // How many of the digits stand before the last place that is kept.
        let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(PLACES);
        let mut units: i128 = 0;
        for (at, digit) in (0i64..).zip(all().map(|digit| i128::from(digit - b'0'))) {
            if at < kept {
                units = units.checked_mul(10)?.checked_add(digit)?;
            } else {
                units += i128::from(at == kept && digit >= 5);
                break;
            }
        }
        let missing = kept - i64::try_from(whole.len() + fraction.len()).ok()?;
        if missing > 0 && units != 0 {
            units = units.checked_mul(10i128.checked_pow(u32::try_from(missing).ok()?)?)?;
        }
        let number = Decimal(if negative { -units } else { units });
        (units < UNITS_MAX).then_some(number)
    }

    /// A whole number.
    pub fn whole(number: u32) -> Decimal {
        Decimal(i128::from(number) * ONE)
    }

    /// How many units of 10⁻¹⁸ it is.
    pub fn units(self) -> i128 {
        self.0
    }
}

/// A number of units of 10⁻¹⁸, written with as many places as it needs.
pub fn written(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let (whole, fraction) =
        (units.unsigned_abs() / ONE as u128, units.unsigned_abs() % ONE as u128);
    let written = format!("{sign}{whole}.{fraction:018}");
    written.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let rows = [
            ("0", Some(0)),
            ("12.5", Some(12 * ONE + ONE / 2)),
            ("-0.1", Some(-ONE / 10)),
            ("+3", Some(3 * ONE)),
            ("1e3", Some(1_000 * ONE)),
            ("25e-1", Some(ONE * 5 / 2)),
            ("1.5E+2", Some(150 * ONE)),
            ("0.0000000000000000014", Some(1)),
            ("0.0000000000000000015", Some(2)),
            ("0.0000000000000000019", Some(2)),
            ("-0.0000000000000000015", Some(-2)),
            ("0.00000000000000001", Some(10)),
            ("1e-300", Some(0)),
            ("99999999999999999", Some((UNITS_MAX / ONE - 1) * ONE)),
            ("100000000000000000", None),
            ("0e999", Some(0)),
            ("1e999", None),
            ("1e99999999999", None),
            ("", None),
            (".", None),
            ("-", None),
            ("1.2.3", None),
            ("0x10", None),
            ("NaN", None),
            ("1 000", None),
        ];
        for (text, units) in rows {
            assert_eq!(Decimal::parse(text).map(Decimal::units), units, "{text}");
        }
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for text in ["0", "12.5", "-0.1", "1000", "99999999999999999", "0.000000000000000001"] {
            let number = Decimal::parse(text).expect("a number");
            assert_eq!(written(number.units()), text);
        }
    }

    #[test]
    fn a_number_sent_as_text_is_a_number() {
        let of = |json: &str| Decimal::of(&serde_json::from_str(json).expect("JSON"));
        assert_eq!(of("0.1"), of("\" 0.10 \""));
        assert_eq!(of("true"), None);
        assert_eq!(of("null"), None);
        assert_eq!(of("\"ten\""), None);
    }
}
