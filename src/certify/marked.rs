//! Keeping the marked entries of lists that belong together.

/// Keeps the marked entries, and those beyond the marks.
pub fn retain_marked<T>(v: &mut Vec<T>, marks: &[bool]) {
    let mut marks = marks.iter().copied();
    v.retain(|_| marks.next().unwrap_or(true));
}

/// The position of each of `count` entries after [`retain_marked`], for those that are kept.
pub fn new_positions(count: usize, marks: &[bool]) -> Vec<usize> {
    let is_kept = |k: usize| marks.get(k).copied().unwrap_or(true);
    (0..count)
        .scan(0, |kept, k| {
            let position = *kept;
            *kept += usize::from(is_kept(k));
            Some(position)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_entries_kept() {
        let mut v = vec!['a', 'b', 'c', 'd', 'e'];
        let marks = [true, false, true, false];
        let positions = new_positions(v.len(), &marks);
        let before = v.clone();
        retain_marked(&mut v, &marks);
        assert_eq!(v, ['a', 'c', 'e']);
        for k in [0, 2, 4] {
            assert_eq!(v[positions[k]], before[k]);
        }
    }
}
