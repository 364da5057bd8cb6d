//! What a store answers becomes what there is to do.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use uptake_lake::{Columns, Lake, LakeError};

use crate::tables::{USAGE, stamp, usage};

fn bucket(endpoint: &str) -> Lake {
    let options = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "dummy"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
    ];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Lake::in_bucket("lake", "a/b", options.into()).unwrap()
}

/// A store that gives every request the same answer.
async fn answering(answer: &'static str) -> Lake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            if connection.read(&mut request).await.unwrap() > 0 {
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    bucket(&endpoint)
}

#[tokio::test]
async fn a_store_that_refuses_says_what_to_grant() {
    let lake = answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    for error in [
        lake.describe(&USAGE).await.unwrap_err(),
        lake.upsert(&USAGE, Columns::All, &[usage(1, "a", 1, 1)], &stamp("a"))
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(error, LakeError::Denied { .. }), "{error:?}");
        assert!(!error.is_transient());
        assert_eq!(
            error.to_string(),
            "usage: the store refuses access; grant s3:GetObject, s3:PutObject and s3:DeleteObject on \
             arn:aws:s3:::lake/a/b/usage/*, s3:ListBucket on arn:aws:s3:::lake, and kms:Decrypt and \
             kms:GenerateDataKey where a KMS key encrypts the bucket"
        );
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_not_worth_another_try() {
    let lake = answering(
        "HTTP/1.1 404 Not Found\r\ncontent-length: 40\r\nconnection: close\r\n\r\n\
         <Error><Code>NoSuchBucket</Code></Error>",
    )
    .await;
    let error = lake.describe(&USAGE).await.unwrap_err();
    assert_eq!(error.to_string(), "the lake cannot lie there: there is no such bucket");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_worth_another_try() {
    // Nobody listens on the discard port.
    let error = bucket("http://127.0.0.1:9").describe(&USAGE).await.unwrap_err();
    assert!(matches!(error, LakeError::Unavailable { .. }), "{error:?}");
    assert!(error.is_transient());
    assert!(!error.to_string().contains("hush"));
}
