//! The digest in a checkpoint: BLAKE3 of the whole file, header and all, taken with zeros where its
//! own digits stand in the header's metadata.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};

use blake3::Hasher;

/// The key of the digest in the metadata.
pub const KEY: &str = "blake3";
/// What stands for its digits until they are known.
pub const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Bytes of the number before the header, its length.
const LENGTH: usize = 8;
/// Longest header that the format allows.
const LONGEST: u64 = 100_000_000;

/// Where the digits begin in a header.
fn digits(header: &str) -> Option<usize> {
    let key = format!("\"{KEY}\":\"");
    Some(header.find(&key)? + key.len())
}

/// A checkpoint being written: takes the digest of what passes.
pub struct HashingWriter<'a, 'b> {
    out: &'a mut BufWriter<&'b mut File>,
    hasher: Hasher,
    /// Place of the digits in the file.
    at: u64,
}

impl<'a, 'b> HashingWriter<'a, 'b> {
    /// Writes the header, which has [`BLANK`] under [`KEY`].
    pub fn begin(out: &'a mut BufWriter<&'b mut File>, header: &str) -> io::Result<Self> {
        let at = digits(header).ok_or_else(|| io::Error::other("a header without a digest"))?;
        let mut sealing = HashingWriter {
            out,
            hasher: Hasher::new(),
            at: (LENGTH + at) as u64,
        };
        sealing.put(&(header.len() as u64).to_le_bytes())?;
        sealing.put(header.as_bytes())?;
        Ok(sealing)
    }

    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.out.write_all(bytes)
    }

    /// Fills the digits in.
    pub fn finish(self) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(self.at))?;
        let digest = self.hasher.finalize().to_hex();
        self.out.write_all(digest.as_bytes())
    }
}

/// Whether a file of this length is as it was written; `false` if it has no digest at all.
///
/// # Errors
/// [`ErrorKind::InvalidData`] or [`ErrorKind::UnexpectedEof`] if it is not; others if it cannot be
/// read.
pub fn has_valid_digest(mut file: impl Read, length: u64) -> io::Result<bool> {
    let damaged = |what: String| Err(io::Error::new(ErrorKind::InvalidData, what));
    let mut size = [0; LENGTH];
    file.read_exact(&mut size)?;
    let room = length.saturating_sub(LENGTH as u64).min(LONGEST);
    let bytes = u64::from_le_bytes(size);
    if bytes > room {
        return damaged(format!(
            "its header of {bytes} bytes is longer than the file"
        ));
    }
    let mut header = String::new();
    file.by_ref().take(bytes).read_to_string(&mut header)?;
    let Some(at) = digits(&header) else {
        return Ok(false);
    };
    let range = at..at + BLANK.len();
    let Some(stated) = header.get(range.clone()).map(str::to_owned) else {
        return damaged("its header ends in its checksum".into());
    };
    header.replace_range(range, BLANK);
    let mut hasher = Hasher::new();
    hasher.update(&size).update(header.as_bytes());
    hasher.update_reader(file)?;
    match hasher.finalize().to_hex().as_str() == stated {
        true => Ok(true),
        false => damaged("its checksum is not that of its bytes".into()),
    }
}
