//! A path may end in one slash: some SDKs write it so. Any other slash too many leads nowhere.

use http::{Request, Uri};

/// The request for the path without the slash at its end.
pub(crate) fn without_last_slash<B>(mut request: Request<B>) -> Request<B> {
    if let Some(shorter) = shortened(request.uri()) {
        *request.uri_mut() = shorter;
    }
    request
}

fn shortened(uri: &Uri) -> Option<Uri> {
    let path = uri
        .path()
        .strip_suffix('/')
        .filter(|path| !path.is_empty())?;
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(text.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_at_the_end_goes() {
        for (asked, led) in [
            ("/a/b/", "/a/b"),
            ("/a/b/?x=/", "/a/b?x=/"),
            ("http://h/a/", "http://h/a"),
            ("/a/b", "/a/b"),
            ("/a//", "/a/"),
            ("//a/", "//a"),
            ("/", "/"),
        ] {
            let request = Request::builder().uri(asked).body(()).unwrap();
            assert_eq!(without_last_slash(request).uri(), led, "{asked}");
        }
    }
}
