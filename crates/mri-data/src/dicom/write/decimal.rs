//! Decimal strings: numbers as text of at most 16 characters.

/// The decimal string nearest to `value`.
pub(super) fn decimal(value: f64) -> String {
    let shortest = value.to_string();
    if shortest.len() <= 16 {
        return shortest;
    }
    let fixed = (0..=16).rev().map(|digits| format!("{value:.digits$}")).find(|text| text.len() <= 16);
    let scientific = (0..=16).rev().map(|digits| format!("{value:.digits$e}")).find(|text| text.len() <= 16);
    let error = |text: &str| text.parse::<f64>().map_or(f64::INFINITY, |read| (read - value).abs());
    [fixed, scientific]
        .into_iter()
        .flatten()
        .min_by(|a, b| error(a).total_cmp(&error(b)))
        .unwrap_or_else(|| "0".to_owned())
}

/// A decimal string that is at least `value`, and by less than a part in 10^8 more: a slope that does not clip. With it
/// the number that it stands for.
pub(super) fn decimal_above(value: f64) -> (String, f64) {
    let read = |text: &str| text.parse::<f64>().unwrap_or(value);
    let text = format!("{value:.8e}");
    if read(&text) >= value {
        let number = read(&text);
        return (text, number);
    }
    let text = format!("{:.8e}", value * (1.0 + 1e-8));
    let number = read(&text);
    (text, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_strings_are_short_and_near() {
        for value in [
            0.0,
            -0.0,
            1.0,
            -158.42720312426,
            1.0 / 3.0,
            -1.0 / 3.0,
            1.2e-17,
            -6.1e-9,
            1.234_567_890_123_45e8,
        ] {
            let text = decimal(value);
            assert!(text.len() <= 16, "{text}");
            assert!(
                (text.parse::<f64>().unwrap() - value).abs() <= 1e-9_f64.max(value.abs() * 1e-12),
                "{text}"
            );
        }
        for value in [1.0 / 65535.0, 3.7e-5, 123.456_789_012_345, 1e-30, 0.999_999_999_9] {
            let (text, number) = decimal_above(value);
            assert!(text.len() <= 16 && number >= value && number <= value * (1.0 + 3e-8), "{text}");
        }
    }
}
