//! A reader that shows what comes next without taking it: what every parser of a stream stands on.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// A reader with a look ahead.
pub(crate) struct Lookahead<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
    /// A fault behind what is in the buffer: told when that was read.
    fault: Option<Error>,
}

impl<R: Read> Lookahead<R> {
    /// The most that can be looked ahead.
    pub(crate) const FAR: usize = CHUNK;

    /// Wraps a reader.
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, buffer: Vec::new(), start: 0, end: 0, position: 0, fault: None }
    }

    /// How many bytes were taken.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next bytes: at least `wanted` (at most [`Lookahead::FAR`]), or fewer where the input ends.
    pub(crate) fn peek(&mut self, wanted: usize) -> Result<&[u8]> {
        let wanted = wanted.min(Self::FAR);
        if self.end - self.start < wanted {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.buffer.len() < CHUNK {
                // What is small needs no large buffer: most members of archives are.
                self.buffer.resize(if wanted <= 4096 && self.buffer.is_empty() { 4096 } else { CHUNK }, 0);
            }
            while self.end < wanted && self.fault.is_none() {
                match self.inner.read(&mut self.buffer[self.end..]) {
                    Ok(0) => break,
                    Ok(read) => self.end += read,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => self.fault = Some(error),
                }
            }
            if self.end == 0
                && let Some(fault) = self.fault.take()
            {
                return Err(fault);
            }
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Takes `count` bytes and drops them; fewer where the input ends. Gives how many.
    pub(crate) fn skip(&mut self, count: u64) -> Result<u64> {
        let mut left = count;
        while left > 0 {
            let here = self.fill_buf()?.len();
            if here == 0 {
                break;
            }
            let taken = usize::try_from(left).map_or(here, |left| left.min(here));
            self.consume(taken);
            left -= taken as u64;
        }
        Ok(count - left)
    }
}

impl<R: Read> Read for Lookahead<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.start == self.end && out.len() >= CHUNK && self.fault.is_none() {
            let read = self.inner.read(out)?;
            self.position += read as u64;
            return Ok(read);
        }
        let here = self.fill_buf()?;
        let count = here.len().min(out.len());
        out[..count].copy_from_slice(&here[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Lookahead<R> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        if self.start == self.end && !self.buffer.is_empty() && self.buffer.len() < CHUNK {
            self.buffer.resize(CHUNK, 0);
        }
        self.peek(1)
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        self.position += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_peeked_is_read_once() {
        let bytes: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
        let mut reader = Lookahead::new(bytes.as_slice());
        let mut out = Vec::new();
        let mut piece = vec![0; 977];
        loop {
            let ahead = reader.peek(600).unwrap().to_vec();
            assert!(ahead.len() >= 600.min(bytes.len() - out.len()));
            let read = reader.read(&mut piece).unwrap();
            assert!(ahead.starts_with(&piece[..read.min(ahead.len())]));
            out.extend_from_slice(&piece[..read]);
            assert_eq!(reader.position(), out.len() as u64);
            if read == 0 {
                break;
            }
        }
        assert_eq!(out, bytes);
    }

    #[test]
    fn what_comes_before_a_fault_is_read() {
        struct Broken(usize);
        impl Read for Broken {
            fn read(&mut self, out: &mut [u8]) -> Result<usize> {
                self.0 += 1;
                if self.0 > 3 {
                    return Err(Error::other("broken"));
                }
                out[0] = b'x';
                Ok(1)
            }
        }
        let mut reader = Lookahead::new(Broken(0));
        assert_eq!(reader.peek(512).unwrap(), b"xxx");
        let mut out = [0; 8];
        assert_eq!(reader.read(&mut out).unwrap(), 3);
        assert_eq!(reader.read(&mut out).unwrap_err().to_string(), "broken");
    }

    #[test]
    fn skipping_ends_with_the_input() {
        let mut reader = Lookahead::new(&b"0123456789"[..]);
        assert_eq!(reader.skip(4).unwrap(), 4);
        assert_eq!(reader.peek(1).unwrap()[0], b'4');
        assert_eq!(reader.skip(100).unwrap(), 6);
    }
}
