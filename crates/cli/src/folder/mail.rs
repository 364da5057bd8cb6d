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
        self.write(&letter)
            .map(|path| path.display().to_string())
            .map_err(|error| MailError::Refused(error.to_string()))
    }
}

impl Folder {
    fn write(&self, letter: &Letter<'_>) -> io::Result<PathBuf> {
        let folder = self.path(&format!("mail/{}", letter.day));
        fs::create_dir_all(&folder)?;
        for number in 1_u32.. {
            let path = folder.join(format!("{}-{number}.eml", letter.report));
            match File::create_new(&path) {
                Ok(mut file) => {
                    file.write_all(letter.message)?;
                    fs::write(path.with_extension("html"), letter.html)?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no free number for a mail"))
    }
}
