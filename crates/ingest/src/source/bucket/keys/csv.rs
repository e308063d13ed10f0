//! Inventories in CSV: gzip files whose columns stand as the manifest says, keys URL-encoded.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use memchr::{memchr, memchr2};

use super::super::Bucket;
use super::super::walk::Met;
use super::Entry;
use super::lines::Lines;
use crate::notice::url_decoded;

/// Characters that are shown of a line that is wrong.
const SHOWN_CHARS: usize = 200;

/// Where columns stand in a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Columns {
    bucket: Option<usize>,
    key: usize,
    size: Option<usize>,
    modified_at: Option<usize>,
    etag: Option<usize>,
    is_latest: Option<usize>,
    is_delete_marker: Option<usize>,
}

impl Columns {
    /// Reads the `fileSchema` of a manifest.
    ///
    /// # Errors
    /// In words, when there is no column for keys.
    pub(super) fn of(schema: &str) -> Result<Columns, String> {
        let names: Vec<&str> = schema.split(',').map(str::trim).collect();
        let place = |name: &str| names.iter().position(|found| *found == name);
        Ok(Columns {
            bucket: place("Bucket"),
            key: place("Key").ok_or("the inventory has no column `Key`")?,
            size: place("Size"),
            modified_at: place("LastModifiedDate"),
            etag: place("ETag"),
            is_latest: place("IsLatest"),
            is_delete_marker: place("IsDeleteMarker"),
        })
    }

    /// Calls `met` with what each line of a gzip file tells of, until it returns false; whether it
    /// never did.
    pub(super) fn list(
        &self,
        file: impl Read,
        bucket: &Bucket,
        wrong: &dyn Fn(String) -> Met,
        met: &mut dyn FnMut(Met) -> bool,
    ) -> bool {
        let mut lines = Lines::of(MultiGzDecoder::new(file));
        loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return true,
                Err(error) => return met(wrong(error.to_string())),
            };
            let found = match self.object(line, bucket) {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(reason) => {
                    let start: String = line.chars().take(SHOWN_CHARS).collect();
                    wrong(format!("{reason}: `{start}`"))
                }
            };
            if !met(found) {
                return false;
            }
        }
    }

    fn object(&self, line: &str, bucket: &Bucket) -> Result<Option<Met>, String> {
        let fields = fields(line);
        let field =
            |place: Option<usize>| place.and_then(|place| fields.get(place)).map(|of| &**of);
        let entry = Entry {
            bucket: field(self.bucket),
            key: url_decoded(field(Some(self.key)).ok_or("it has too few columns")?)?,
            size: field(self.size).and_then(|size| size.parse().ok()),
            modified_at: field(self.modified_at).and_then(|at| at.parse().ok()),
            etag: field(self.etag),
            is_gone: field(self.is_latest) == Some("false")
                || field(self.is_delete_marker) == Some("true"),
        };
        entry.met(bucket)
    }
}

/// The fields of a line of CSV; a quote within quotes is doubled.
fn fields(line: &str) -> Vec<Cow<'_, str>> {
    plain_fields(line).unwrap_or_else(|| spelled_fields(line).into_iter().map(Cow::Owned).collect())
}

/// The fields of a line in which each stands in quotes or has none, as S3 writes them; none for
/// another.
fn plain_fields(line: &str) -> Option<Vec<Cow<'_, str>>> {
    let (mut fields, mut rest) = (Vec::with_capacity(16), line);
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = memchr(b'"', quoted.as_bytes())?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => {
                let end = memchr2(b',', b'"', rest.as_bytes()).unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        fields.push(Cow::Borrowed(field));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            // What is left over begins with a quote that stands elsewhere.
            None => return after.is_empty().then_some(fields),
        }
    }
}

/// The fields of any line.
fn spelled_fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_an_inventory_names_an_object() {
        let schema =
            "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag";
        let columns = Columns::of(schema).unwrap();
        let bucket = Bucket::nowhere("trail", "logs");
        let check = |line: &str, expected: Option<(&str, u64)>| {
            let found = match columns.object(line, &bucket) {
                Ok(Some(Met::Object(object))) => Some((object.key, object.size)),
                Ok(None) => None,
                _ => panic!("{line}"),
            };
            let expected = expected.map(|(key, size)| (key.to_owned(), size));
            assert_eq!(found, expected, "{line}");
        };
        let rest = r#""","true","false","12","2024-05-06T07:08:09.000Z","abc""#;
        check(&format!(r#""trail","logs/a+b%2Bc.gz",{rest}"#), Some(("logs/a b+c.gz", 12)));
        check(&format!(r#""trail","logsx/a.gz",{rest}"#), None);
        check(&format!(r#""other","logs/a.gz",{rest}"#), None);
        check(r#""trail","logs/a.gz","","false","false","1","2024-05-06T07:08:09Z","x""#, None);
        check(r#""trail","logs/a.gz","","true","true","","2024-05-06T07:08:09Z","""#, None);
        assert!(columns.object(r#""trail""#, &bucket).is_err());
        assert!(Columns::of("Bucket, Size").is_err());
        for (line, expected) in [
            (r#""a""b,c",d,"#, &["a\"b,c", "d", ""][..]),
            (r#""a,b",c,"","d""#, &["a,b", "c", "", "d"]),
            (r#"a"b,c"d,e"#, &["ab,cd", "e"]),
            (r#""a"b,c"#, &["ab", "c"]),
            (r#""a,b"#, &["a,b"]),
            ("", &[""]),
            (",", &["", ""]),
        ] {
            assert_eq!(fields(line), expected, "{line}");
            assert_eq!(spelled_fields(line), expected, "{line}");
        }
    }
}
