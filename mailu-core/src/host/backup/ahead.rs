//! Reading ahead, so that what is slow to come is under way while what came before is worked on.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

/// How much is read at once, and how many of these are waiting at most.
const PIECE: usize = 256 << 10;
const PIECES: usize = 8;

/// What another reader gives, which is read by a thread of its own.
#[derive(Debug)]
pub(super) struct Ahead {
    /// Nothing, once the end or an error came.
    pieces: Option<Receiver<io::Result<Vec<u8>>>>,
    piece: io::Cursor<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    pub(super) fn new(mut from: impl Read + Send + 'static) -> Self {
        let (give, pieces) = mpsc::sync_channel(PIECES);
        let thread = thread::spawn(move || {
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                let read = from.by_ref().take(PIECE as u64).read_to_end(&mut piece);
                let last = piece.is_empty() || read.is_err();
                // What came before an error counts.
                if !piece.is_empty() && give.send(Ok(piece)).is_err() {
                    return;
                }
                if let Err(error) = read {
                    let _ = give.send(Err(error));
                }
                if last {
                    return;
                }
            }
        });
        Self {
            pieces: Some(pieces),
            piece: io::Cursor::default(),
            thread: Some(thread),
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(pieces) = &self.pieces else {
                return Ok(0);
            };
            match pieces.recv() {
                Ok(Ok(piece)) => self.piece = io::Cursor::new(piece),
                Ok(Err(error)) => {
                    self.pieces = None;
                    return Err(error);
                }
                Err(_) => self.pieces = None,
            }
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Whoever wants to give more ends.
        self.pieces = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives zeros and then an error.
    struct Fails(usize);

    impl Read for Fails {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let count = buffer.len().min(self.0).min(1_000);
            buffer[..count].fill(0);
            self.0 -= count;
            Ok(count)
        }
    }

    #[test]
    fn everything_comes_in_order_up_to_an_error() {
        let bytes: Vec<u8> = (0..3 * PIECE + 7).map(|n| n.to_le_bytes()[0]).collect();
        let mut read = Vec::new();
        Ahead::new(io::Cursor::new(bytes.clone()))
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, bytes);
        let mut read = Vec::new();
        let mut ahead = Ahead::new(Fails(PIECE + 5));
        let error = ahead.read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(read.len(), PIECE + 5);
        // Nobody has to read to the end.
        let mut some = [0; 3];
        Ahead::new(io::repeat(1)).read_exact(&mut some).unwrap();
        assert_eq!(some, [1; 3]);
    }
}
