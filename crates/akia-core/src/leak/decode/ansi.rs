//! Colours of terminals (ECMA-48): a log has them beside a key.

pub(in crate::leak) const ESCAPE: u8 = 0x1b;

/// The longest sequence that is looked at.
const LONGEST: usize = 24;

/// Length of the control sequence at the start of a text.
pub(in crate::leak) fn first(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(&[ESCAPE, b'['])?;
    let parameters = rest.iter().take(LONGEST).take_while(|byte| matches!(byte, b'0'..=b'?')).count();
    rest.get(parameters).filter(|last| matches!(last, b'@'..=b'~')).map(|_| parameters + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_one_sequence() {
        assert_eq!(first(b"\x1b[33;1mAKIA"), Some(7));
        assert_eq!(first(b"\x1b[mAKIA"), Some(3));
        assert!(first(b"[33m").is_none() && first(b"\x1b[33").is_none());
    }
}
