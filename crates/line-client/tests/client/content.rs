//! Contents of messages (PLATFORM 6, GOTCHAS G1–G5).

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use line_client::{
    Cause, Content, Credentials, Endpoints, LineClient, LineError, Secret, Timeouts, TranscodingStatus,
};
use serde_json::json;

use crate::fake::*;

#[tokio::test]
async fn a_content_comes_piece_by_piece() {
    let fake = Fake::line(|_| {
        let pieces = stream::iter((0..10u8).map(|n| Ok::<_, std::io::Error>(Bytes::from(vec![n; 1000]))));
        raw(200, "video/mp4", Body::from_stream(pieces))
    })
    .await;
    let Content::Ready { content_type, length, body } =
        fake.account().content("461230966842064897").await.unwrap()
    else {
        panic!("ready")
    };
    assert_eq!((content_type.as_deref(), length), (Some("video/mp4"), None));
    let bytes: Vec<u8> = body.try_collect::<Vec<_>>().await.unwrap().concat();
    assert_eq!(bytes, (0..10u8).flat_map(|n| vec![n; 1000]).collect::<Vec<_>>());
    assert_eq!(fake.calls()[0].path, "/v2/bot/message/461230966842064897/content");
}

#[tokio::test]
async fn a_length_is_told_where_it_is_known() {
    let fake = Fake::line(|_| raw(200, "image/jpeg", vec![7; 1234])).await;
    let Content::Ready { length, .. } = fake.account().content_preview("1").await.unwrap() else {
        panic!("ready")
    };
    assert_eq!(length, Some(1234));
    assert_eq!(fake.calls()[0].path, "/v2/bot/message/1/content/preview");
}

#[tokio::test]
async fn not_ready_gone_and_unknown_are_results() {
    for status in [202, 410, 404] {
        let fake = Fake::line(move |_| answer(status, &json!({"message": "x"}))).await;
        let content = fake.account().content("1").await.unwrap();
        assert!(match status {
            202 => matches!(content, Content::NotReady),
            410 => matches!(content, Content::Gone),
            _ => matches!(content, Content::NotFound),
        });
    }
}

#[tokio::test]
async fn other_statuses_are_errors() {
    let fake = Fake::line(|_| answer(400, &json!({"message": "The content can not be previewed"}))).await;
    let Err(error) = fake.account().content_preview("1").await else { panic!("refused") };
    assert!(matches!(error, LineError::Refused { status: 400, .. }));
}

#[tokio::test]
async fn transcoding_is_told() {
    for (word, status) in [
        ("processing", TranscodingStatus::Processing),
        ("succeeded", TranscodingStatus::Succeeded),
        ("failed", TranscodingStatus::Failed),
        ("paused", TranscodingStatus::Other("paused".into())),
    ] {
        let fake = Fake::line(move |_| answer(200, &json!({"status": word}))).await;
        assert_eq!(fake.account().content_transcoding("1").await.unwrap().status, status);
    }
}

#[tokio::test]
async fn contents_are_asked_of_the_data_host_and_nothing_else_is() {
    // GOTCHAS G3.
    let api = Fake::line(|_| answer(200, &json!({"totalUsage": 1}))).await;
    let data = Fake::line(|_| answer(200, &json!({"status": "succeeded"}))).await;
    let endpoints = Endpoints { api: api.url.clone(), data: data.url.clone(), access: api.url.clone() };
    let account = LineClient::new(endpoints).unwrap().account(credentials());
    account.consumption().await.unwrap();
    account.content("1").await.unwrap();
    account.content_preview("1").await.unwrap();
    account.content_transcoding("1").await.unwrap();
    assert_eq!((api.tokens(), api.calls().len()), (1, 1));
    assert_eq!((data.tokens(), data.calls().len()), (0, 3));
}

#[tokio::test]
async fn a_content_cut_off_or_silent_ends_with_an_error() {
    for cut in [true, false] {
        let fake = Fake::line(move |_| {
            let begin = stream::once(async { Ok(Bytes::from_static(b"begin")) });
            let end = stream::once(async move {
                // Long enough for the beginning to go out alone.
                tokio::time::sleep(Duration::from_millis(100)).await;
                if cut { Err(std::io::Error::other("cut")) } else { std::future::pending().await }
            });
            raw(200, "video/mp4", Body::from_stream(begin.chain(end)))
        })
        .await;
        let Content::Ready { mut body, .. } = pasted(&fake.url).content("1").await.unwrap() else {
            panic!("ready")
        };
        assert_eq!(body.next().await.unwrap().unwrap(), "begin");
        let error = body.next().await.unwrap().unwrap_err();
        assert_eq!(matches!(error, LineError::Unknown { cause: Cause::Timeout, .. }), !cut, "{error:?}");
        assert!(error.is_transient());
        assert!(body.next().await.is_none());
    }
}

#[tokio::test]
async fn a_slow_content_may_take_longer_than_any_limit() {
    let fake = Fake::line(|_| {
        let pieces = stream::iter(0..8).then(|n: u8| async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, std::io::Error>(Bytes::from(vec![n]))
        });
        raw(200, "video/mp4", Body::from_stream(pieces))
    })
    .await;
    let limit = Duration::from_millis(500);
    let timeouts = Timeouts { connect: limit, call: limit, content: limit };
    let client = LineClient::with(Endpoints::all_at(&fake.url), timeouts, Hand::default().clock()).unwrap();
    let account = client.account(Credentials { access_token: Some(Secret::from("t")), ..credentials() });
    let Content::Ready { body, .. } = account.content("1").await.unwrap() else { panic!("ready") };
    assert_eq!(body.try_collect::<Vec<_>>().await.unwrap().concat(), (0..8).collect::<Vec<u8>>());
}

#[tokio::test]
async fn a_content_that_never_begins_times_out() {
    let fake = Fake::scripted(|_| std::future::pending()).await;
    let Err(error) = pasted(&fake.url).content("1").await else { panic!("no answer") };
    assert!(matches!(error, LineError::Unknown { cause: Cause::Timeout, .. }));
}
