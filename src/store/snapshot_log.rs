//! The file to which the snapshots of a run are appended (`.snapshots`): after its first bytes, each snapshot is
//! the step, w and a in f64, and the BLAKE3 digest of these.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use super::atomic::write_unsynced;
use super::filesystem::{is_there, must_be_regular, open_regular};
use crate::error::{Error, Result};
use crate::particles::Particles;

/// The first bytes of the file. Files of older versions began with the first step, which is 0, and had no
/// digests.
const FIRST: [u8; 8] = *b"wfsnaps2";
const FIRST_OF_OLDER: [u8; 8] = [0; 8];

/// A snapshot: the step, and (w, a) in true units.
pub type Snapshot = (u64, Particles);

/// A record of the file.
enum Record {
    Whole(Snapshot),
    /// Index in the file, and what is wrong with the record.
    Damaged(usize, &'static str),
}

/// The log file, with m' particles of dimension d in each snapshot.
#[derive(Debug)]
pub struct SnapshotLog {
    pub path: PathBuf,
    pub m: usize,
    pub d: usize,
}

impl SnapshotLog {
    pub fn exists(&self) -> Result<bool> {
        is_there(&self.path)
    }

    /// Writes the file anew with these snapshots; the caller has to sync it.
    pub fn start(&self, snapshots: &[Snapshot]) -> Result<()> {
        write_unsynced(&self.path, |out| {
            let all = snapshots.iter().map(bytes);
            std::iter::once(FIRST.to_vec())
                .chain(all)
                .try_for_each(|bytes| out.write_all(&bytes))
                .map_err(|e| Error::writing(&self.path, e))
        })
    }

    /// Appends a snapshot.
    pub fn add(&self, snapshot: &Snapshot) -> Result<()> {
        let open = || {
            must_be_regular(&self.path.metadata()?)?;
            File::options().append(true).open(&self.path)
        };
        open()
            .and_then(|mut file| file.write_all(&bytes(snapshot)))
            .map_err(|e| Error::writing(&self.path, e))
    }

    /// The undamaged snapshots. With `tell`, warns of a last one cut off by a crash and of damaged ones.
    pub fn whole(&self, tell: bool) -> Result<impl Iterator<Item = Result<Snapshot>>> {
        let path = self.path.clone();
        Ok(self.records()?.filter_map(move |record| match record {
            Ok(Record::Whole(snapshot)) => Some(Ok(snapshot)),
            Ok(Record::Damaged(number, what)) => {
                if tell {
                    let path = path.display();
                    tracing::warn!("{path}: snapshot {number} is left out: {what}");
                }
                None
            }
            Err(e) => Some(Err(Error::reading(&path, e))),
        }))
    }

    fn records(&self) -> Result<impl Iterator<Item = std::io::Result<Record>>> {
        let reading = |e| Error::reading(&self.path, e);
        let mut file = BufReader::new(open_regular(&self.path).map_err(reading)?);
        let mut first = Vec::new();
        let mut head = file.by_ref().take(FIRST.len() as u64);
        head.read_to_end(&mut first).map_err(reading)?;
        let older = first == FIRST_OF_OLDER;
        let known = older || first == FIRST;
        // The first bytes of an older file are part of its first snapshot.
        let mut rest = Cursor::new(if older { first } else { Vec::new() }).chain(file);
        let (m, d) = (self.m, self.d);
        let content = 8 * (1 + m * (d + 1));
        let size = content + if older { 0 } else { blake3::OUT_LEN };
        let mut number = 0;
        Ok(std::iter::from_fn(move || {
            let mut bytes = Vec::with_capacity(size);
            match rest.by_ref().take(size as u64).read_to_end(&mut bytes) {
                Err(e) => return Some(Err(e)),
                Ok(0) => return None,
                Ok(_) => number += 1,
            }
            let damaged = |what| Some(Ok(Record::Damaged(number, what)));
            if bytes.len() < size {
                return damaged("it is cut off");
            }
            let (content, digest) = bytes.split_at(content);
            if !known || (!older && blake3::hash(content) != *digest) {
                return damaged("its checksum is not that of its bytes");
            }
            Some(Ok(Record::Whole(snapshot(content, m, d))))
        }))
    }
}

fn bytes((step, p): &Snapshot) -> Vec<u8> {
    let mut bytes = step.to_le_bytes().to_vec();
    bytes.extend(p.w.iter().chain(&p.a).flat_map(|v| v.to_le_bytes()));
    let digest = blake3::hash(&bytes);
    bytes.extend(digest.as_bytes());
    bytes
}

fn snapshot(content: &[u8], m: usize, d: usize) -> Snapshot {
    let (words, _) = content.as_chunks::<8>();
    let (step, values) = (u64::from_le_bytes(words[0]), &words[1..]);
    let numbers = |words: &[[u8; 8]]| words.iter().map(|b| f64::from_le_bytes(*b)).collect();
    let (w, a) = values.split_at(m * d);
    let (w, a) = (numbers(w), numbers(a));
    (step, Particles { d, w, a })
}

/// The file below the folder of a run.
pub fn snapshot_log(dir: &Path, m: usize, d: usize) -> SnapshotLog {
    let path = dir.join(".snapshots");
    SnapshotLog { path, m, d }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(step: u64) -> Snapshot {
        let v = step as f64;
        let (w, a) = (vec![v, 2.0, 3.0, 4.0], vec![-v, 0.5]);
        (step, Particles { d: 2, w, a })
    }

    fn steps(of: &SnapshotLog) -> Vec<u64> {
        let all = of.whole(false).unwrap();
        all.map(|found| {
            let found = found.unwrap();
            assert_eq!(found, some(found.0));
            found.0
        })
        .collect()
    }

    #[test]
    fn what_is_damaged_is_left_out_and_the_rest_read() {
        let dir = tempfile::tempdir().unwrap();
        let of = snapshot_log(dir.path(), 2, 2);
        of.start(&[some(0)]).unwrap();
        of.add(&some(1)).unwrap();
        of.add(&some(2)).unwrap();
        assert_eq!(steps(&of), [0, 1, 2]);
        let good = std::fs::read(&of.path).unwrap();
        let each = (good.len() - FIRST.len()) / 3;
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                std::fs::write(&of.path, &bad).unwrap();
                let left: Vec<u64> = match at.checked_sub(FIRST.len()) {
                    Some(at) => (0..3).filter(|&k| k != (at / each) as u64).collect(),
                    None => Vec::new(),
                };
                assert_eq!(steps(&of), left, "byte {at}, bit {bit}");
            }
            std::fs::write(&of.path, &good[..at]).unwrap();
            let whole = at.saturating_sub(FIRST.len()) / each;
            assert_eq!(steps(&of).len(), whole, "cut to {at} bytes");
        }
    }

    #[test]
    fn an_older_file_without_digests_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let of = snapshot_log(dir.path(), 2, 2);
        let older = |step| {
            let mut bytes = bytes(&some(step));
            bytes.truncate(bytes.len() - blake3::OUT_LEN);
            bytes
        };
        std::fs::write(&of.path, [older(0), older(7)].concat()).unwrap();
        assert_eq!(steps(&of), [0, 7]);
    }
}
