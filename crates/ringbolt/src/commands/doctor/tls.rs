//! Checks of certificates: the server's own pair, and the roots that it trusts besides the system's.

use std::path::Path;
use std::time::Duration;

use ringbolt_model::Timestamp;

use super::Finding;
use super::validity::Validity;
use crate::config::Config;
use crate::server::{Certificates, chain};

/// Whoever has to renew a certificate wants to know by then.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// The pair that the server shows, if it speaks TLS itself.
pub(super) fn pair(config: &Config, now: Timestamp) -> Finding {
    let (Some(certificate), Some(key)) = (&config.tls.certificate, &config.tls.key) else {
        return Finding::Good("not spoken by this server: plain HTTP is served".into());
    };
    if let Err((setting, why)) = Certificates::read(certificate, key) {
        let why = config.unusable(setting, &format!("{why:#}"));
        return Finding::Bad(format!(
            "{why}: name a PEM file that the server may read, and the key that the certificate was made for"
        ));
    }
    judge(certificate, now, "renew it, then send the server a SIGHUP")
}

/// The file of further roots; whether its certificates can be roots was found out before.
pub(super) fn roots(config: &Config, now: Timestamp) -> Finding {
    match &config.net.extra_roots {
        None => Finding::Good("only the system's are trusted".into()),
        Some(path) => judge(path, now, "renew it, then start the server again"),
    }
}

/// Judges a file by its validity, and says how a newer one comes into force.
fn judge(path: &Path, now: Timestamp, renew: &str) -> Finding {
    let place = path.display();
    let chain = match chain(path) {
        Ok(chain) => chain,
        Err(why) => return Finding::Bad(format!("{why:#}: name a PEM file")),
    };
    let spans: Option<Vec<Validity>> = chain.iter().map(|one| Validity::of(one)).collect();
    let Some(spans) = spans else {
        return Finding::Bad(format!(
            "{place} holds a certificate without a validity that can be read: renew it"
        ));
    };
    let all = spans
        .iter()
        .fold(Validity::ALWAYS, |all, one| all.and(*one));
    if now < all.from {
        return Finding::Bad(format!(
            "{place} is not valid before {}: see whether the clock is right",
            all.from
        ));
    }
    if all.until < now {
        return Finding::Bad(format!("{place} expired at {}: {renew}", all.until));
    }
    if all.until < now + SOON {
        return Finding::Doubtful(format!("{place} expires at {}: {renew}", all.until));
    }
    Finding::Good(format!("{place} is valid until {}", all.until))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn found(not_before: (i32, u8, u8), not_after: (i32, u8, u8)) -> Finding {
        let mut wanted = rcgen::CertificateParams::new(vec!["hooks.example.com".into()]).unwrap();
        let day = |(year, month, day)| rcgen::date_time_ymd(year, month, day);
        wanted.not_before = day(not_before);
        wanted.not_after = day(not_after);
        let key = rcgen::KeyPair::generate().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), wanted.self_signed(&key).unwrap().pem()).unwrap();
        judge(file.path(), NOW, "renew it")
    }

    #[test]
    fn a_certificate_that_expires_is_found_out_in_time() {
        // NOW is 2027-01-15.
        let from = (2026, 1, 1);
        assert!(matches!(found(from, (2060, 1, 1)), Finding::Good(_)));
        assert!(matches!(found(from, (2027, 2, 15)), Finding::Good(_)));
        assert!(matches!(found(from, (2027, 1, 20)), Finding::Doubtful(_)));
        assert!(matches!(found(from, (2027, 1, 14)), Finding::Bad(_)));
        assert!(matches!(found((2028, 1, 1), (2029, 1, 1)), Finding::Bad(_)));
    }
}
