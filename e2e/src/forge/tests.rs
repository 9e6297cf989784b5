//! The forge on loopback: what scenarios rely on, without a cluster.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;

/// What a receiver got: the headers in lower case, and the body.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A receiver of webhooks that answers 202.
async fn receiver() -> (String, Received) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let received = Received::default();
    let noted = received.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let request = read(stream).await;
            noted.lock().unwrap().push(request);
        }
    });
    (url, received)
}

async fn read(mut stream: TcpStream) -> (String, Vec<u8>) {
    let mut request = Vec::new();
    let end = loop {
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    };
    let mut body = request.split_off(end);
    let head = String::from_utf8(request).unwrap().to_lowercase();
    let length: usize = header(&head, "content-length").parse().unwrap();
    while body.len() < length {
        assert_ne!(stream.read_buf(&mut body).await.unwrap(), 0);
    }
    stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
    (head, body)
}

fn header(head: &str, name: &str) -> String {
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
}

/// Waits until as many webhooks have come as there should be.
async fn wait_for(received: &Received, count: usize) -> Vec<(String, Vec<u8>)> {
    for _ in 0..600 {
        let now = received.lock().unwrap().clone();
        if now.len() >= count {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} of {count} webhooks came", received.lock().unwrap().len());
}

#[tokio::test]
#[ignore = "builds Gitea when it isn't cached, and needs root"]
async fn a_merge_sends_a_signed_webhook_that_can_be_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    // The program comes from the user's cache; the server's folder is this test's own.
    let program = Program::build(&Cache::open().unwrap(), &Progress::default()).await.unwrap();
    let server = Server::new(folder.path().to_owned(), program);
    let (running, account) = server.start(IpAddr::V4(Ipv4Addr::LOCALHOST)).await.unwrap();
    let forge = Forge::new(running, account, folder.path().to_owned()).unwrap();
    let told = tokio::spawn(tell_the_story(forge.clone())).await;
    forge.down().await.unwrap();
    assert!(!running.answers().await);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the log stays");
    told.unwrap();
}

/// Apart from the test itself, so that the forge goes down however this ends.
async fn tell_the_story(forge: Forge) {
    let (url, received) = receiver().await;
    let secret = SecretString::from("a secret of this test");
    let repository = forge.repository("dbxdemo").await.unwrap();
    let webhook = repository.add_webhook(&url, &secret).await.unwrap();
    for change in [Change::Behaviour, Change::BreakNotebook, Change::BreakPytest] {
        let before = repository.head("release").await.unwrap();
        let merged = repository.merge(&change).await.unwrap();
        assert_ne!(merged.commit, before);
        assert_eq!(merged.commit, repository.head("release").await.unwrap());
    }

    // Each merge pushes the change's branch and the release branch.
    let requests = wait_for(&received, 6).await;
    for (head, body) in &requests {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"a secret of this test").unwrap();
        mac.update(body);
        assert_eq!(header(head, "x-gitea-signature"), HEXLOWER.encode(&mac.finalize().into_bytes()));
    }

    let deliveries = repository.deliveries(webhook).await.unwrap();
    assert_eq!(deliveries.len(), 6);
    let first = deliveries.last().unwrap();
    repository.redeliver(webhook, first).await.unwrap();
    let again = wait_for(&received, 7).await.pop().unwrap();
    let original = requests.iter().find(|(head, _)| header(head, "x-gitea-delivery") == first.id).unwrap();
    assert!(again.1 == original.1, "{}", String::from_utf8_lossy(&again.1));
    assert_ne!(header(&again.0, "x-gitea-delivery"), first.id);

    assert_eq!(repository.statuses(&repository.head("release").await.unwrap()).await.unwrap(), []);
}
