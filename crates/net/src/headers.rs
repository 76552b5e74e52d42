//! The header block of a request: checked once, kept as the bytes that are written.

/// Why a header cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Empty, or not made of the characters of a token (RFC 9110 §5.6.2).
    #[error("the header's name is not valid")]
    Name,
    /// A control character or anything beyond ASCII.
    #[error("the header's value is not valid")]
    Value,
    /// The name is set by Ringbolt itself.
    #[error("the header is set by the server")]
    Reserved,
}

/// What frames a message or belongs to one connection, and what the client says by itself.
const FRAMING: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a tenant may not choose besides: signatures and ids that receivers trust, and the words
/// that open a cloud's metadata service.
const TRUSTED: &[&str] = &[
    "content-digest",
    "metadata",
    "metadata-flavor",
    "repr-digest",
];
const TRUSTED_PREFIXES: &[&str] = &[
    "ce-",
    "signature",
    "svix-",
    "webhook-",
    "x-aws-ec2-metadata-token",
    "x-google-metadata-request",
    "x-hub-",
];

/// Judges a header that a tenant wants on every request to an endpoint.
///
/// # Errors
/// [`HeaderError`], fit to be shown to the tenant.
pub fn check_custom_header(name: &str, value: &str) -> Result<(), HeaderError> {
    check(name, value)?;
    let lower = name.to_ascii_lowercase();
    let trusted = TRUSTED.contains(&lower.as_str())
        || TRUSTED_PREFIXES
            .iter()
            .any(|prefix| lower.starts_with(prefix));
    if trusted {
        Err(HeaderError::Reserved)
    } else {
        Ok(())
    }
}

/// Headers in the order in which they are sent, as `name: value` lines with lower-case names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderBlock {
    lines: Vec<u8>,
    names_agent: bool,
}

impl HeaderBlock {
    /// An empty block.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty block with room for so many bytes of lines.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            lines: Vec::with_capacity(bytes),
            names_agent: false,
        }
    }

    /// Appends a header.
    ///
    /// # Errors
    /// [`HeaderError`]; the block is then as it was.
    pub fn push(&mut self, name: &str, value: &str) -> Result<(), HeaderError> {
        check(name, value)?;
        self.names_agent |= name.eq_ignore_ascii_case("user-agent");
        self.lines
            .extend(name.bytes().map(|b| b.to_ascii_lowercase()));
        self.lines.extend_from_slice(b": ");
        self.lines.extend_from_slice(value.as_bytes());
        self.lines.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Appends all of another block, for the part that is the same on every request.
    pub fn append(&mut self, other: &Self) {
        self.names_agent |= other.names_agent;
        self.lines.extend_from_slice(&other.lines);
    }

    /// Empties the block and keeps its memory.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.names_agent = false;
    }

    /// The headers as pairs of name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = std::str::from_utf8(&self.lines).unwrap_or_default();
        text.split_terminator("\r\n")
            .filter_map(|line| line.split_once(": "))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.lines
    }

    /// Whether the block brings its own `User-Agent`.
    pub(crate) fn names_agent(&self) -> bool {
        self.names_agent
    }
}

impl std::fmt::Debug for HeaderBlock {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

fn check(name: &str, value: &str) -> Result<(), HeaderError> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(HeaderError::Name);
    }
    // TAB is legal inside a value, but no webhook needs it and some parsers fold on it.
    if !value.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Err(HeaderError::Value);
    }
    if is_framing(name) {
        Err(HeaderError::Reserved)
    } else {
        Ok(())
    }
}

fn is_framing(name: &str) -> bool {
    name.get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("proxy-"))
        || FRAMING
            .iter()
            .any(|framing| name.eq_ignore_ascii_case(framing))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_block_is_the_lines_that_go_on_the_wire() {
        let mut block = HeaderBlock::new();
        block.push("Webhook-Id", "msg_1").unwrap();
        block.push("x-empty", "").unwrap();
        block.push("x-colon", "a: b").unwrap();
        assert_eq!(
            block.as_bytes(),
            b"webhook-id: msg_1\r\nx-empty: \r\nx-colon: a: b\r\n"
        );
        let pairs: Vec<_> = block.iter().collect();
        assert_eq!(
            pairs,
            [
                ("webhook-id", "msg_1"),
                ("x-empty", ""),
                ("x-colon", "a: b")
            ]
        );
    }

    #[test]
    fn nothing_that_could_end_a_line_gets_into_a_block() {
        let mut block = HeaderBlock::new();
        for value in ["a\rb", "a\nb", "a\0b", "a\tb", "a\x7fb", "é"] {
            assert_eq!(
                block.push("x-a", value),
                Err(HeaderError::Value),
                "{value:?}"
            );
        }
        for name in ["", "a b", "a:b", "a\r\nb", "é", "(a)"] {
            assert_eq!(block.push(name, "1"), Err(HeaderError::Name), "{name:?}");
        }
        assert!(block.as_bytes().is_empty());
    }

    #[test]
    fn what_frames_a_message_cannot_be_set_by_anyone() {
        let mut block = HeaderBlock::new();
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Connection",
            "TE",
            "Trailer",
            "Upgrade",
            "Expect",
            "Proxy-Authorization",
            "proxy-connection",
            "Accept-Encoding",
        ] {
            assert_eq!(block.push(name, "x"), Err(HeaderError::Reserved), "{name}");
            assert_eq!(
                check_custom_header(name, "x"),
                Err(HeaderError::Reserved),
                "{name}"
            );
        }
    }

    #[test]
    fn a_tenant_cannot_forge_signatures_or_open_a_metadata_service() {
        for name in [
            "webhook-id",
            "Svix-Signature",
            "X-Hub-Signature-256",
            "Signature-Input",
            "Content-Digest",
            "WebHook-Request-Origin",
            "ce-id",
            "Metadata-Flavor",
            "Metadata",
            "X-aws-ec2-metadata-token-ttl-seconds",
        ] {
            assert_eq!(
                check_custom_header(name, "x"),
                Err(HeaderError::Reserved),
                "{name}"
            );
        }
        assert_eq!(check_custom_header("Authorization", "Bearer x"), Ok(()));
        assert_eq!(check_custom_header("User-Agent", "mine"), Ok(()));
    }

    #[test]
    fn values_do_not_show_in_debug_output() {
        let mut block = HeaderBlock::new();
        block.push("authorization", "Bearer secret").unwrap();
        assert_eq!(format!("{block:?}"), r#"["authorization"]"#);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 2, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_passes_cannot_end_its_line(name in "[a-z-]{1,12}|[\\x00-\\x7f]{0,12}|.{0,12}", value in "[\\x00-\\x7f]{0,20}|.{0,20}") {
            if check_custom_header(&name, &value).is_ok() {
                prop_assert!(!name.is_empty() && !name.contains([':', ' ', '\r', '\n', '\0']));
                prop_assert!(!value.contains(['\r', '\n', '\0']));
            }
        }
    }
}
