//! One frame of zstd, as a reader that gives all it has unpacked before a fault.

use std::io::{Error, ErrorKind, Read, Result};

use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// A frame.
pub(crate) struct Zstd<R> {
    decoder: FrameDecoder,
    source: R,
    fault: Option<Error>,
}

impl<R: Read> Zstd<R> {
    /// Reads the header of a frame. A window larger than `memory` is refused as out of memory.
    pub(crate) fn new(mut source: R, memory: u64) -> Result<Self> {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(memory);
        match decoder.init(&mut source) {
            Ok(()) => Ok(Self { decoder, source, fault: None }),
            Err(error @ FrameDecoderError::WindowSizeTooBig { .. }) => Err(Error::new(ErrorKind::OutOfMemory, error)),
            Err(error) => Err(Error::new(ErrorKind::InvalidData, error)),
        }
    }

    /// What follows the frame.
    pub(crate) fn into_inner(self) -> R {
        self.source
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        while self.fault.is_none() && self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            if let Err(error) = self.decoder.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1)) {
                self.fault = Some(Error::new(ErrorKind::InvalidData, error));
                // The decoder holds a window back until the frame ends. A last block that is empty, and four bytes for a checksum
                // that nobody asks for, end it.
                let end = [1, 0, 0, 0, 0, 0, 0];
                let _ = self.decoder.decode_blocks(&end[..], BlockDecodingStrategy::UptoBlocks(1));
            }
        }
        let read = self.decoder.read(out)?;
        match self.fault.take() {
            Some(fault) if read == 0 && !out.is_empty() => Err(fault),
            fault => {
                self.fault = fault;
                Ok(read)
            }
        }
    }
}
