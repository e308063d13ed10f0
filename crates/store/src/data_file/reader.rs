//! Reading a data file back, range by range.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::error::{Error, Result};
use crate::snapshot::LiveFile;

/// Bytes read at once from the end of a file; most footers fit.
const FOOTER_BYTES: usize = 64 * 1024;

/// A data file, opened: its footer is read, its rows are not.
pub(crate) type OpenFile = ParquetRecordBatchStreamBuilder<FileReader>;

/// Opens a data file, with the places of its pages but not their statistics.
///
/// # Errors
/// [`Error::Storage`] when its footer cannot be read.
pub(crate) async fn open(objects: &Arc<dyn ObjectStore>, file: &LiveFile) -> Result<OpenFile> {
    let (path, size) = (file.path.clone(), file.size);
    let reader = FileReader { objects: objects.clone(), path, size };
    let opened = ParquetRecordBatchStreamBuilder::new_with_options(reader, options()).await;
    opened.map_err(|e| Error::storage(format!("read `{}`", file.path), e))
}

/// Opens a small data file, which is read whole: one request, and nothing to wait for afterwards.
///
/// # Errors
/// [`Error::Storage`] when it cannot be read.
pub(crate) async fn open_whole(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
) -> Result<ParquetRecordBatchReaderBuilder<Bytes>> {
    let whole = async {
        let bytes = objects.get(&file.path).await.map_err(external)?.bytes().await;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
        let bytes = bytes.map_err(external)?;
        ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
    };
    whole.await.map_err(|e| Error::storage(format!("read `{}`", file.path), e))
}

/// A data file whose footer is kept, to be opened again and again.
pub(crate) struct Footer {
    /// The file.
    pub file: LiveFile,
    reader: FileReader,
    metadata: ArrowReaderMetadata,
}

impl Footer {
    /// Reads the footer of a file.
    ///
    /// # Errors
    /// [`Error::Storage`] when it cannot be read.
    pub async fn read(objects: &Arc<dyn ObjectStore>, file: &LiveFile) -> Result<Footer> {
        let (path, size) = (file.path.clone(), file.size);
        let mut reader = FileReader { objects: objects.clone(), path, size };
        let metadata = ArrowReaderMetadata::load_async(&mut reader, options()).await;
        let metadata = metadata.map_err(|e| Error::storage(format!("read `{}`", file.path), e))?;
        Ok(Footer { file: file.clone(), reader, metadata })
    }

    /// The file, opened.
    pub fn open(&self) -> OpenFile {
        OpenFile::new_with_metadata(self.reader.clone(), self.metadata.clone())
    }
}

fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new()
        .with_column_index_policy(PageIndexPolicy::Skip)
        .with_offset_index_policy(PageIndexPolicy::Optional)
}

/// A file in an object store.
#[derive(Clone)]
pub(crate) struct FileReader {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.objects.get_range(&self.path, range).map_err(external).boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move { self.objects.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new()
                .with_arrow_reader_options(options)
                .with_prefetch_hint(Some(FOOTER_BYTES));
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
