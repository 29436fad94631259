//! Reading DER (ITU-T X.690), as far as keys and certificates are made of it.

/// The tag of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// The tag of an INTEGER.
pub const INTEGER: u8 = 0x02;

/// The first element: its tag, its content, and what follows it; `None` when it is cut short, of indefinite length, or its
/// length takes more than four bytes.
#[must_use]
pub fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let bytes = rest.get(..count)?;
        let length = bytes.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
        (length, rest.get(count..)?)
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_taken_apart_and_nonsense_is_none() {
        assert_eq!(element(&[0x02, 0x01, 0x05, 0x09]), Some((INTEGER, &[0x05][..], &[0x09][..])));
        let long: Vec<u8> = [0x30, 0x81, 0x80].into_iter().chain([7; 128]).collect();
        assert_eq!(element(&long), Some((SEQUENCE, &[7; 128][..], &[][..])));
        // Cut short, an indefinite length, and lengths beyond what is there or what a number holds.
        for odd in [&[][..], &[0x30], &[0x30, 0x02, 0x01], &[0x30, 0x80, 0x00], &[0x30, 0x85, 1, 1, 1, 1, 1]]
        {
            assert_eq!(element(odd), None, "{odd:?}");
        }
        assert_eq!(element(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
