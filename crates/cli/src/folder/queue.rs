//! Hints as files: one file a message, until the function that they are for has looked.

use async_trait::async_trait;
use uptake_pipeline::ports::{Files, PortError, Queue};
use uuid::Uuid;

use super::Folder;

/// Where the webhook leaves its hints.
const ACTIVITY: &str = "queue/activity/";

#[async_trait]
impl Queue for Folder {
    async fn send(&self, message: &str) -> Result<(), PortError> {
        let key = format!("{ACTIVITY}{}.json", Uuid::new_v4());
        self.write(&key, message.to_owned().into()).await
    }
}

impl Folder {
    /// The keys of the hints that are there.
    pub async fn hints(&self) -> Result<Vec<String>, PortError> {
        self.list(ACTIVITY).await
    }

    /// Removes hints that were followed.
    pub async fn forget_hints(&self, followed: &[String]) -> Result<(), PortError> {
        for key in followed {
            self.delete(key).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hints_wait_until_they_are_followed() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path().to_owned());
        assert!(folder.hints().await.unwrap().is_empty());
        for hint in ["1", "2"] {
            folder.send(hint).await.unwrap();
        }
        let hints = folder.hints().await.unwrap();
        assert_eq!(hints.len(), 2);
        folder.send("3").await.unwrap();
        folder.forget_hints(&hints).await.unwrap();
        let left = folder.hints().await.unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(folder.read(&left[0]).await.unwrap().unwrap().bytes, "3");
    }
}
