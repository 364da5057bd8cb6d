//! Stored records: JSON lines, compressed.

use std::io::{self, BufRead, BufReader, BufWriter, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

const COMPRESSION_LEVEL: i32 = 3;

/// One compressed JSON line a record.
pub(crate) fn encode<T: Serialize>(records: impl IntoIterator<Item = T>) -> io::Result<Vec<u8>> {
    let mut lines = BufWriter::new(zstd::Encoder::new(Vec::new(), COMPRESSION_LEVEL)?);
    for record in records {
        serde_json::to_writer(&mut lines, &record)?;
        lines.write_all(b"\n")?;
    }
    lines.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
}

/// The records again, one at a time.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<impl Iterator<Item = io::Result<T>>> {
    let lines = BufReader::new(zstd::Decoder::new(bytes)?).lines();
    Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
}
