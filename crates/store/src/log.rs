//! The only file that names deltalake types.
