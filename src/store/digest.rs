//! The digest of a checkpoint: BLAKE3 of the whole file, header included, computed with zeros in place of
//! the digest's own digits in the header's metadata.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};

use blake3::Hasher;

/// The key of the digest in the metadata.
pub const KEY: &str = "blake3";
/// Placeholder for the digits until the digest is known.
pub const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Size in bytes of the header's length, which precedes the header.
const LENGTH: usize = 8;
/// Largest header that the format allows.
const LONGEST: u64 = 100_000_000;

/// Position of the digits in a header.
fn digits(header: &str) -> Option<usize> {
    let key = format!("\"{KEY}\":\"");
    Some(header.find(&key)? + key.len())
}

/// Writes a checkpoint and hashes all that is written.
pub struct HashingWriter<'a, 'b> {
    out: &'a mut BufWriter<&'b mut File>,
    hasher: Hasher,
    /// Position of the digits in the file.
    at: u64,
}

impl<'a, 'b> HashingWriter<'a, 'b> {
    /// Writes the header, which must have [`BLANK`] under [`KEY`].
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

    /// Writes the digest into the header.
    pub fn finish(self) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(self.at))?;
        let digest = self.hasher.finalize().to_hex();
        self.out.write_all(digest.as_bytes())
    }
}

/// Whether the digest of a file of this length is right; `false` if it has no digest.
///
/// # Errors
/// [`ErrorKind::InvalidData`] or [`ErrorKind::UnexpectedEof`] if the digest is wrong; other kinds if the
/// file cannot be read.
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
