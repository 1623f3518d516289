//! Inflating: at once into a buffer of the claimed size, or in windows where that would be too large.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use super::trouble::Trouble;

/// Deflate packs at most 1032 bytes into one, so a larger claim is a lie: nothing is allocated for it.
const MOST_PER_BYTE: u64 = 1032;

/// Inflates streams whose size is known.
pub(crate) struct Inflater {
    inner: libdeflater::Decompressor,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { inner: libdeflater::Decompressor::new() }
    }

    /// Inflates exactly `size` bytes into `out`; what `out` held is lost.
    pub(crate) fn exactly(&mut self, packed: &[u8], size: u64, out: &mut Vec<u8>) -> Result<(), Trouble> {
        let length = self.at_head(packed, size, out)?.len();
        out.truncate(length);
        Ok(())
    }

    /// Inflates exactly `size` bytes to the head of `out`, which never becomes shorter, so that it is not filled with zeros again
    /// for each stream.
    pub(crate) fn at_head<'o>(&mut self, packed: &[u8], size: u64, out: &'o mut Vec<u8>) -> Result<&'o [u8], Trouble> {
        let plausible = (packed.len() as u64).saturating_mul(MOST_PER_BYTE).saturating_add(64);
        let length = usize::try_from(size)
            .ok()
            .filter(|_| size <= plausible)
            .ok_or_else(|| Trouble::corrupt(format!("it claims {size} bytes, more than its stream can hold")))?;
        out.resize(out.len().max(length), 0);
        let out = out.get_mut(..length).unwrap_or_default();
        match self.inner.zlib_decompress(packed, out) {
            Ok(written) if written == length => Ok(out),
            Ok(written) => Err(Trouble::corrupt(format!("it claims {size} bytes and has {written}"))),
            Err(libdeflater::DecompressionError::BadData) => Err(Trouble::corrupt("its stream does not inflate")),
            Err(libdeflater::DecompressionError::InsufficientSpace) => {
                Err(Trouble::corrupt(format!("it claims {size} bytes and has more")))
            }
        }
    }
}

/// Inflates a stream bit by bit.
pub(crate) struct Stream {
    state: Box<InflateState>,
    /// Whether the stream has ended.
    pub(crate) ended: bool,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self { state: InflateState::new_boxed(DataFormat::Zlib), ended: false }
    }

    /// Inflates from `packed` into `out`, and says how many bytes were taken and how many given.
    pub(crate) fn step(&mut self, packed: &[u8], out: &mut [u8]) -> Result<(usize, usize), Trouble> {
        let result = inflate(&mut self.state, packed, out, MZFlush::None);
        match result.status {
            Ok(MZStatus::StreamEnd) => self.ended = true,
            Ok(MZStatus::Ok | MZStatus::NeedDict) | Err(MZError::Buf) => {}
            Err(_) => return Err(Trouble::corrupt("its stream does not inflate")),
        }
        if result.bytes_consumed == 0
            && result.bytes_written == 0
            && !self.ended
            && !packed.is_empty()
            && !out.is_empty()
        {
            return Err(Trouble::corrupt("its stream does not inflate"));
        }
        Ok((result.bytes_consumed, result.bytes_written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        miniz_oxide::deflate::compress_to_vec_zlib(text, 6)
    }

    #[test]
    fn a_false_claim_is_told_and_allocates_nothing() {
        let mut inflater = Inflater::new();
        let mut out = Vec::new();
        assert!(inflater.exactly(&packed(b"text"), 4 << 30, &mut out).is_err());
        assert_eq!(out.capacity(), 0);
        assert!(inflater.exactly(&packed(b"text"), 3, &mut out).is_err());
        assert!(inflater.exactly(&packed(b"text"), 5, &mut out).is_err());
        inflater.exactly(&packed(b"text"), 4, &mut out).unwrap();
        assert_eq!(out, b"text");
        out = vec![b'.'; 9];
        assert_eq!(inflater.at_head(&packed(b"text"), 4, &mut out).unwrap(), b"text");
        assert_eq!(out, b"text.....");
        let mut cut = packed(b"some text that is cut");
        cut.truncate(cut.len() - 1);
        assert!(inflater.exactly(&cut, 21, &mut out).is_err());
    }

    #[test]
    fn a_stream_gives_all_in_small_steps() {
        let text = b"0123456789".repeat(1000);
        let packed = packed(&text);
        let (mut stream, mut all, mut at) = (Stream::new(), Vec::new(), 0);
        let mut window = [0; 100];
        while !stream.ended {
            let (taken, given) = stream.step(&packed[at..packed.len().min(at + 7)], &mut window).unwrap();
            at += taken;
            all.extend_from_slice(&window[..given]);
        }
        assert_eq!(all, text);
        assert_eq!(at, packed.len());
    }
}
