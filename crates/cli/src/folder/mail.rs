//! Mails as files: the whole message as `.eml`, the HTML body beside it for a browser.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use async_trait::async_trait;
use uptake_pipeline::ports::{Letter, Mail, MailError};

use super::Folder;

#[async_trait]
impl Mail for Folder {
    async fn send(&self, letter: Letter<'_>) -> Result<String, MailError> {
        self.write_letter(&letter)
            .map(|path| path.display().to_string())
            .map_err(|error| MailError::Refused(error.to_string()))
    }
}

impl Folder {
    /// The HTML first: it claims the number, and once the message is there the mail counts as sent.
    fn write_letter(&self, letter: &Letter<'_>) -> io::Result<PathBuf> {
        let folder = self.path(&format!("mail/{}", letter.day));
        fs::create_dir_all(&folder)?;
        for number in 1_u32.. {
            let path = folder.join(format!("{}-{number}.html", letter.report));
            match File::create_new(&path) {
                Ok(mut html) => {
                    html.write_all(letter.html.as_bytes())?;
                    let path = path.with_extension("eml");
                    Self::replace(&path, letter.message)?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no free number for a mail"))
    }
}
