//! What the bucket itself answers, remembered where it may change.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, ObjectMeta, Result};

use super::opening::Answer;
use super::{Known, Traffic};
use crate::layout::{self, Kept};

impl Known {
    /// Asks the bucket itself.
    pub(super) async fn ask(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let own = options.extensions.get::<Arc<Traffic>>().cloned();
        let head = options.head;
        let result = self.inner.get_opts(path, options).await;
        let bytes = result.as_ref().map_or(0, |got| got.range.end - got.range.start);
        for traffic in own.iter().chain([&self.traffic]) {
            traffic.count(1, if head { 0 } else { bytes });
        }
        if matches!(result, Err(object_store::Error::NotFound { .. }))
            && layout::kept(path) == Kept::Always
        {
            // Removed since: what named it is out of date.
            self.opening().forget();
        }
        result
    }

    pub(super) async fn ask_listing(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> Result<Vec<ObjectMeta>> {
        self.traffic.count(1, 0);
        let listed = match offset {
            Some(offset) => self.inner.list_with_offset(prefix, offset),
            None => self.inner.list(prefix),
        };
        let listed: Vec<ObjectMeta> = listed.try_collect().await?;
        self.note(&listed);
        Ok(listed)
    }

    /// An answer that may change: remembered, or asked for and then remembered.
    async fn answer(
        &self,
        question: String,
        ask: impl Future<Output = Result<Answer>>,
    ) -> Result<Answer> {
        let (remembered, age) = self.opening().answer(&question);
        if let Some(answer) = remembered {
            return Ok(answer);
        }
        let answer = ask.await?;
        if self.opening().remember(age, question, &answer) {
            self.keep_opening().await;
        }
        Ok(answer)
    }

    pub(super) async fn small_file(&self, path: &Path, options: GetOptions) -> Result<Answer> {
        let question = format!("get {path}");
        let answer = self.answer(question, async {
            let got = match self.ask(path, options).await {
                Err(object_store::Error::NotFound { .. }) => return Ok(Answer::Nothing),
                got => got?,
            };
            let meta = got.meta.clone();
            Ok(Answer::File(meta, got.bytes().await?))
        });
        answer.await
    }

    pub(super) async fn listing(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> Result<Vec<ObjectMeta>> {
        let text = |path: Option<&Path>| path.map_or("", Path::as_ref).to_owned();
        let question = format!("list {} {}", text(prefix), text(offset));
        let answer = self.answer(question, async {
            Ok(Answer::Listed(self.ask_listing(prefix, offset).await?, Vec::new()))
        });
        match answer.await? {
            Answer::Listed(listed, _) => Ok(listed),
            Answer::Nothing | Answer::File(..) => Ok(Vec::new()),
        }
    }

    /// The files in a folder, and the folders.
    pub(super) async fn folders(
        &self,
        prefix: Option<&Path>,
    ) -> Result<(Vec<ObjectMeta>, Vec<Path>)> {
        let question = format!("folders {}", prefix.map_or("", Path::as_ref));
        let answer = self.answer(question, async {
            self.traffic.count(1, 0);
            let listed = self.inner.list_with_delimiter(prefix).await?;
            Ok(Answer::Listed(listed.objects, listed.common_prefixes))
        });
        match answer.await? {
            Answer::Listed(files, folders) => Ok((files, folders)),
            Answer::Nothing | Answer::File(..) => Ok((Vec::new(), Vec::new())),
        }
    }
}
