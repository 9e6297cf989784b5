//! Files on their way: read while they are sent, sent again from their beginning, and not for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use wiremock::ResponseTemplate;

use super::super::workspace::{Format, Language};
use super::super::{Auth, Timings, Upload};
use super::{TOKEN, always, client, client_with, first, quick, sent};

const PART: usize = 64 << 10;
const PARTS: usize = 160;

/// A notebook of the largest size that is taken, and how many parts of it were read.
fn large() -> (Upload, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let parts = move || {
        let counted = Arc::clone(&counted);
        futures::stream::iter((0..PARTS).map(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(vec![b'x'; PART].into())
        }))
    };
    (Upload::new((PART * PARTS) as u64, parts), read)
}

/// Ten of them at the same time would otherwise take hundreds of megabytes.
#[tokio::test]
async fn a_large_notebook_is_read_while_it_is_sent() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = format!("http://{}", socket.local_addr().expect("an address"));
    let (upload, read) = large();
    let (client, _) = client_with(&host, Auth::Token(TOKEN.into()), quick());
    let import = client.import("/Shared/n.py", Format::Source, Some(Language::Python), &upload);
    let begun = async {
        let (mut stream, _) = socket.accept().await.expect("a caller");
        let mut beginning = [0; 1024];
        assert!(stream.read(&mut beginning).await.expect("a request") > 0);
        read.load(Ordering::Relaxed)
    };
    let read = tokio::select! {
        read = begun => read,
        answer = import => panic!("answered: {answer:?}"),
    };
    assert!(read < PARTS, "all of it was read before anything was sent");
}

#[tokio::test]
async fn a_large_notebook_arrives_whole_also_the_second_time() {
    let server = first(1, ResponseTemplate::new(503)).await;
    let content: Vec<u8> = (0..700_001_u32).flat_map(u32::to_le_bytes).take(700_001).collect();
    let upload = Upload::of(content.clone());
    let path = "/Shared/\"n\".ipynb";
    client(&server).0.import(path, Format::Jupyter, None, &upload).await.expect("imported");
    let requests = sent(&server).await;
    assert_eq!(requests.len(), 2);
    for request in requests {
        let body: Value = request.body_json().expect("JSON");
        assert_eq!((&body["path"], &body["format"]), (&path.into(), &"JUPYTER".into()));
        assert!(body["overwrite"] == true && body.get("language").is_none());
        assert_eq!(BASE64_STANDARD.decode(body["content"].as_str().expect("text")).expect("base64"), content);
        assert_eq!(request.headers["content-length"], request.body.len().to_string());
        assert_eq!(request.headers["content-type"], "application/json");
    }
}

/// Whoever deploys comes again by itself.
#[tokio::test]
async fn a_pause_beyond_the_time_for_a_file_is_left_to_the_caller() {
    let server = always(ResponseTemplate::new(429).insert_header("retry-after", "600")).await;
    let silent = always(ResponseTemplate::new(200).set_delay(Duration::from_mins(10))).await;
    let timings = Timings { transfer: Duration::from_mins(2), ..quick() };
    let [(limited, _), (waits, _)] =
        [&server, &silent].map(|server| client_with(&server.uri(), Auth::Token(TOKEN.into()), timings));
    let (place, upload) = ("/Workspace/Shared/f", Upload::of(vec![7; 1 << 20]));
    // Side by side with one that does wait for the same time.
    let error = tokio::select! {
        answered = limited.upload(place, &upload) => answered.expect_err("held"),
        _ = waits.upload(place, &upload) => panic!("it waited for its time"),
    };
    assert_eq!((error.retry_after(), sent(&server).await.len()), (Some(Duration::from_mins(10)), 1));
}

#[test]
fn a_large_file_has_longer_than_a_small_one() {
    let timings = Timings::default();
    assert_eq!(timings.transfer_of(1000), timings.transfer);
    assert!(timings.transfer_of(5 << 30) >= Duration::from_mins(90), "a megabyte a second is enough");
}
