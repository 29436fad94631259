//! E-mail by the operator's SMTP server.
//!
//! One connection for each letter: the hub sends few. `smtps://` speaks TLS from the first byte, `smtp://` turns it on by
//! STARTTLS and refuses to go on without, except to this machine or with `?tls=none`. What a server says goes into errors
//! without the password, should it repeat it.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use url::{Host, Url};

use crate::clock::Timestamp;
use crate::secrets::Secret;

/// The whole conversation with the server may take this long.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// One answer of the server may take this long.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// What of a server's words is kept, in characters.
const WORDS_KEPT: usize = 200;

/// How letters leave, as the operator set it: `TRUNKLINE_SMTP_URL` and `TRUNKLINE_MAIL_FROM`.
#[derive(Clone)]
pub struct Mail {
    host: String,
    port: u16,
    security: Security,
    login: Option<(String, Secret)>,
    from: Mailbox,
    /// The right side of message ids.
    domain: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    Tls,
    StartTls,
    None,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// A letter. Its words are the caller's; nothing of them is in errors.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    /// The recipient's address.
    pub to: &'a str,
    /// The subject, one line.
    pub subject: &'a str,
    /// The content as plain text.
    pub text: String,
    /// The content as HTML that loads nothing.
    pub html: String,
    /// Unique for this letter and the same at each try, so that a mailbox knows it again.
    pub id: &'a str,
    /// When it is sent.
    pub at: Timestamp,
}

/// Why a letter did not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// No connection, or it broke.
    #[error("the mail server cannot be reached: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("the mail server did not answer in time")]
    Silent,
    /// TLS failed, or is not offered.
    #[error("no secure connection to the mail server: {0}")]
    NotSecure(String),
    /// It does not take the user name and password.
    #[error("the mail server refused the user name or password: {0}")]
    Login(String),
    /// It refused the letter for good.
    #[error("the mail server refused the letter: {0}")]
    Refused(String),
    /// It refused the letter for now.
    #[error("the mail server asks to try later: {0}")]
    Later(String),
    /// The letter cannot be made.
    #[error("the letter cannot be made: {0}")]
    Letter(String),
}

impl MailError {
    /// A word for programs and for keys of words: `unreachable`, `silent`, `not-secure`, `login`, `refused`, `later`, `letter`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Silent => "silent",
            Self::NotSecure(_) => "not-secure",
            Self::Login(_) => "login",
            Self::Refused(_) => "refused",
            Self::Later(_) => "later",
            Self::Letter(_) => "letter",
        }
    }

    /// Whether the same letter may leave later, without anybody doing something.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Silent | Self::Later(_) | Self::NotSecure(_))
    }
}

impl Mail {
    /// Reads the two settings: `smtp[s]://user:password@host:port` and `Name <address>`.
    ///
    /// # Errors
    /// Which of them is wrong and how it is to be; never a part of the password.
    pub fn parse(address: &str, from: &str) -> Result<Self, &'static str> {
        const FORM: &str = "smtp_url must be smtp://user:password@host:port or smtps://…";
        let url = Url::parse(address).map_err(|_| FORM)?;
        let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
        let host = url.host().ok_or(FORM)?;
        let is_here = match &host {
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
            // The host of a scheme that browsers do not know is read as a name, even where it is an address.
            Host::Domain("localhost") => true,
            Host::Domain(name) => name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        };
        let security = match (url.scheme(), tls.as_deref()) {
            ("smtps", None) => Security::Tls,
            ("smtp", Some("none")) => Security::None,
            ("smtp", None) if is_here => Security::None,
            ("smtp", None | Some("required")) => Security::StartTls,
            _ => return Err(FORM),
        };
        let port = url.port().unwrap_or(if security == Security::Tls { 465 } else { 587 });
        let decoded = |text: &str| {
            let text = percent_encoding::percent_decode_str(text).decode_utf8();
            text.map(std::borrow::Cow::into_owned).map_err(|_| FORM)
        };
        let login = match url.password() {
            Some(password) => Some((decoded(url.username())?, Secret::from(decoded(password)?))),
            None if url.username().is_empty() => None,
            None => return Err("smtp_url has a user name but no password"),
        };
        let host = host.to_string().trim_matches(['[', ']']).to_owned();
        let from: Mailbox = from.parse().map_err(|_| "mail_from must be an address, or Name <address>")?;
        let domain = from.email.domain().to_owned();
        Ok(Self { host, port, security, login, from, domain })
    }

    /// Host and port, for the operator's page.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The sender's address.
    #[must_use]
    pub fn sender(&self) -> String {
        self.from.email.to_string()
    }

    /// What a server said, without our password, cut.
    fn clean(&self, error: &SmtpError) -> String {
        let mut words = error.to_string();
        if let Some((user, password)) = &self.login {
            let password = password.expose();
            let plain = STANDARD.encode(format!("\0{user}\0{password}"));
            for secret in [password, &STANDARD.encode(password), &plain] {
                if !secret.is_empty() {
                    words = words.replace(secret, "…");
                }
            }
        }
        crate::text::cut(&crate::text::storable(&words), WORDS_KEPT)
    }

    fn fault(&self, error: &SmtpError) -> MailError {
        let words = self.clean(error);
        // Codes of authentication: RFC 4954 section 6.
        let is_login = error.status().is_some_and(|code| {
            let code = u16::from(code);
            matches!(code, 530 | 534 | 535 | 538)
        });
        if is_login {
            MailError::Login(words)
        } else if error.is_timeout() {
            MailError::Silent
        } else if error.is_tls() {
            MailError::NotSecure(words)
        } else if error.is_permanent() {
            MailError::Refused(words)
        } else if error.is_transient() {
            MailError::Later(words)
        } else if error.is_client() && self.security == Security::StartTls {
            // The server has no STARTTLS.
            MailError::NotSecure(words)
        } else {
            MailError::Unreachable(words)
        }
    }

    fn message(&self, letter: &Letter<'_>) -> Result<Message, MailError> {
        let wrong = |error: &dyn fmt::Display| MailError::Letter(error.to_string());
        let to: Mailbox = letter.to.parse().map_err(|error| wrong(&error))?;
        let at = u64::try_from(letter.at.millis()).unwrap_or(0);
        let header = |name: &'static str, value: &str| {
            HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
        };
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject)
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(at))
            .message_id(Some(format!("<{}@{}>", letter.id, self.domain)))
            // No answering machine answers (RFC 3834).
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
            .map_err(|error| wrong(&error))
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, SmtpError> {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .hello_name(ClientId::Domain(self.domain.clone()))
            .timeout(Some(ANSWER_LIMIT));
        builder = match self.security {
            Security::None => builder.tls(Tls::None),
            Security::Tls => builder.tls(Tls::Wrapper(TlsParameters::new(self.host.clone())?)),
            Security::StartTls => builder.tls(Tls::Required(TlsParameters::new(self.host.clone())?)),
        };
        if let Some((user, password)) = &self.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(builder.build())
    }
}

/// Sends a letter: `Ok` means that the server took it. Never while a transaction is open.
///
/// # Errors
/// Why not; after a conversation that broke late the server may have taken it all the same.
pub async fn send(mail: &Mail, letter: &Letter<'_>) -> Result<(), MailError> {
    let message = mail.message(letter)?;
    let transport = mail.transport().map_err(|error| mail.fault(&error))?;
    match tokio::time::timeout(TIME_LIMIT, transport.send(message)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(mail.fault(&error)),
        Err(_) => Err(MailError::Silent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_read_and_the_way_is_secure_unless_said_otherwise() {
        let read = |url: &str| Mail::parse(url, "Trunkline <alerts@hub.example>").unwrap();
        let far = read("smtp://me%40x:p%3Aw@mail.example");
        assert_eq!((far.port, far.security), (587, Security::StartTls));
        assert_eq!(far.login.as_ref().unwrap().0, "me@x");
        assert_eq!(far.login.as_ref().unwrap().1.expose(), "p:w");
        assert_eq!(read("smtps://mail.example").port, 465);
        assert_eq!(read("smtp://127.0.0.1:2525").security, Security::None);
        assert_eq!(read("smtp://[::1]:25").place(), "::1:25");
        assert_eq!(read("smtp://relay.internal:25?tls=none").security, Security::None);
        assert_eq!(far.sender(), "alerts@hub.example");
        assert!(!format!("{far:?}").contains("p:w"));
        for wrong in
            ["mail.example:25", "http://mail.example", "smtp://", "smtps://h?tls=none", "smtp://me@h"]
        {
            assert!(Mail::parse(wrong, "a@b.example").is_err(), "{wrong}");
        }
        assert!(Mail::parse("smtp://h", "nobody").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_not_waited_for_forever() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let mail = Mail::parse(&url, "alerts@hub.example").unwrap();
        let (text, html) = (String::new(), String::new());
        let letter =
            Letter { to: "mei@tea.example", subject: "s", text, html, id: "ntc_1", at: Timestamp(0) };
        let error = send(&mail, &letter).await.unwrap_err();
        assert_eq!((error.code(), error.is_transient()), ("silent", true), "{error}");
        drop(listener);
        assert_eq!(send(&mail, &letter).await.unwrap_err().code(), "unreachable");
    }

    #[test]
    fn a_letter_says_that_a_machine_wrote_it_and_keeps_its_id() {
        let mail = Mail::parse("smtp://127.0.0.1", "Trunkline <alerts@hub.example>").unwrap();
        let letter = Letter {
            to: "mei@tea.example",
            subject: "「使用 Webhook」已關閉",
            text: "請打開".to_owned(),
            html: "<p>請打開</p>".to_owned(),
            id: "ntc_1",
            at: Timestamp(1_767_225_600_000),
        };
        let raw = String::from_utf8(mail.message(&letter).unwrap().formatted()).unwrap();
        for header in [
            "Message-ID: <ntc_1@hub.example>",
            "Auto-Submitted: auto-generated",
            "To: mei@tea.example",
            "Date: Thu, 01 Jan 2026 00:00:00 +0000",
            "multipart/alternative",
        ] {
            assert!(raw.contains(header), "{header} in {raw}");
        }
        let letter = Letter { to: "no address", ..letter };
        assert_eq!(mail.message(&letter).unwrap_err().code(), "letter");
    }
}
