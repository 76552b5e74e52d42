//! Twenty bytes as 27 base62 characters and back; the order of bytes is the order of the text.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 62 to the fifth: the largest power whose remainder still fits 32 bits.
const CHUNK: u64 = 62 * 62 * 62 * 62 * 62;

/// How many characters twenty bytes take.
pub(crate) const LENGTH: usize = 27;

/// Writes `bytes` as text of fixed length.
pub(crate) fn encode(bytes: &[u8; 20]) -> [u8; LENGTH] {
    let mut limbs = limbs(bytes);
    let mut text = [b'0'; LENGTH];
    let mut end = LENGTH;
    while end > 0 {
        let mut rest = 0u64;
        for limb in &mut limbs {
            let value = (rest << 32) | u64::from(*limb);
            *limb = (value / CHUNK) as u32;
            rest = value % CHUNK;
        }
        for _ in 0..5.min(end) {
            end -= 1;
            text[end] = ALPHABET[(rest % 62) as usize];
            rest /= 62;
        }
    }
    text
}

/// Reads text that [`encode`] wrote; `None` for any other.
pub(crate) fn decode(text: &[u8]) -> Option<[u8; 20]> {
    if text.len() != LENGTH {
        return None;
    }
    let mut limbs = [0u32; 5];
    for &character in text {
        let mut carry = u64::from(digit(character)?);
        for limb in limbs.iter_mut().rev() {
            let value = u64::from(*limb) * 62 + carry;
            *limb = value as u32;
            carry = value >> 32;
        }
        if carry != 0 {
            return None;
        }
    }
    let mut bytes = [0; 20];
    for (four, limb) in bytes.chunks_exact_mut(4).zip(limbs) {
        four.copy_from_slice(&limb.to_be_bytes());
    }
    Some(bytes)
}

fn limbs(bytes: &[u8; 20]) -> [u32; 5] {
    let mut limbs = [0; 5];
    for (limb, four) in limbs.iter_mut().zip(bytes.chunks_exact(4)) {
        *limb = u32::from_be_bytes([four[0], four[1], four[2], four[3]]);
    }
    limbs
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'Z' => Some(character - b'A' + 10),
        b'a'..=b'z' => Some(character - b'a' + 36),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_value_is_known() {
        assert_eq!(&encode(&[0xff; 20]), b"aWgEPTl1tmebfsQzFP4bxwgy80V");
        assert_eq!(decode(b"aWgEPTl1tmebfsQzFP4bxwgy80W"), None);
    }

    proptest! {
        #[test]
        fn text_returns_to_bytes_and_keeps_their_order(a: [u8; 20], b: [u8; 20]) {
            prop_assert_eq!(decode(&encode(&a)), Some(a));
            prop_assert_eq!(a.cmp(&b), encode(&a).cmp(&encode(&b)));
        }
    }
}
