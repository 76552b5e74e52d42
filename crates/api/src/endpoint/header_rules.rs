//! Which headers of its own an endpoint may have, and how much they may be in all.

use std::collections::{BTreeMap, BTreeSet};

use ringbolt_gate::Faults;
use ringbolt_model::CustomHeaders;
use ringbolt_net::check_custom_header;

use super::checked::lower_case;

/// The longest value, in bytes.
const LONGEST_VALUE: usize = 4096;
/// The most headers of an endpoint.
const MOST: usize = 50;
/// The most bytes of their names and values together.
const MOST_BYTES: usize = 16 << 10;

/// What describes the delivery itself or vouches for it, so that it is not the user's to choose. A
/// credential (`x-consul-token`) or the name of an event (`x-github-event`) vouches for nothing.
const OURS: &[&str] = &[
    "accept",
    "accept-encoding",
    "cache-control",
    "cf-connecting-ip",
    "client-ip",
    "connection",
    "date",
    "expect",
    "fastly-client-ip",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "origin",
    "pragma",
    "priority",
    "proxy",
    "referer",
    "remote-user",
    "stripe-signature",
    "te",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "user-agent",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-identity-header",
    "x-metadata-token",
    "x-method-override",
    "x-originating-ip",
    "x-real-ip",
    "x-remote-user",
    "x-scheme",
    "x-shopify-hmac-sha256",
    "x-vault-request",
    "x-webhook-signature",
];
/// What clouds and receivers trust, and what frames a message.
const OUR_PREFIXES: &[&str] = &[
    "ce-",
    "content-",
    "impersonate-",
    "proxy-",
    "svix-",
    "webhook-",
    "x-amz-",
    "x-amzn-",
    "x-aws-",
    "x-azure-",
    "x-envoy-",
    "x-fd-",
    "x-forwarded",
    "x-gfe",
    "x-goog",
    "x-http-method",
    "x-hub-",
    "x-original-",
    "x-rewrite-",
    "x-svix-",
];

/// Checks headers that a user gave.
pub(super) fn check_headers(
    faults: &mut Faults,
    given: &BTreeMap<String, String>,
) -> CustomHeaders {
    if given.len() > MOST {
        faults.add("headers", format!("must be at most {MOST}"));
        return CustomHeaders::default();
    }
    for (name, value) in given {
        if let Err(what) = check_header(name, value) {
            faults.add("headers", format!("`{}`: {what}", name.escape_debug()));
        }
    }
    let headers = CustomHeaders(lower_case(given).into_iter().collect());
    if headers.bytes() > MOST_BYTES {
        faults.add("headers", too_large(&headers));
    }
    headers
}

fn too_large(headers: &CustomHeaders) -> String {
    let bytes = headers.bytes();
    format!(
        "names and values together would have {bytes} bytes, and may have {MOST_BYTES}: \
         shorten or remove some"
    )
}

fn check_header(name: &str, value: &str) -> Result<(), String> {
    // Gateways read a name with underscores as the one with hyphens.
    let lower = name.to_ascii_lowercase().replace('_', "-");
    let ours = OURS.contains(&lower.as_str())
        || OUR_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
    if ours {
        return Err("the header is the server's, or one that receivers trust".to_owned());
    }
    if value.len() > LONGEST_VALUE {
        return Err(format!("the value must have at most {LONGEST_VALUE} bytes"));
    }
    check_custom_header(name, value).map_err(|error| error.to_string())
}

/// Removes, then sets; says why not if they do not fit, and then nothing changes. Those that were
/// stored when more was allowed may stay, and shrink.
pub(super) fn merge(
    headers: &mut CustomHeaders,
    removed: &BTreeSet<String>,
    set: &CustomHeaders,
) -> Result<(), String> {
    let kept = headers.0.iter().filter(|(name, _)| !removed.contains(name));
    let merged: BTreeMap<_, _> = kept.chain(&set.0).cloned().collect();
    let merged = CustomHeaders(merged.into_iter().collect());
    if merged.0.len() > MOST {
        return Err(format!("must be at most {MOST}"));
    }
    if merged.bytes() > MOST_BYTES.max(headers.bytes()) {
        return Err(too_large(&merged));
    }
    *headers = merged;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn refused(name: &str, value: &str) -> bool {
        let mut faults = Faults::default();
        check_headers(&mut faults, &headers(&[(name, value)]));
        faults.end().is_err()
    }

    #[test]
    fn what_is_ours_or_breaks_the_wire_is_refused() {
        for name in [
            "User-Agent",
            "content-length",
            "Content-Digest",
            "Transfer-Encoding",
            "host",
            "TE",
            "proxy-authorization",
            "Svix-Id",
            "webhook-signature",
            "x-amz-meta",
            "x-goog-iam",
            "X-aws-ec2-metadata-token",
            "Metadata-Flavor",
            "signature-input",
            "X-Real-IP",
            "x_forwarded_for",
            "WEBHOOK_ID",
            "X-HTTP-Method-Override",
            "X-Original-URL",
            "X-Forwarded",
            "Remote-User",
            "X_Remote_User",
            "X-Cluster-Client-Ip",
            "X-Host",
            "X-Scheme",
            "X-Originating-IP",
            "Fastly-Client-IP",
            "X-Envoy-Internal",
            "Impersonate-User",
            "X-IDENTITY-HEADER",
            "Stripe-Signature",
            "X-Shopify-Hmac-Sha256",
            "X-Webhook-Signature",
            "Proxy",
            "x hub",
            "",
        ] {
            assert!(refused(name, "x"), "{name}");
        }
        for value in ["a\r\nb", "a\0b", "ü", &"v".repeat(4097)] {
            assert!(refused("x-a", value), "{value:?}");
        }
    }

    #[test]
    fn credentials_and_names_are_the_users_own() {
        for name in [
            "Authorization",
            "X-Tenant",
            "X-Consul-Token",
            "X-GitHub-Event",
            "X-Request-Id",
        ] {
            assert!(!refused(name, "x"), "{name}");
        }
    }

    #[test]
    fn a_change_leaves_the_others_alone() {
        let mut all = CustomHeaders(vec![("a".into(), "1".into()), ("b".into(), "2".into())]);
        let set = CustomHeaders(vec![("c".into(), "3".into())]);
        merge(&mut all, &BTreeSet::from(["a".to_owned()]), &set).unwrap();
        assert_eq!(all.0, [("b".into(), "2".into()), ("c".into(), "3".into())]);
    }

    fn sized(names: std::ops::Range<u32>, value: usize) -> BTreeMap<String, String> {
        names
            .map(|n| (format!("x-{n:02}"), "v".repeat(value)))
            .collect()
    }

    #[test]
    fn all_of_them_together_are_bounded() {
        // Four of a name of 4 bytes and a value of 4,092 are just 16 KiB.
        let mut faults = Faults::default();
        check_headers(&mut faults, &sized(0..4, 4092));
        assert!(faults.end().is_ok());
        let mut faults = Faults::default();
        check_headers(&mut faults, &sized(0..5, 4092));
        let problem = format!("{:?}", faults.end().unwrap_err());
        assert!(problem.contains("may have 16384"), "{problem}");
    }

    #[test]
    fn a_change_cannot_make_them_too_large_and_older_ones_may_shrink() {
        let stored = |given| CustomHeaders(BTreeMap::into_iter(given).collect());
        let more = stored(sized(4..5, 1));
        let mut full = stored(sized(0..4, 4092));
        assert!(merge(&mut full, &BTreeSet::new(), &more).is_err());
        assert_eq!(full.0.len(), 4, "nothing changed");
        let mut old = stored(sized(0..50, 4096));
        assert!(merge(&mut old, &BTreeSet::from(["x-49".to_owned()]), &more).is_ok());
        assert_eq!(old.0.len(), 49);
    }
}
