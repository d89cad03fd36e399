//! A file's bytes in RAM: copy-on-write chunks, so that a copy of a whole file costs one reference count and
//! two copies share all they have in common.

use std::sync::Arc;

/// Bytes per chunk; also what the first write after a copy has to duplicate.
const CHUNK: usize = 16 * 1024;
const CHUNK_BYTES: u64 = CHUNK as u64;

type Chunk = Arc<[u8; CHUNK]>;

/// The content of one file. Bytes that were never written read as zeros and take no room.
#[derive(Clone, Default, Debug)]
pub(super) struct Image {
    len: u64,
    /// A missing chunk is all zeros. Invariant: bytes at or after `len` are zero in every chunk.
    chunks: Arc<Vec<Option<Chunk>>>,
}

/// Splits `[offset, offset + len)` at chunk borders: (chunk, start in chunk, start in range, length).
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let start = (at % CHUNK_BYTES) as usize;
        let length = (CHUNK - start).min(len - done);
        let piece = ((at / CHUNK_BYTES) as usize, start, done, length);
        done += length;
        Some(piece)
    })
}

impl Image {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buf` from `offset`; false if the file ends before.
    pub(super) fn read(&self, buf: &mut [u8], offset: u64) -> bool {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.len) {
            return false;
        }
        for (chunk, start, at, length) in pieces(offset, buf.len()) {
            match self.chunks.get(chunk).and_then(Option::as_ref) {
                Some(bytes) => buf[at..at + length].copy_from_slice(&bytes[start..start + length]),
                None => buf[at..at + length].fill(0),
            }
        }
        true
    }

    /// Puts `bytes` at `offset`, with zeros between the old end and it.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        if bytes.is_empty() {
            return;
        }
        self.len = self.len.max(offset + bytes.len() as u64);
        let chunks = Arc::make_mut(&mut self.chunks);
        for (chunk, start, at, length) in pieces(offset, bytes.len()) {
            if chunks.len() <= chunk {
                chunks.resize(chunk + 1, None);
            }
            let piece = &bytes[at..at + length];
            if chunks[chunk].is_none() && piece.iter().all(|&b| b == 0) {
                continue;
            }
            let bytes = chunks[chunk].get_or_insert_with(|| Arc::new([0; CHUNK]));
            Arc::make_mut(bytes)[start..start + length].copy_from_slice(piece);
        }
    }

    /// Cuts or extends with zeros.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let chunks = Arc::make_mut(&mut self.chunks);
            chunks.truncate(len.div_ceil(CHUNK_BYTES) as usize);
            let tail = (len % CHUNK_BYTES) as usize;
            let last = (len / CHUNK_BYTES) as usize;
            if let Some(Some(chunk)) = chunks.get_mut(last) {
                Arc::make_mut(chunk)[tail..].fill(0);
            }
        }
        self.len = len;
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Image};

    fn contents(image: &Image) -> Vec<u8> {
        let mut all = vec![1; image.len() as usize];
        assert!(image.read(&mut all, 0));
        all
    }

    #[test]
    fn behaves_like_a_vector() {
        let mut image = Image::default();
        let mut model: Vec<u8> = Vec::new();
        let mut state = 7u64;
        let mut next = move |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..400 {
            let offset = next(3 * CHUNK as u64) as usize;
            if next(4) == 0 {
                image.set_len(offset as u64);
                model.resize(offset, 0);
            } else {
                let bytes = vec![next(256) as u8; next(CHUNK as u64 + 5) as usize];
                let snapshot = image.clone();
                let before = contents(&snapshot);
                image.write(&bytes, offset as u64);
                model.resize(model.len().max(offset + bytes.len()), 0);
                model[offset..offset + bytes.len()].copy_from_slice(&bytes);
                assert_eq!(contents(&snapshot), before, "a copy must not see later writes");
            }
            assert_eq!(contents(&image), model);
        }
    }

    #[test]
    fn refuses_to_read_past_the_end() {
        let mut image = Image::default();
        image.write(b"abc", 10);
        assert!(!image.read(&mut [0; 4], 10));
        assert!(!image.read(&mut [0; 1], u64::MAX));
    }
}
