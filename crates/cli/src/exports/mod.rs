//! What `traillake export` leaves behind: a folder of files, each of them whole, and a manifest that
//! is written last. A folder without a manifest is half an export.

mod folder;
mod sheets;
mod trail;

pub use folder::{ExportedFile, Folder};
pub use sheets::Sheets;
pub use trail::{Place, Trail};
