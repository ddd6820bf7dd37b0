//! Snappy's block format, decoded as plainly as its [description] defines it.
//!
//! [description]: https://github.com/google/snappy/blob/main/format_description.txt

/// Returns the length that precedes compressed data. Returns `None` if the length takes more than
/// five bytes.
pub(super) fn declared(data: &[u8]) -> Option<u64> {
    split_declared(data).map(|(declared, _)| declared)
}

fn split_declared(data: &[u8]) -> Option<(u64, &[u8])> {
    let end = data.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let (digits, elements) = data.split_at(end + 1);
    let declared = digits
        .iter()
        .rev()
        .fold(0, |sum, digit| (sum << 7) | u64::from(digit & 0x7f));
    Some((declared, elements))
}

/// Returns the decompressed data if it has the declared length.
pub(super) fn decompress(data: &[u8]) -> Option<Vec<u8>> {
    let (declared, mut rest) = split_declared(data)?;
    let mut out = Vec::new();
    while let Some((&tag, behind)) = rest.split_first() {
        rest = behind;
        let high = usize::from(tag >> 2);
        let (length, offset) = match tag & 3 {
            0 if high < 60 => (high + 1, 0),
            0 => (number(&mut rest, high - 59)? + 1, 0),
            1 => (4 + (high & 7), ((high >> 3) << 8) | number(&mut rest, 1)?),
            2 => (high + 1, number(&mut rest, 2)?),
            _ => (high + 1, number(&mut rest, 4)?),
        };
        if tag & 3 == 0 {
            let (literal, behind) = rest.split_at_checked(length)?;
            out.extend_from_slice(literal);
            rest = behind;
        } else {
            let start = out.len().checked_sub(offset).filter(|_| offset > 0)?;
            for index in start..start + length {
                out.push(out[index]);
            }
        }
        if out.len() as u64 > declared {
            return None;
        }
    }
    (out.len() as u64 == declared).then_some(out)
}

/// Takes a little-endian number of `count` bytes from the front.
fn number(rest: &mut &[u8], count: usize) -> Option<usize> {
    let (digits, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    Some(
        digits
            .iter()
            .rev()
            .fold(0, |sum, &digit| (sum << 8) | usize::from(digit)),
    )
}
