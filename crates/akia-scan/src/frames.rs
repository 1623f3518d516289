//! Compressed streams: frame after frame, as one reader.

use std::io::{BufRead, Error, ErrorKind, Read, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::{LzmaReader, XzReader};

use crate::form::Form;
use crate::lookahead::Lookahead;
use crate::numbers::le32;
use crate::zstd::Zstd;

/// All frames of a compressed stream, unpacked. Bytes that are no frame end it.
pub(crate) struct Frames<'r, R: Read> {
    form: Form,
    memory: u64,
    state: State<'r, R>,
}

type Source<'r, R> = &'r mut Lookahead<R>;

enum State<'r, R: Read> {
    Between(Source<'r, R>),
    Gzip(Box<GzDecoder<Source<'r, R>>>),
    Bzip2(BzDecoder<Source<'r, R>>),
    Zstd(Box<Zstd<Source<'r, R>>>),
    Xz(Box<XzReader<Source<'r, R>>>),
    Lzma(Box<LzmaReader<Source<'r, R>>>),
    Over,
}

impl<'r, R: Read> Frames<'r, R> {
    /// The frames of a stream of that form. `memory` is what unpacking may take.
    pub(crate) fn new(form: Form, source: &'r mut Lookahead<R>, memory: u64) -> Self {
        Self { form, memory, state: State::Between(source) }
    }

    /// Opens the next frame, if there is one.
    fn open(&self, source: Source<'r, R>) -> Result<State<'r, R>> {
        loop {
            let head = source.peek(Form::HEAD)?;
            if Form::of(head) != self.form {
                return Ok(State::Over);
            }
            let kilobytes = u32::try_from(self.memory >> 10).unwrap_or(u32::MAX);
            return Ok(match self.form {
                Form::Gzip => State::Gzip(Box::new(GzDecoder::new(source))),
                Form::Bzip2 => State::Bzip2(BzDecoder::new(source)),
                Form::Xz => State::Xz(Box::new(XzReader::new_mem_limit(source, true, kilobytes))),
                Form::Lzma => State::Lzma(Box::new(LzmaReader::new_mem_limit(source, kilobytes, None)?)),
                Form::Zstd => {
                    if head.get(1..4) == Some(&[0x2a, 0x4d, 0x18]) {
                        // A frame of a user's own data; pzstd and seekable archives have such.
                        let size = le32(head, 4).ok_or(ErrorKind::UnexpectedEof)?;
                        source.skip(8 + u64::from(size))?;
                        continue;
                    }
                    State::Zstd(Box::new(Zstd::new(source, self.memory)?))
                }
                Form::Plain
                | Form::Tar
                | Form::Zip
                | Form::Ar
                | Form::Sqlite
                | Form::SqliteLog
                | Form::Unsupported(_) => State::Over,
            });
        }
    }
}

impl<R: Read> Read for Frames<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        guarded(|| self.next(out)).inspect_err(|_| self.state = State::Over)
    }
}

impl<R: Read> Frames<'_, R> {
    fn next(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            let read = match &mut self.state {
                State::Between(_) => 0,
                State::Gzip(frame) => frame.read(out)?,
                State::Bzip2(frame) => frame.read(out)?,
                State::Zstd(frame) => frame.read(out)?,
                // What these unpack in one call is lost where it ends in a fault.
                State::Xz(frame) => frame.read(first(out, 4096))?,
                State::Lzma(frame) => frame.read(first(out, 4096))?,
                State::Over => return Ok(0),
            };
            if read > 0 {
                return Ok(read);
            }
            let source = match std::mem::replace(&mut self.state, State::Over) {
                State::Between(source) => source,
                State::Gzip(frame) => frame.into_inner(),
                State::Bzip2(frame) => frame.into_inner(),
                State::Zstd(frame) => frame.into_inner(),
                // These read on by themselves, or have one frame.
                State::Xz(_) | State::Lzma(_) | State::Over => return Ok(0),
            };
            self.state = self.open(source)?;
        }
    }
}

/// What unpacks is other people's code, and it meets the bytes of whoever wrote the file: where it panics, that file is broken, and
/// the scan goes on.
fn guarded(read: impl FnOnce() -> Result<usize>) -> Result<usize> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::InvalidData, "what unpacks it panicked")))
}

/// A reader that is not asked again once it has panicked.
struct Guarded<R>(Option<R>);

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let Some(inner) = &mut self.0 else { return Ok(0) };
        guarded(|| inner.read(out)).inspect_err(|_| self.0 = None)
    }
}

fn first(out: &mut [u8], count: usize) -> &mut [u8] {
    let count = count.min(out.len());
    &mut out[..count]
}

/// One member of a zip archive, unpacked, by its method. None for a method that akia does not unpack. Nothing is taken from
/// `packed` but the member.
pub(crate) fn method<'r>(
    number: u16,
    mut packed: Box<dyn BufRead + 'r>,
    memory: u64,
) -> Result<Option<Box<dyn Read + 'r>>> {
    let kilobytes = u32::try_from(memory >> 10).unwrap_or(u32::MAX);
    let unpacked: Box<dyn Read + 'r> = match number {
        8 => Box::new(flate2::bufread::DeflateDecoder::new(packed)),
        12 => Box::new(BzDecoder::new(packed)),
        14 => {
            // Version (2), length of the properties (2), properties (1), size of the dictionary (4): APPNOTE 5.8.8.
            let mut head = [0; 9];
            packed.read_exact(&mut head)?;
            let dictionary = le32(&head, 5).ok_or(ErrorKind::UnexpectedEof)?;
            if u64::from(dictionary) > memory {
                return Err(Error::new(ErrorKind::OutOfMemory, "its dictionary is too large"));
            }
            Box::new(LzmaReader::new_with_props(Trickle(packed), u64::MAX, head[4], dictionary, None)?)
        }
        93 => Box::new(Zstd::new(packed, memory)?),
        95 => Box::new(XzReader::new_mem_limit(Trickle(packed), false, kilobytes)),
        _ => return Ok(None),
    };
    Ok(Some(Box::new(Guarded(Some(unpacked)))))
}

/// Gives a byte at a time to a decoder that would read ahead, and could not give back what it did not need.
struct Trickle<R>(R);

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        self.0.read(first(out, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_is_a_broken_file() {
        struct Panics;
        impl Read for Panics {
            fn read(&mut self, _: &mut [u8]) -> Result<usize> {
                panic!("a fault of a decoder")
            }
        }
        let mut reader = Guarded(Some(Panics));
        assert_eq!(reader.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    }
}
