//! Reads from when until when a certificate is valid (RFC 5280, section 4.1), and nothing else of it.

use ringbolt_model::Timestamp;

/// From when until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// The tags of DER that lie on the way.
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

impl Validity {
    /// That of no certificate at all.
    pub(super) const ALWAYS: Self = Self {
        from: Timestamp::from_micros(i64::MIN),
        until: Timestamp::from_micros(i64::MAX),
    };

    /// That of a certificate in DER.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let mut outer = Der(certificate).enter(SEQUENCE)?;
        let mut signed = outer.enter(SEQUENCE)?;
        if signed.tag() == Some(VERSION) {
            signed.take(VERSION)?;
        }
        // The serial number, the signature's algorithm, the issuer.
        signed.take(INTEGER)?;
        signed.take(SEQUENCE)?;
        signed.take(SEQUENCE)?;
        let mut validity = signed.enter(SEQUENCE)?;
        Some(Self {
            from: validity.time()?,
            until: validity.time()?,
        })
    }

    /// When both are valid.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        }
    }
}

/// What is still to be read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The content of what comes next, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first()?;
        let (length, rest) = match usize::from(*length) {
            short @ 0..0x80 => (short, rest),
            long => {
                let (digits, rest) = rest.split_at_checked(long - 0x80)?;
                let length = digits.iter().try_fold(0_usize, |length, digit| {
                    length.checked_mul(256)?.checked_add(usize::from(*digit))
                });
                (length?, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (*found == tag).then_some(content)
    }

    fn enter(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }

    /// `YYMMDDHHMMSSZ` up to 2049, `YYYYMMDDHHMMSSZ` from then on.
    fn time(&mut self) -> Option<Timestamp> {
        let text = match self.tag()? {
            UTC_TIME => {
                let text = std::str::from_utf8(self.take(UTC_TIME)?).ok()?;
                let century = if text < "50" { "20" } else { "19" };
                format!("{century}{text}")
            }
            _ => String::from_utf8(self.take(GENERALIZED_TIME)?.to_vec()).ok()?,
        };
        let part = |from: usize, to: usize| text.get(from..to);
        let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
        let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 15)?);
        format!("{year}-{month}-{day}T{hour}:{minute}:{second}")
            .parse()
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        let key = rcgen::KeyPair::generate().unwrap();
        let wanted = rcgen::CertificateParams::new(vec!["x.example".into()]).unwrap();
        let der = wanted.self_signed(&key).unwrap().der().to_vec();
        assert!(Validity::of(&der).is_some());
        for cut in 0..90 {
            assert!(Validity::of(&der[..cut]).is_none(), "{cut}");
        }
        assert!(Validity::of(&[SEQUENCE, 0xff, 0xff]).is_none());
    }
}
