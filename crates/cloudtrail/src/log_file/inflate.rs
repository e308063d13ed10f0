//! Containers, taken off as the bytes stream by, both sides hashed.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};
use zstd::stream::read::Decoder as ZstdDecoder;

use super::{Container, Limits, ObjectFault, RATIO_FREE_BYTES};

const BUFFER_BYTES: usize = 64 << 10;
/// Memory that a zstd stream may ask for: 2^26 bytes, the window of `zstd -21`.
const ZSTD_WINDOW_LOG_MAX: u32 = 26;

/// The stored bytes: buffered, hashed, counted.
struct Stored<'a> {
    input: &'a mut dyn Read,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    read: u64,
    hash: Sha256,
    /// The input itself failed: no fault of its content.
    failure: Option<io::Error>,
}

impl<'a> Stored<'a> {
    fn new(input: &'a mut dyn Read) -> Stored<'a> {
        Stored {
            input,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            read: 0,
            hash: Sha256::new(),
            failure: None,
        }
    }

    /// Reads until `bytes` bytes stand in the buffer, or the input ends.
    fn fill(&mut self, bytes: usize) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        while self.end - self.start < bytes && self.end < self.buffer.len() {
            let read = match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let kind = error.kind();
                    self.failure = Some(error);
                    return Err(kind.into());
                }
            };
            self.hash.update(&self.buffer[self.end..self.end + read]);
            self.end += read;
            self.read += read as u64;
        }
        Ok(())
    }

    /// Offset of the next byte in the object.
    fn position(&self) -> u64 {
        self.read - (self.end - self.start) as u64
    }

    fn drain(&mut self) -> io::Result<()> {
        loop {
            (self.start, self.end) = (0, 0);
            self.fill(1)?;
            if self.end == 0 {
                return Ok(());
            }
        }
    }
}

impl Read for Stored<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let buffered = self.fill_buf()?;
        let taken = buffered.len().min(out.len());
        out[..taken].copy_from_slice(&buffered[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl BufRead for Stored<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.fill(1)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }
}

enum Stage<'a> {
    Plain(Stored<'a>),
    Gzip(Box<GzDecoder<Stored<'a>>>),
    Zstd(Box<ZstdDecoder<'static, Stored<'a>>>),
}

/// The inflated bytes of an object. A fault of the container reads as the end; it is told by
/// [`Inflate::finish`].
pub(crate) struct Inflate<'a> {
    stage: Stage<'a>,
    limits: Limits,
    inflated: u64,
    hash: Sha256,
    fault: Option<ObjectFault>,
    ended: bool,
}

/// What is known of an object once it has been read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measured {
    pub sha256: [u8; 32],
    pub inflated_sha256: [u8; 32],
    pub compressed_bytes: u64,
    pub inflated_bytes: u64,
    pub container: Container,
    pub fault: Option<ObjectFault>,
}

impl<'a> Inflate<'a> {
    /// Looks at the first bytes of an object and takes its container off.
    ///
    /// # Errors
    /// When `input` cannot be read.
    pub fn new(input: &'a mut dyn Read, limits: &Limits) -> io::Result<Inflate<'a>> {
        let mut stored = Stored::new(input);
        if let Err(error) = stored.fill(4) {
            return Err(stored.failure.unwrap_or(error));
        }
        let empty = stored.end == 0;
        let stage = match Container::of(&stored.buffer[..stored.end]) {
            Container::Plain => Stage::Plain(stored),
            Container::Gzip => Stage::Gzip(Box::new(GzDecoder::new(stored))),
            Container::Zstd => {
                let mut decoder = ZstdDecoder::with_buffer(stored)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Stage::Zstd(Box::new(decoder))
            }
        };
        Ok(Inflate {
            stage,
            limits: limits.clone(),
            inflated: 0,
            hash: Sha256::new(),
            fault: empty.then_some(ObjectFault::Empty),
            ended: empty,
        })
    }

    /// Reads what is left of the stored bytes, for their hash.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn finish(mut self) -> io::Result<Measured> {
        let mut rest = vec![0; BUFFER_BYTES];
        while self.read(&mut rest)? > 0 {}
        let container = self.container();
        let stored = self.stored();
        if let Err(error) = stored.drain() {
            return Err(stored.failure.take().unwrap_or(error));
        }
        Ok(Measured {
            sha256: stored.hash.clone().finalize().into(),
            compressed_bytes: stored.read,
            inflated_sha256: self.hash.finalize().into(),
            inflated_bytes: self.inflated,
            container,
            fault: self.fault,
        })
    }

    fn container(&self) -> Container {
        match self.stage {
            Stage::Plain(_) => Container::Plain,
            Stage::Gzip(_) => Container::Gzip,
            Stage::Zstd(_) => Container::Zstd,
        }
    }

    fn stored(&mut self) -> &mut Stored<'a> {
        match &mut self.stage {
            Stage::Plain(stored) => stored,
            Stage::Gzip(decoder) => decoder.get_mut(),
            Stage::Zstd(decoder) => decoder.get_mut(),
        }
    }

    fn decode(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.stage {
            Stage::Plain(stored) => stored.read(out),
            Stage::Gzip(decoder) => decoder.read(out),
            Stage::Zstd(decoder) => decoder.read(out),
        }
    }

    /// The one gzip member has ended: nothing may follow.
    fn check_end(&mut self) -> io::Result<()> {
        if self.container() == Container::Gzip {
            let stored = self.stored();
            stored.fill(1)?;
            if stored.start < stored.end {
                let at = stored.position();
                self.fault = Some(ObjectFault::BytesAfterMember { at });
            }
        }
        Ok(())
    }

    fn check_limits(&mut self) {
        if self.container() == Container::Plain {
            return;
        }
        let (limit, ratio) = (self.limits.inflated_bytes_max, self.limits.inflation_ratio_max);
        if self.inflated > limit {
            self.fault = Some(ObjectFault::TooLarge { limit });
        } else if self.inflated > RATIO_FREE_BYTES
            && self.inflated / ratio.max(1) > self.stored().position()
        {
            self.fault = Some(ObjectFault::Bomb { limit: ratio });
        }
    }

    fn fault_of(&self, error: &io::Error) -> ObjectFault {
        let (container, inflated_bytes) = (self.container().name(), self.inflated);
        match error.kind() {
            io::ErrorKind::UnexpectedEof => ObjectFault::Truncated { container, inflated_bytes },
            _ => ObjectFault::Corrupt { container, inflated_bytes, reason: error.to_string() },
        }
    }
}

impl Read for Inflate<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ended || out.is_empty() {
            return Ok(0);
        }
        let read = self.decode(out);
        if let Some(failure) = self.stored().failure.take() {
            return Err(failure);
        }
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                self.fault = Some(self.fault_of(&error));
                0
            }
        };
        if read == 0 {
            self.ended = true;
            if self.fault.is_none()
                && let Err(error) = self.check_end()
            {
                return Err(self.stored().failure.take().unwrap_or(error));
            }
            return Ok(0);
        }
        self.hash.update(&out[..read]);
        self.inflated += read as u64;
        self.check_limits();
        if self.fault.is_some() {
            self.ended = true;
        }
        Ok(read)
    }
}
