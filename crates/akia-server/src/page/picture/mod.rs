//! Pictures drawn here, without a script: HTML for the words, so that they keep their size, and SVG for the shapes.
//!
//! Colours come from the stylesheet's classes, since the policy of pages allows no style within them.

mod bars;
mod columns;
mod heat;
mod line;
mod trend;

pub(super) use bars::{Bar, bars};
pub(super) use columns::{Column, columns};
pub(super) use heat::{Cell, heat};
pub(super) use line::{Mark, line};
pub(super) use trend::trend;

/// What a part is of the most, in hundredths; what is not nothing is never drawn as nothing.
fn share(count: u64, most: u64) -> u64 {
    if count == 0 || most == 0 { 0 } else { (count.saturating_mul(100) / most).clamp(1, 100) }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn one_of_many_can_be_seen_and_none_cannot() {
        assert_eq!([share(0, 0), share(0, 9), share(1, 100_000), share(9, 9)], [0, 0, 1, 100]);
    }
}
