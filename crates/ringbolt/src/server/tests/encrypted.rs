//! TLS, and the certificate that is served.

use super::*;

#[tokio::test]
async fn tls_is_served_with_the_newest_certificate_in_the_files_and_plain_http_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let write = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    };
    write();
    let certificates = Arc::new(Certificates::read(&certificate, &key).unwrap());
    let door = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = door.address();
    let _serving = door.serve(Echo::default(), LIMITS, Some(Arc::clone(&certificates)));
    assert!(
        over_tls(address, &certificate)
            .await
            .starts_with("HTTP/1.1 200")
    );
    let plain = exchange(address, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(plain.starts_with("HTTP/1.1 400 "), "{plain}");
    assert!(plain.contains("https://"), "{plain}");
    assert_eq!(code_of(&plain), "bad_request");
    write();
    certificates.read_again().unwrap();
    assert!(
        over_tls(address, &certificate)
            .await
            .starts_with("HTTP/1.1 200")
    );
    std::fs::write(&key, "nonsense").unwrap();
    assert!(certificates.read_again().is_err());
    assert!(
        over_tls(address, &certificate)
            .await
            .starts_with("HTTP/1.1 200"),
        "the old one stays"
    );
}

async fn over_tls(address: SocketAddr, certificate: &std::path::Path) -> String {
    let mut stream = tls_stream(address, certificate, &[]).await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
