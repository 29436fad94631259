//! What a status, a broken connection or silence means (PLATFORM 5, GOTCHAS C1, C9, I4).

use std::time::Duration;

use line_client::{Account, Cause, LineError, Sent};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::fake::*;

async fn push(account: &Account) -> Result<Sent, LineError> {
    account.push("U1", &[text("hi")], "123e4567-e89b-12d3-a456-426614174000", false).await
}

/// A server that does `serve` with its first connection and accepts no second.
async fn once<F, Done>(serve: F) -> Account
where
    F: FnOnce(TcpStream) -> Done + Send + 'static,
    Done: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let account = pasted(&origin(&listener));
    tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    account
}

/// Reads a request to the end of its body.
async fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"}") {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).await.unwrap();
        seen.extend_from_slice(&buffer[..n]);
    }
}

#[tokio::test]
async fn refusals_for_good_keep_lines_words() {
    for status in [400, 403, 404, 410, 413, 415, 422, 423, 302] {
        let fake = Fake::line(move |_| {
            answer(
                status,
                &json!({"message": "The request body has 1 error(s)",
                        "details": [{"message": "May not be empty", "property": "messages[0].text"}]}),
            )
        })
        .await;
        let error = push(&fake.account()).await.unwrap_err();
        assert!(!error.is_transient());
        assert_eq!((error.status(), error.request_id()), (Some(status), Some("req-1")));
        let LineError::Refused { body, .. } = &error else { panic!("{error:?}") };
        assert_eq!(body.details[0].property.as_deref(), Some("messages[0].text"));
        let expected = format!("refused by line with status {status}: The request body has 1 error(s)");
        assert_eq!(error.to_string(), expected);
        assert_eq!(fake.calls().len(), 1);
    }
}

#[tokio::test]
async fn the_two_429s_are_told_apart() {
    // PLATFORM 5, 22; an unknown text counts as "wait".
    for (message, used_up) in [
        (json!("You have reached your monthly limit."), true),
        (json!("The API rate limit has been exceeded. Try again later."), false),
        (json!("Something new"), false),
        (json!(null), false),
    ] {
        let fake = Fake::line(move |_| answer(429, &json!({"message": message}))).await;
        let error = push(&fake.account()).await.unwrap_err();
        assert_eq!(matches!(error, LineError::QuotaUsedUp { .. }), used_up, "{error:?}");
        assert_eq!(matches!(error, LineError::Wait { retry_after: None, .. }), !used_up, "{error:?}");
        assert_eq!(error.is_transient(), !used_up);
        assert_eq!((error.status(), error.request_id()), (Some(429), Some("req-1")));
    }
}

#[tokio::test]
async fn retry_after_is_heeded_where_it_is_given_in_seconds() {
    for (header, wait) in [("7", Some(Duration::from_secs(7))), ("soon", None), ("-1", None)] {
        let fake = Fake::line(move |_| {
            let mut response = answer(429, &json!({"message": "The API rate limit has been exceeded."}));
            response.headers_mut().insert("retry-after", header.parse().unwrap());
            response
        })
        .await;
        let error = push(&fake.account()).await.unwrap_err();
        assert!(
            matches!(error, LineError::Wait { retry_after, .. } if retry_after == wait),
            "{header}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_server_error_leaves_the_outcome_open() {
    for status in [500, 502, 503, 504, 408] {
        let fake = Fake::line(move |_| raw(status, "text/html", "<h1>oops</h1>")).await;
        let error = push(&fake.account()).await.unwrap_err();
        assert!(
            matches!(&error, LineError::Unknown { cause: Cause::Status { status: s, .. }, .. } if *s == status),
            "{error:?}"
        );
        assert!(error.is_transient());
        assert_eq!((error.status(), error.request_id()), (Some(status), Some("req-1")));
        assert_eq!(error.body().unwrap().message, "");
        assert_eq!(fake.calls().len(), 1, "the client tries nothing again by itself");
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_understood_leaves_the_outcome_open() {
    for body in ["", "{}", "<html>", "[", r#"{"sentMessages":"?"}"#] {
        let fake = Fake::line(move |_| raw(200, "application/json", body)).await;
        let error = push(&fake.account()).await.unwrap_err();
        assert!(matches!(error, LineError::Unknown { cause: Cause::Unreadable, .. }), "{body}: {error:?}");
        assert_eq!(error.request_id(), Some("req-1"));
    }
}

#[tokio::test]
async fn odd_and_endless_error_bodies_change_nothing() {
    let endless = || {
        axum::body::Body::from_stream(futures_util::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b'x'; 8192]))
        }))
    };
    let fake = Fake::line(move |seen| match seen.nth {
        1 => raw(400, "text/html", endless()),
        2 => raw(400, "application/json", vec![0xff, 0xfe, 0x00]),
        3 => raw(400, "application/json", r#"{"message":null,"key":null,"stacktrace":null,"code":null}"#),
        _ => raw(429, "application/json", endless()),
    })
    .await;
    let account = fake.account();
    for _ in 0..3 {
        let error = push(&account).await.unwrap_err();
        assert!(matches!(&error, LineError::Refused { status: 400, body, .. } if body.message.is_empty()));
        assert_eq!(error.to_string(), "refused by line with status 400");
    }
    assert!(matches!(push(&account).await, Err(LineError::Wait { .. })));
}

#[tokio::test]
async fn nothing_was_sent_where_nobody_listens() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let account = pasted(&origin(&listener));
    drop(listener);
    let error = push(&account).await.unwrap_err();
    assert!(matches!(error, LineError::NotSent { cause: Cause::Connection(_), .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn nothing_was_sent_when_connecting_took_too_long() {
    // A full accept queue answers no SYN, as a host that is switched off.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        queue.push(stream.unwrap());
        assert!(queue.len() < 100, "the queue never fills");
    }
    let error = push(&pasted(&origin(&listener))).await.unwrap_err();
    assert!(matches!(error, LineError::NotSent { cause: Cause::Timeout, .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_was_sent_when_tls_failed() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut url = origin(&listener);
    url.set_scheme("https").unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    });
    let error = push(&pasted(&url)).await.unwrap_err();
    assert!(matches!(error, LineError::NotSent { cause: Cause::Connection(_), .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_reset_before_the_body_was_read_leaves_the_outcome_open() {
    let account = once(|stream| async move {
        stream.readable().await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    let error = push(&account).await.unwrap_err();
    assert!(matches!(error, LineError::Unknown { cause: Cause::Connection(_), .. }), "{error:?}");
    assert!(error.is_transient() && error.request_id().is_none() && error.status().is_none());
}

#[tokio::test]
async fn a_connection_reset_after_the_body_was_read_leaves_the_outcome_open() {
    let account = once(|mut stream| async move {
        read_request(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let error = push(&account).await.unwrap_err();
    assert!(matches!(error, LineError::Unknown { cause: Cause::Connection(_), .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_closed_instead_of_an_answer_leaves_the_outcome_open() {
    let account = once(|mut stream| async move { read_request(&mut stream).await }).await;
    let error = push(&account).await.unwrap_err();
    assert!(matches!(error, LineError::Unknown { cause: Cause::Connection(_), .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_cut_off_leaves_the_outcome_open_but_has_an_id() {
    let account = once(|mut stream| async move {
        read_request(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\nx-line-request-id: req-1\r\ncontent-length: 99\r\n\r\n{\"sent";
        stream.write_all(head.as_bytes()).await.unwrap();
    })
    .await;
    let error = push(&account).await.unwrap_err();
    assert!(matches!(error, LineError::Unknown { cause: Cause::Connection(_), .. }), "{error:?}");
    assert_eq!(error.request_id(), Some("req-1"));
}

#[tokio::test]
async fn a_refusal_cut_off_is_still_a_refusal() {
    let account = once(|mut stream| async move {
        read_request(&mut stream).await;
        let head =
            "HTTP/1.1 400 Bad Request\r\nx-line-request-id: req-1\r\ncontent-length: 99\r\n\r\n{\"mess";
        stream.write_all(head.as_bytes()).await.unwrap();
    })
    .await;
    assert!(matches!(push(&account).await, Err(LineError::Refused { status: 400, .. })));
}

#[tokio::test]
async fn silence_leaves_the_outcome_open() {
    let account = once(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let error = push(&account).await.unwrap_err();
    assert!(matches!(error, LineError::Unknown { cause: Cause::Timeout, .. }), "{error:?}");
}

#[tokio::test]
async fn silence_in_the_middle_of_an_answer_leaves_the_outcome_open() {
    let account = once(|mut stream| async move {
        read_request(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\nx-line-request-id: req-1\r\ncontent-length: 99\r\n\r\n{\"sent";
        stream.write_all(head.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let error = push(&account).await.unwrap_err();
    assert!(matches!(error, LineError::Unknown { cause: Cause::Timeout, .. }), "{error:?}");
    assert_eq!(error.request_id(), Some("req-1"));
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_no_trouble() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let account = pasted(&origin(&listener));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{\"sentMessages\":[]}")
                .await
                .unwrap();
        }
    });
    for _ in 0..3 {
        push(&account).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    // A token goes nowhere but to the address that was configured.
    let fake = Fake::line(|seen| {
        let mut response = answer(307, &json!({}));
        response.headers_mut().insert("location", "/elsewhere".parse().unwrap());
        assert_ne!(seen.path, "/elsewhere");
        response
    })
    .await;
    assert!(matches!(push(&fake.account()).await, Err(LineError::Refused { status: 307, .. })));
    assert_eq!(fake.calls().len(), 1);
}
