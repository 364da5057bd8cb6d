//! The store: objects in a bucket, under a prefix.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use uptake_pipeline::ports::{Expected, File, Files, PortError, Version, Versions, Written};

use crate::service_error::{causes, port_error};

/// A bucket, and the prefix every key begins with.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
    /// Empty, or ending with a slash.
    prefix: String,
}

impl Bucket {
    /// The part of the bucket `name` under `prefix`, which is given without slashes at its ends and may be empty.
    pub fn new(client: Client, name: String, prefix: &str) -> Self {
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        Self { client, name, prefix }
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn put(&self, key: &str, bytes: Bytes) -> PutObjectFluentBuilder {
        self.client
            .put_object()
            .bucket(&self.name)
            .key(self.full(key))
            .body(bytes.into())
    }

    /// `also` is what S3 needs beside `action` on the objects before it stops to deny.
    fn failed<E>(&self, action: &str, also: &str, key: &str, error: &SdkError<E>) -> PortError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let grant = format!("{action} on arn:aws:s3:::{}/{}*{also}", self.name, self.prefix);
        self.failed_without(grant, key, error)
    }

    /// `grant` is what to allow where S3 denies.
    fn failed_without<E>(&self, grant: String, key: &str, error: &SdkError<E>) -> PortError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        // Another try answers the same.
        if error.code() == Some("NoSuchBucket") {
            return PortError::Missing {
                what: format!("s3://{}/", self.name),
                remedy: "create the bucket, or correct UPTAKE_STORE".to_owned(),
            };
        }
        port_error(self.location(key), grant, error)
    }
}

/// For buckets whose objects are encrypted with a key of one's own.
const TO_READ_ENCRYPTED: &str = ", and kms:Decrypt where a KMS key encrypts the bucket";
const TO_WRITE_ENCRYPTED: &str = ", and kms:GenerateDataKey where a KMS key encrypts the bucket";

#[async_trait]
impl Files for Bucket {
    async fn read(&self, key: &str) -> Result<Option<File>, PortError> {
        let object = match self
            .client
            .get_object()
            .bucket(&self.name)
            .key(self.full(key))
            .send()
            .await
        {
            Ok(object) => object,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => {
                // Without the right to list, S3 calls an object that does not exist "denied" (GetObject reference,
                // "Permissions", read 2026-11-21).
                let also = format!("{TO_READ_ENCRYPTED}, and s3:ListBucket on arn:aws:s3:::{}", self.name);
                return Err(self.failed("s3:GetObject", &also, key, &error));
            }
        };
        let version = Version(object.e_tag.unwrap_or_default());
        let bytes = object.body.collect().await.map_err(|error| PortError::Unavailable {
            what: self.location(key),
            reason: causes(&error),
        })?;
        Ok(Some(File {
            bytes: bytes.into_bytes(),
            version,
        }))
    }

    async fn write(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        let put = self.put(key, bytes).send().await;
        put.map(|_| ())
            .map_err(|error| self.failed("s3:PutObject", TO_WRITE_ENCRYPTED, key, &error))
    }

    async fn write_if(&self, key: &str, bytes: Bytes, expected: Expected) -> Result<Written, PortError> {
        let put = self.put(key, bytes);
        let put = match expected {
            Expected::Absent => put.if_none_match("*"),
            Expected::Unchanged(Version(etag)) => put.if_match(etag),
        };
        match put.send().await {
            Ok(_) => Ok(Written::Stored),
            Err(error) if is_conflict(&error) => Ok(Written::Conflict),
            Err(error) => Err(self.failed("s3:PutObject", TO_WRITE_ENCRYPTED, key, &error)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, PortError> {
        let mut keys = Vec::new();
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(self.full(prefix))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                self.failed_without(format!("s3:ListBucket on arn:aws:s3:::{}", self.name), prefix, &error)
            })?;
            let full = page.contents.into_iter().flatten().filter_map(|object| object.key);
            keys.extend(full.filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned)));
        }
        keys.sort_unstable();
        Ok(keys)
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        let delete = self.client.delete_object().bucket(&self.name).key(self.full(key));
        delete
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.failed("s3:DeleteObject", "", key, &error))
    }

    fn location(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.name, self.prefix)
    }
}

/// `DeleteObjects` takes at most this many (its reference, read 2026-11-22).
const MOST_DELETED_AT_ONCE: usize = 1_000;

/// What a bucket with versions keeps beside the objects there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Contents that were replaced or deleted.
    Contents,
    /// Notes that an object was deleted.
    DeleteMarkers,
}

#[async_trait]
impl Versions for Bucket {
    /// A bucket without versions has nothing to forget.
    async fn forget(&self, prefix: &str) -> Result<u64, PortError> {
        // A marker that goes before the content below it would bring that content back.
        let contents = self.forget_kept(prefix, Kept::Contents).await?;
        let markers = self.forget_kept(prefix, Kept::DeleteMarkers).await?;
        Ok(contents + markers)
    }
}

impl Bucket {
    async fn forget_kept(&self, prefix: &str, kept: Kept) -> Result<u64, PortError> {
        let mut forgotten = 0;
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let page = self
                .client
                .list_object_versions()
                .bucket(&self.name)
                .prefix(self.full(prefix))
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker)
                .send()
                .await
                .map_err(|error| {
                    let grant = format!("s3:ListBucketVersions on arn:aws:s3:::{}", self.name);
                    self.failed_without(grant, prefix, &error)
                })?;
            let identifiers: Vec<ObjectIdentifier> = match kept {
                Kept::Contents => page
                    .versions
                    .into_iter()
                    .flatten()
                    .filter(|version| version.is_latest != Some(true))
                    .filter_map(|version| identifier(version.key, version.version_id))
                    .collect(),
                Kept::DeleteMarkers => page
                    .delete_markers
                    .into_iter()
                    .flatten()
                    .filter_map(|marker| identifier(marker.key, marker.version_id))
                    .collect(),
            };
            for some in identifiers.chunks(MOST_DELETED_AT_ONCE) {
                self.delete_versions(prefix, some.to_vec()).await?;
                forgotten += some.len() as u64;
            }
            if page.is_truncated != Some(true) {
                return Ok(forgotten);
            }
            (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
        }
    }

    async fn delete_versions(&self, prefix: &str, versions: Vec<ObjectIdentifier>) -> Result<(), PortError> {
        const ACTION: &str = "s3:DeleteObjectVersion";
        let wanted = Delete::builder().set_objects(Some(versions)).quiet(true).build();
        let wanted = wanted.map_err(|error| PortError::Unavailable {
            what: self.location(prefix),
            reason: causes(&error),
        })?;
        let delete = self.client.delete_objects().bucket(&self.name).delete(wanted);
        let answer = delete
            .send()
            .await
            .map_err(|error| self.failed(ACTION, "", prefix, &error))?;
        // What could not be deleted is told one by one; the first will do.
        let Some(refused) = answer.errors.into_iter().flatten().next() else {
            return Ok(());
        };
        let what = self.location(prefix);
        Err(match refused.code.as_deref() {
            Some("AccessDenied") => PortError::Denied {
                what,
                grant: format!("{ACTION} on arn:aws:s3:::{}/{}*", self.name, self.full(prefix)),
            },
            code => PortError::Unavailable {
                what,
                reason: format!("a version could not be deleted: {}", code.unwrap_or("no reason given")),
            },
        })
    }
}

fn identifier(key: Option<String>, version: Option<String>) -> Option<ObjectIdentifier> {
    ObjectIdentifier::builder().key(key?).version_id(version?).build().ok()
}

/// 412: the object is not what was expected. 409: another conditional write is under way. `NoSuchKey`: it was there and
/// is gone. (Conditional writes, Amazon S3 user guide, read 2026-11-21.)
///
/// When the SDK repeats a write whose answer got lost, the first write is the "somebody else" of the second; that is
/// the safe way round.
fn is_conflict<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("NoSuchKey")
        || error
            .raw_response()
            .is_some_and(|response| matches!(response.status().as_u16(), 409 | 412))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::Loopback;

    fn bucket(service: &Loopback) -> Bucket {
        let config = aws_sdk_s3::config::Builder::from(&service.sdk_config()).force_path_style(true);
        Bucket::new(Client::from_conf(config.build()), "bucket".to_owned(), "prod")
    }

    fn error(code: &str) -> String {
        format!("<Error><Code>{code}</Code><Message>as S3 puts it</Message></Error>")
    }

    async fn write_if(status: u16, code: &str) -> Result<Written, PortError> {
        let service = Loopback::answering(status, error(code)).await;
        bucket(&service).write_if("k", Bytes::new(), Expected::Absent).await
    }

    #[tokio::test]
    async fn an_object_that_does_not_exist_is_none_and_a_bucket_that_does_not_is_an_error() {
        let service = Loopback::answering(404, error("NoSuchKey")).await;
        assert_eq!(bucket(&service).read("k").await.unwrap(), None);
        let service = Loopback::answering(404, error("NoSuchBucket")).await;
        let message = bucket(&service).read("k").await.unwrap_err().to_string();
        assert_eq!(
            message,
            "s3://bucket/ does not exist; create the bucket, or correct UPTAKE_STORE"
        );
    }

    #[tokio::test]
    async fn a_conditional_write_that_comes_second_is_a_conflict() {
        for (status, code) in [
            (412, "PreconditionFailed"),
            (409, "ConditionalRequestConflict"),
            (404, "NoSuchKey"),
        ] {
            assert_eq!(write_if(status, code).await.unwrap(), Written::Conflict, "{code}");
        }
        assert!(matches!(
            write_if(404, "NoSuchBucket").await,
            Err(PortError::Missing { .. })
        ));
    }

    /// The version that counts stays, contents go before the markers that hide them, and page follows page.
    #[tokio::test]
    async fn what_is_forgotten_is_all_but_what_counts() {
        let page = |truncated: bool, entries: &str| {
            format!(
                "<ListVersionsResult><IsTruncated>{truncated}</IsTruncated>\
                 <NextKeyMarker>prod/t/b</NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker>{entries}</ListVersionsResult>"
            )
        };
        let entry = |kind: &str, key: &str, id: &str, latest: bool| {
            format!("<{kind}><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest></{kind}>")
        };
        let first = page(
            true,
            &(entry("Version", "prod/t/a", "2", true)
                + &entry("Version", "prod/t/a", "1", false)
                + &entry("DeleteMarker", "prod/t/b", "2", true)),
        );
        let second = page(false, &entry("Version", "prod/t/b", "1", false));
        let done = "<DeleteResult></DeleteResult>".to_owned();
        let answers = [&first, &done, &second, &done, &first, &done, &second];
        let answers = answers.into_iter().map(|answer| (200, answer.clone())).collect();
        let service = Loopback::answering_in_turn(answers).await;
        assert_eq!(bucket(&service).forget("t/").await.unwrap(), 3);
        let deleted: Vec<String> = service
            .requests()
            .iter()
            .map(|body| String::from_utf8_lossy(body).into_owned())
            .filter(|body| body.contains("<Delete"))
            .collect();
        let names = |body: &String| {
            let keys = body.split("<Key>").skip(1);
            keys.map(|rest| {
                let (key, rest) = rest.split_once("</Key>").unwrap();
                let id = rest.split_once("<VersionId>").unwrap().1.split_once('<').unwrap().0;
                format!("{key} {id}")
            })
            .collect::<Vec<_>>()
        };
        let deleted: Vec<_> = deleted.iter().map(names).collect();
        assert_eq!(deleted, [["prod/t/a 1"], ["prod/t/b 1"], ["prod/t/b 2"]]);
    }

    #[tokio::test]
    async fn a_version_that_cannot_be_deleted_is_told() {
        let listed = "<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>prod/t/a</Key><VersionId>1</VersionId>\
                      <IsLatest>false</IsLatest></Version></ListVersionsResult>";
        let refused =
            |code: &str| format!("<DeleteResult><Error><Code>{code}</Code><Key>prod/t/a</Key></Error></DeleteResult>");
        for (code, expected) in [
            (
                "AccessDenied",
                "grant s3:DeleteObjectVersion on arn:aws:s3:::bucket/prod/t/*",
            ),
            ("InternalError", "a version could not be deleted: InternalError"),
        ] {
            let service = Loopback::answering_in_turn(vec![(200, listed.to_owned()), (200, refused(code))]).await;
            let message = bucket(&service).forget("t/").await.unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[tokio::test]
    async fn a_denial_says_what_to_grant_on_which_objects() {
        let service = Loopback::answering(403, error("AccessDenied")).await;
        let bucket = bucket(&service);
        for (message, grant) in [
            (
                bucket.read("k").await.unwrap_err().to_string(),
                "s3:GetObject on arn:aws:s3:::bucket/prod/*",
            ),
            (
                bucket.write("k", Bytes::new()).await.unwrap_err().to_string(),
                "s3:PutObject on arn:aws:s3:::bucket/prod/*",
            ),
            (
                bucket.delete("k").await.unwrap_err().to_string(),
                "s3:DeleteObject on arn:aws:s3:::bucket/prod/*",
            ),
            (
                bucket.list("state/").await.unwrap_err().to_string(),
                "s3:ListBucket on arn:aws:s3:::bucket",
            ),
        ] {
            assert!(message.contains(&format!("access denied; grant {grant}")), "{message}");
        }
    }
}
