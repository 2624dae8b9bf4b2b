//! Numbers of four types, as one.
//!
//! What is an integer of 64 bits is written as such. Every other number that a decimal of 34 digits can be equal to is written as sign,
//! coefficient and exponent of ten, without zeros at the end; doubles that no decimal is equal to, as their bits.

use bson::spec::ElementType;

const INTEGER: u8 = ElementType::Int64 as u8;
const DECIMAL: u8 = ElementType::Decimal128 as u8;
const DOUBLE: u8 = ElementType::Double as u8;
/// Of `DECIMAL`, in the place of a sign.
const NOT_A_NUMBER: u8 = 2;
const INFINITE: u8 = 3;
const MINUS_INFINITE: u8 = 4;

/// The largest coefficient of a decimal, and one more: 34 digits.
const COEFFICIENT_END: u128 = 10_u128.pow(34);
const EXPONENT_BIAS: i32 = 6176;

pub(super) fn append_integer(number: i64, key: &mut Vec<u8>) {
    key.push(INTEGER);
    key.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn append_double(number: f64, key: &mut Vec<u8>) {
    if number.is_nan() {
        return key.extend_from_slice(&[DECIMAL, NOT_A_NUMBER]);
    }
    if number.is_infinite() {
        return key.extend_from_slice(&[DECIMAL, if number > 0.0 { INFINITE } else { MINUS_INFINITE }]);
    }
    // 2^63 itself is not an i64 any more; its negative is.
    if number.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        return append_integer(number as i64, key);
    }
    match as_decimal(number.abs()) {
        Some((coefficient, exponent)) => append_exact(number < 0.0, coefficient, exponent, key),
        None => {
            key.push(DOUBLE);
            key.extend_from_slice(&number.to_bits().to_le_bytes());
        }
    }
}

/// The coefficient and exponent of ten that are exactly `number` (finite, not negative), if a decimal has room for them.
fn as_decimal(number: f64) -> Option<(u128, i32)> {
    let bits = number.to_bits();
    let (fraction, raw) = (bits & ((1 << 52) - 1), i32::try_from(bits >> 52).ok()?);
    // number = mantissa * 2^power
    let (mut mantissa, mut power) = if raw == 0 { (fraction, -1074) } else { (fraction | 1 << 52, raw - 1075) };
    let zeros = i32::try_from(mantissa.trailing_zeros()).ok()?;
    if power < 0 {
        let halved = zeros.min(-power);
        mantissa >>= halved;
        power += halved;
    }
    let mut exponent = 0;
    let coefficient = if power < 0 {
        // m / 2^n = m * 5^n / 10^n
        exponent = power;
        5_u128.checked_pow(power.unsigned_abs())?.checked_mul(u128::from(mantissa))?
    } else {
        while power > 0 && mantissa.is_multiple_of(5) {
            (mantissa, power, exponent) = (mantissa / 5, power - 1, exponent + 1);
        }
        2_u128.checked_pow(power.unsigned_abs())?.checked_mul(u128::from(mantissa))?
    };
    (coefficient < COEFFICIENT_END).then_some((coefficient, exponent))
}

/// `bytes` are a Decimal128 in the binary encoding of integers (BID), least first.
pub(super) fn append_decimal(bytes: [u8; 16], key: &mut Vec<u8>) {
    let bits = u128::from_le_bytes(bytes);
    let negative = bits >> 127 == 1;
    match (bits >> 122) & 0b11111 {
        0b11111 => key.extend_from_slice(&[DECIMAL, NOT_A_NUMBER]),
        0b11110 => key.extend_from_slice(&[DECIMAL, if negative { MINUS_INFINITE } else { INFINITE }]),
        // The long form means a coefficient of more than 34 digits, which counts as zero.
        combination if combination >> 3 == 0b11 => append_integer(0, key),
        _ => {
            let exponent = i32::try_from((bits >> 113) & 0x3fff).unwrap_or(0) - EXPONENT_BIAS;
            let coefficient = bits & ((1 << 113) - 1);
            append_exact(negative, if coefficient < COEFFICIENT_END { coefficient } else { 0 }, exponent, key);
        }
    }
}

fn append_exact(negative: bool, mut coefficient: u128, mut exponent: i32, key: &mut Vec<u8>) {
    if coefficient == 0 {
        return append_integer(0, key);
    }
    while coefficient.is_multiple_of(10) {
        (coefficient, exponent) = (coefficient / 10, exponent + 1);
    }
    if let Some(number) = as_integer(negative, coefficient, exponent) {
        return append_integer(number, key);
    }
    key.extend_from_slice(&[DECIMAL, u8::from(negative)]);
    key.extend_from_slice(&coefficient.to_le_bytes());
    key.extend_from_slice(&exponent.to_le_bytes());
}

fn as_integer(negative: bool, coefficient: u128, exponent: i32) -> Option<i64> {
    let number = 10_i128.checked_pow(u32::try_from(exponent).ok()?)?.checked_mul(i128::try_from(coefficient).ok()?)?;
    i64::try_from(if negative { -number } else { number }).ok()
}
