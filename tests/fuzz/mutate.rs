//! Random changes of files, with a preference for numbers at the ends of their ranges, for
//! characters that structure a text, and for parts of other files.

use std::io::Write;

use widefield::particles::random::{Draws, Stream};

/// How a reader interprets the bytes of a file.
#[derive(Clone, Copy, PartialEq)]
pub enum FileKind {
    Bytes,
    Text,
    /// Arrays that are packed into an archive with valid checksums.
    Archive,
}

/// Numbers that programs often fail to handle.
const INTEGERS: [u64; 12] = [
    0,
    1,
    2,
    10,
    127,
    255,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "2",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "1e309",
    "1e-46",
    "-0.0",
    "nan",
    "inf",
    "1000000000000",
    "3.5",
];
const TOKENS: [&str; 40] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "'",
    "\"",
    "\n",
    "\r\n",
    "\r",
    "=",
    ".",
    "#",
    "\\",
    "\0",
    " ",
    "<f8",
    ">i2",
    "|O",
    "<c16",
    "|b1",
    "True",
    "shape",
    "descr",
    "[grid]\n",
    "[data]\n",
    "seed",
    "\"\"\"",
    "'''",
    "\u{feff}",
    "é",
    "<g>",
    "</g>",
    "<use href=\"#a\"/>",
    "id=\"a\"",
    "<!--",
    "PK",
];

/// Generates the changes of one execution.
pub struct Mutator(Draws);

impl Mutator {
    pub fn new(seed: u64, execution: u64) -> Self {
        Mutator(Draws::new(seed, Stream::Probe, 0, execution, 0))
    }

    /// A whole number below `count`.
    fn below(&mut self, count: usize) -> usize {
        (self.0.uniform() * count as f64) as usize
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// One of the files of `pool`, with some changes.
    pub fn mutated(&mut self, pool: &[Vec<u8>], kind: FileKind) -> Vec<u8> {
        let at = self.below(pool.len());
        let mut bytes = pool[at].clone();
        for _ in 0..1 + self.below(4) {
            self.change(&mut bytes, pool, kind);
        }
        // Files grow from change to change; small ones reach as far.
        bytes.truncate(1 << 14);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, pool: &[Vec<u8>], kind: FileKind) {
        let length = bytes.len();
        let at = self.below(length + 1);
        let end = (at + 1 + self.below(16)).min(length);
        let choice = match kind {
            // In texts, tokens and numbers are changed more often than bits.
            FileKind::Text => self.of(&[0, 2, 3, 4, 4, 5, 5, 5, 6, 7]),
            _ => self.below(8),
        };
        match choice {
            0 if at < length => bytes[at] ^= 1 << self.below(8),
            1 if at < length => {
                let value = self.of(&INTEGERS);
                let width = self.of(&[1, 2, 4, 8]).min(length - at);
                let mut value = value.to_le_bytes()[..width].to_vec();
                if self.below(2) == 0 {
                    value.reverse();
                }
                bytes[at..at + width].copy_from_slice(&value);
            }
            2 if at < end => drop(bytes.drain(at..end)),
            3 if at < end => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            4 => {
                let token = self.of(&TOKENS);
                bytes.splice(at..at, token.bytes());
            }
            5 => self.replace_number(bytes),
            6 => {
                let of = self.below(pool.len());
                let other = &pool[of];
                let from = self.below(other.len() + 1);
                let part = other[from..].iter().take(64).copied();
                bytes.splice(at..end.max(at), part.collect::<Vec<u8>>());
            }
            _ => bytes.truncate(at),
        }
    }

    /// Replaces a number in the text by another one.
    fn replace_number(&mut self, bytes: &mut Vec<u8>) {
        let is_start =
            |k: &usize| bytes[*k].is_ascii_digit() && (*k == 0 || !bytes[*k - 1].is_ascii_digit());
        let starts: Vec<usize> = (0..bytes.len()).filter(is_start).collect();
        if starts.is_empty() {
            return;
        }
        let at = self.of(&starts);
        let digits = bytes[at..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let number = self.of(&NUMBERS);
        bytes.splice(at..at + digits, number.bytes());
    }

    /// The file that the reader gets; the other arrays of an archive are taken from `others`.
    pub fn packed(&mut self, raw: &[u8], others: &[Vec<u8>], kind: FileKind) -> Vec<u8> {
        if kind != FileKind::Archive {
            return raw.to_vec();
        }
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        let first = self.below(3);
        for (k, name) in ["X", "y", "w", "a", "exponent"].into_iter().enumerate() {
            let other = self.below(others.len());
            let array = if k % 3 == first { raw } else { &others[other] };
            // Archives do without an exponent as well.
            if name == "exponent" && self.below(2) == 0 {
                continue;
            }
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(array).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}
