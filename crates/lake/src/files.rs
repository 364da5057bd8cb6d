//! Data files: which there are, what is in them, and how they are written.

use std::ops::Range;
use std::slice;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::SchemaRef;
use deltalake::arrow::error::ArrowError;
use deltalake::kernel::LogicalFileView;
use deltalake::logstore::object_store::ObjectStoreExt as _;
use deltalake::logstore::object_store::path::Path;
use deltalake::parquet::DecodeResult;
use deltalake::parquet::arrow::ProjectionMask;
use deltalake::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use deltalake::parquet::arrow::push_decoder::ParquetPushDecoderBuilder;
use deltalake::parquet::basic::{Compression, ZstdLevel};
use deltalake::parquet::errors::ParquetError;
use deltalake::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder};
use deltalake::parquet::file::properties::WriterProperties;
use deltalake::parquet::file::reader::ChunkReader;
use deltalake::parquet::schema::types::SchemaDescriptor;
use deltalake::writer::RecordBatchWriter;
use deltalake::{DeltaTableError, ObjectStore, ObjectStoreError};
use futures::TryStreamExt;
use uptake_domain::tables::Table;

use crate::rows::{Partition, conform};
use crate::store::Opened;
use crate::{Lake, LakeError};

/// Beyond this level files hardly shrink, but the writing slows down.
const ZSTD: i32 = 3;

/// So much of a file's end is fetched first. What is where in the file stands there, and a small file is read with it.
const END: u64 = 64 << 10;

/// A data file that belongs to the table.
pub(crate) struct DataFile {
    pub(crate) entry: LogicalFileView,
    /// As the log has it; `None` where the partition column is null.
    pub(crate) partition: Vec<Option<String>>,
    columns: &'static [&'static str],
}

impl DataFile {
    /// The value of a partition column.
    pub(crate) fn value(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|name| *name == column)?;
        self.partition.get(at)?.as_deref()
    }

    /// Whether the file lies in this partition.
    pub(crate) fn is_in(&self, partition: &Partition) -> bool {
        let own = self.partition.iter().map(Option::as_deref);
        own.eq(partition.iter().map(|value| Some(value.as_str())))
    }

    pub(crate) fn bytes(&self) -> u64 {
        u64::try_from(self.entry.size()).unwrap_or(0)
    }
}

impl Lake {
    /// The files of the table, by their names.
    pub(crate) async fn files(&self, table: &'static Table, opened: &Opened) -> Result<Vec<DataFile>, LakeError> {
        let entries: Vec<LogicalFileView> = opened
            .delta
            .get_active_add_actions_by_partitions(&[])
            .try_collect()
            .await
            .map_err(|error| self.failed(table, &error))?;
        let mut files = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.deletion_vector_descriptor().is_some() {
                return Err(LakeError::Foreign {
                    table: table.name,
                    reason: "rows were deleted through deletion vectors".to_owned(),
                });
            }
            let mut values = entry.partition_values_map();
            let value = |name: &&str| values.remove(*name).flatten();
            let partition = table.partitioned_by.iter().map(value).collect();
            files.push(DataFile {
                entry,
                partition,
                columns: table.partitioned_by,
            });
        }
        files.sort_by(|a, b| a.entry.path().cmp(&b.entry.path()));
        Ok(files)
    }

    /// What is in a file, with the columns of `schema`. The file is fetched here and decoded batch by batch, as the
    /// batches are taken.
    ///
    /// Background: files are decoded, and rows merged, by the task that asks for them. Alternative: threads of their
    /// own, away from the tasks that wait for the store. The allocator gives every thread a heap that keeps what was
    /// once needed, so a function of 150 MiB had 300, and it has one processor at most (50,000 people, `make bench`).
    pub(crate) async fn read_file(
        &self,
        table: &'static Table,
        store: &dyn ObjectStore,
        file: &DataFile,
        schema: &SchemaRef,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>> + use<>, LakeError> {
        let path = file.entry.object_store_path();
        let bytes = match async { store.get(&path).await?.bytes().await }.await {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.not_read(table, &path, error).await),
        };
        let reader = decoder(bytes, schema).map_err(|_| LakeError::of_arrow(table.name))?;
        let (columns, partition, schema) = (file.columns, file.partition.clone(), schema.clone());
        Ok(reader.map(move |batch| {
            let values = partition.iter().map(Option::as_deref);
            let values: Vec<_> = columns.iter().copied().zip(values).collect();
            conform(&batch?, &values, &schema)
        }))
    }
}

impl Lake {
    /// Gives `on_batch` what is in a file, with the columns of `schema`, batch by batch. Only what these columns take of
    /// the file is fetched, so that a narrow column of a large file needs little memory.
    pub(crate) async fn read_columns(
        &self,
        table: &'static Table,
        store: &dyn ObjectStore,
        file: &DataFile,
        schema: &SchemaRef,
        mut on_batch: impl FnMut(RecordBatch) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        let odd = |_: ParquetError| LakeError::of_arrow(table.name);
        let path = file.entry.object_store_path();
        let size = file.bytes();
        let end = size.saturating_sub(END)..size;
        let end_bytes = self.fetch(table, store, &path, slice::from_ref(&end)).await?;

        let mut decoder = ParquetMetaDataPushDecoder::try_new(size)
            .map_err(odd)?
            .with_page_index_policy(PageIndexPolicy::Skip);
        decoder.push_ranges(vec![end.clone()], end_bytes.clone()).map_err(odd)?;
        let contents: ParquetMetaData = loop {
            match decoder.try_decode().map_err(odd)? {
                DecodeResult::Data(contents) => break contents,
                DecodeResult::NeedsData(ranges) => {
                    let bytes = self.fetch(table, store, &path, &ranges).await?;
                    decoder.push_ranges(ranges, bytes).map_err(odd)?;
                }
                DecodeResult::Finished => return Err(LakeError::of_arrow(table.name)),
            }
        };

        let builder = ParquetPushDecoderBuilder::try_new_decoder_with_options(Arc::new(contents), options());
        let builder = builder.map_err(odd)?;
        let mask = mask(builder.parquet_schema(), schema);
        let mut decoder = builder.with_projection(mask).build().map_err(odd)?;
        decoder.push_ranges(vec![end], end_bytes).map_err(odd)?;
        let values = file.columns.iter().copied();
        let values: Vec<_> = values.zip(file.partition.iter().map(Option::as_deref)).collect();
        loop {
            match decoder.try_decode().map_err(odd)? {
                DecodeResult::Data(batch) => {
                    let batch = conform(&batch, &values, schema).map_err(|_| LakeError::of_arrow(table.name))?;
                    on_batch(batch)?;
                }
                DecodeResult::NeedsData(ranges) => {
                    let bytes = self.fetch(table, store, &path, &ranges).await?;
                    decoder.push_ranges(ranges, bytes).map_err(odd)?;
                }
                DecodeResult::Finished => return Ok(()),
            }
        }
    }

    /// Why a data file could not be read. One that is gone is a fault, unless it was replaced in the meantime and a purge
    /// did not wait.
    async fn not_read(&self, table: &'static Table, path: &Path, error: ObjectStoreError) -> LakeError {
        if !matches!(error, ObjectStoreError::NotFound { .. }) {
            return self.store_failed(table, error);
        }
        let present = match self.open(table).await {
            Ok(Some(opened)) => self.files(table, &opened).await,
            Ok(None) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        match present {
            Ok(files) if files.iter().any(|file| file.entry.object_store_path() == *path) => {
                self.store_failed(table, error)
            }
            Ok(_) => LakeError::Unavailable {
                table: table.name,
                reason: "what was read has been replaced and purged meanwhile".to_owned(),
            },
            Err(error) => error,
        }
    }

    async fn fetch(
        &self,
        table: &'static Table,
        store: &dyn ObjectStore,
        path: &Path,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, LakeError> {
        let parts = match store.get_ranges(path, ranges).await {
            Ok(parts) => parts,
            Err(error) => return Err(self.not_read(table, path, error).await),
        };
        // A store gives less where the file ends before the range does.
        let whole = parts.iter().zip(ranges);
        let mut whole = whole.map(|(part, range)| part.len() as u64 == range.end - range.start);
        if !whole.all(|whole| whole) {
            return Err(LakeError::Foreign {
                table: table.name,
                reason: "a file is shorter than the log says".to_owned(),
            });
        }
        Ok(parts)
    }
}

fn decoder(bytes: impl ChunkReader + 'static, schema: &SchemaRef) -> Result<ParquetRecordBatchReader, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options())?;
    let mask = mask(builder.parquet_schema(), schema);
    builder.with_projection(mask).build()
}

fn options() -> ArrowReaderOptions {
    // Others may have told Arrow to read text as views; the types of the table are what counts.
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}

fn mask(of_file: &SchemaDescriptor, schema: &SchemaRef) -> ProjectionMask {
    let wanted = schema.fields().iter().map(|field| field.name().as_str());
    ProjectionMask::columns(of_file, wanted)
}

/// What writes files for a table. Only its `flush` makes them; only a commit makes them part of the table.
pub(crate) fn writer(opened: &Opened) -> Result<RecordBatchWriter, DeltaTableError> {
    let level = ZstdLevel::try_new(ZSTD)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .build();
    Ok(RecordBatchWriter::for_table(&opened.delta)?.with_writer_properties(properties))
}
