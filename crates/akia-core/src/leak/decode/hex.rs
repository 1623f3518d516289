//! Two hexadecimal digits a byte, in either case, on one line or broken into lines.

use super::{View, hex_digit, hex_pair};

/// Decodes around `at`, where the two digits of a byte begin, up to `before` digits to the left and `behind` to the right.
pub(in crate::leak) fn segment(text: &[u8], at: usize, before: usize, behind: usize) -> Option<View> {
    let mut view = View::with_capacity(1024);
    let left = text.get(..at)?;
    let digits = left.iter().rev().take(before).take_while(|byte| hex_digit(**byte).is_some()).count();
    let mut from = at - digits / 2 * 2;
    let last = at.saturating_add(behind);
    while from < last {
        if let Some(byte) = text.get(from..from + 2).and_then(hex_pair) {
            view.push(byte, from, from + 2);
            from += 2;
            continue;
        }
        // A break between lines of digits.
        let rest = text.get(from..)?;
        let Some(after) = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n") else { break };
        from = text.len() - after.len();
        if after.get(..2).and_then(hex_pair).is_none() {
            break;
        }
    }
    Some(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_either_case_and_broken_lines() {
        assert_eq!(segment(b"x:3d414b4941\n3d=", 4, 100, 100).unwrap().bytes, b"=AKIA=");
        assert_eq!(segment(b"3D414B4941", 2, 100, 100).unwrap().bytes, b"=AKIA");
        let view = segment(b"f3d414b", 3, 100, 100).unwrap();
        assert_eq!((view.bytes.as_slice(), view.span(&(1..2))), (&b"=AK"[..], 3..5));
    }
}
