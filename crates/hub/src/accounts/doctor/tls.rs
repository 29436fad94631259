//! What a certificate says of its own end, and what a failed handshake means.

use line_client::der::{SEQUENCE, element};

use crate::clock::Timestamp;

/// Why no trusted connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The name is not known.
    Name,
    /// The chain leads to no public authority: an intermediate certificate is missing, or the authority is private.
    Chain,
    /// It is over, or not yet begun.
    Expired,
    /// It is for another name.
    OtherName,
    /// Some other trouble with TLS.
    Tls,
    /// Nobody answers there.
    Silent,
}

/// Reads a failure's chain of causes. rustls words its findings by the names of its own errors (`UnknownIssuer`, `Expired`,
/// `NotValidForName`), the resolver of the HTTP library says "dns error".
#[must_use]
pub(super) fn fault(error: &(dyn std::error::Error + 'static)) -> Fault {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        text.push_str(&error.to_string());
        text.push('\n');
        next = error.source();
    }
    judge(&text)
}

fn judge(text: &str) -> Fault {
    let has = |word: &str| text.contains(word);
    if has("dns error") || has("failed to lookup address") {
        return Fault::Name;
    }
    if has("UnknownIssuer") || has("unknown issuer") || has("UnknownCA") || has("SelfSigned") {
        return Fault::Chain;
    }
    if has("Expired") || has("expired") || has("NotValidYet") {
        return Fault::Expired;
    }
    if has("NotValidForName") || has("not valid for name") {
        return Fault::OtherName;
    }
    if has("certificate") || has("tls") || has("TLS") || has("handshake") || has("corrupt message") {
        return Fault::Tls;
    }
    Fault::Silent
}

const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// When a certificate (X.509, DER) ends: `notAfter` of its `validity` (RFC 5280, 4.1).
#[must_use]
pub(super) fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (SEQUENCE, certificate, _) = element(der)? else { return None };
    let (SEQUENCE, body, _) = element(certificate)? else { return None };
    let (tag, _, rest) = element(body)?;
    // The version is absent in the oldest certificates.
    let after_serial = if tag == VERSION { element(rest)?.2 } else { rest };
    let (_, _, after_algorithm) = element(after_serial)?;
    let (_, _, after_issuer) = element(after_algorithm)?;
    let (SEQUENCE, validity, _) = element(after_issuer)? else { return None };
    let (_, _, end) = element(validity)?;
    let (tag, text, _) = element(end)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        // RFC 5280, 4.1.2.5.1: two digits from 50 on are of the last century.
        UTC_TIME => {
            let year: i64 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let part = |from: usize| rest.get(from..from + 2);
    let text = format!("{year:04}-{}-{}T{}:{}:{}Z", part(0)?, part(2)?, part(4)?, part(6)?, part(8)?);
    Timestamp::parse(&text)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    // Made by: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=hub.example -days 90
    const CERTIFICATE: &str = "MIIBgjCCASegAwIBAgIUKzsrGTRb5+xaA4T/3zd4cSr+4b0wCgYIKoZIzj0EAwIwFjEUMBIGA1UEAwwLaHViLmV4YW1wbGUwHhcN\
        MjYxMTIxMjExNDI3WhcNMjcwMjE5MjExNDI3WjAWMRQwEgYDVQQDDAtodWIuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH\
        A0IABATTKDDbX5p4SW0SYwADkJGrLBzKHGG/oXree/JA4I7OaiRRB0KXqvEWHhfT9QI9sZTh/dpIW3JqGPJYm7Vd1m6jUzBRMB0G\
        A1UdDgQWBBTRf6iAhYnDC+b8FZemLEs8twqalzAfBgNVHSMEGDAWgBTRf6iAhYnDC+b8FZemLEs8twqalzAPBgNVHRMBAf8EBTAD\
        AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCiKNp8xObvdYQL/GpBJuOrR79luf3awUTZQE52eF0pbAIhAKO9qgN0InUgElCgSWZ4W6nw\
        1cu3LWhIHzSNuC9vb/zX";

    #[test]
    fn a_certificates_end_is_read() {
        let der = STANDARD.decode(CERTIFICATE).unwrap();
        assert_eq!(not_after(&der).unwrap().to_string(), "2027-02-19T21:14:27.000Z");
        for cut in 0..der.len().min(120) {
            assert_eq!(not_after(&der[..cut]), None, "cut at {cut}");
        }
        assert_eq!(not_after(b"\x30\x84\xff\xff\xff\xff"), None);
    }

    #[test]
    fn a_failed_handshake_is_told_apart() {
        // GOTCHAS A10
        for (text, fault) in [
            ("client error (Connect)\ninvalid peer certificate: UnknownIssuer\n", Fault::Chain),
            ("invalid peer certificate: certificate expired: verification time 1", Fault::Expired),
            (
                "invalid peer certificate: certificate not valid for name \"a\"; certificate is only valid for \"b\"",
                Fault::OtherName,
            ),
            ("dns error\nfailed to lookup address information: Name or service not known", Fault::Name),
            ("received fatal alert: HandshakeFailure tls", Fault::Tls),
            ("tcp connect error\nConnection refused (os error 111)", Fault::Silent),
        ] {
            assert_eq!(judge(text), fault, "{text}");
        }
    }
}
